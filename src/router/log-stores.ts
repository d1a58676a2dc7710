// What is told of the servers behind a node: which come, go, and are not asked for a while.
import { breakerChanges, type StoreEvent } from './breaker.ts'
import type { RouterLog } from './log.ts'
import type { UpstreamStats } from './stats.ts'

/** A server has come or gone, or its breaker is in another state. */
export type StoreChange =
  | ({ kind: 'up' | 'down' } & Pick<UpstreamStats, 'address' | 'role' | 'state'>)
  | ({ kind: 'breaker' } & StoreEvent)

/** What has changed since it was called last. A server that has never been tried is no news. */
export function storeChanges(read: () => readonly UpstreamStats[]): () => StoreChange[] {
  let servers: readonly UpstreamStats[] = []
  const breakers = breakerChanges(() => servers)
  const isUp = new Map<string, boolean>()
  return () => {
    servers = read()
    const changes: StoreChange[] = servers.flatMap(({ address, role, state, losses, failures }) => {
      const before = isUp.get(address)
      const up = state === 'up'
      const wasTried = up || losses > 0 || failures > 0
      if (before === up || (before === undefined && !wasTried)) return []
      isUp.set(address, up)
      return [{ kind: up ? 'up' : 'down', address, role, state }]
    })
    const known = new Set(servers.map(({ address }) => address))
    for (const address of isUp.keys()) if (!known.has(address)) isUp.delete(address)
    return [...changes, ...breakers().map(event => ({ kind: 'breaker' as const, ...event }))]
  }
}

/** Tells of a change. */
export function tellStore(log: RouterLog, change: StoreChange): void {
  const { address, role, state } = change
  const fields = { store: address, role, state }
  const server = `the ${role} ${address}`
  if (change.kind === 'breaker') {
    const { breaker } = change
    const level = breaker === 'open' ? 'warn' : 'info'
    log[level]('breaker', { ...fields, breaker }, `the breaker of ${server} is ${breaker}`)
  } else if (change.kind === 'up') log.info('store_up', fields, `${server} is up`)
  else log.warn('store_down', fields, `${server} is ${state}`)
}
