// Breakers of the servers behind a node: when they open, and who is told.
import { InvalidOptionError } from '../base/errors.ts'
import type { Duration } from '../base/types.ts'
import { checkGroup, count, duration } from './protection.ts'
import type { StoreBreakerState, UpstreamStats } from './stats.ts'

/** When a server is not asked any more, and for how long. */
export interface StoreBreakerOptions {
  /**
   * So many requests to a server that come to nothing, one behind the other, open its breaker:
   * 1 to 1,000,000. Default: 20.
   */
  failures?: number | undefined
  /**
   * How long it stays open before the node asks the server whether it is there; twice as long after
   * each time that it is not, up to 8 times, less up to a half at random. An hour at the most.
   * Default: `'1s'`.
   */
  halfOpenAfter?: Duration | undefined
}

/** The breaker of a server has gone to another state: that is `breaker`. */
export type StoreEvent = Pick<UpstreamStats, 'address' | 'role' | 'state' | 'breaker'>

/** The same, checked and in milliseconds. */
export interface CheckedBreaker {
  /** 0: there is none. */
  breakerFailures: number
  breakerPause: number
}

const KNOWN: readonly string[] = [
  'failures',
  'halfOpenAfter',
] satisfies (keyof StoreBreakerOptions)[]

/** Checks the options and fills in what was left out. Throws {@link InvalidOptionError}. */
export function checkStoreBreaker(given: StoreBreakerOptions | false = {}): CheckedBreaker {
  if (given === false) return { breakerFailures: 0, breakerPause: 1_000 }
  if (typeof given !== 'object') {
    const allowed = "an object, as { failures: 20, halfOpenAfter: '1s' }, or false"
    throw new InvalidOptionError('breaker', given, allowed)
  }
  checkGroup('breaker', given, KNOWN, "{ failures: 20, halfOpenAfter: '1s' }, or false")
  const { failures = 20, halfOpenAfter = '1s' } = given
  return {
    breakerFailures: count('breaker.failures', failures),
    breakerPause: duration('breaker.halfOpenAfter', halfOpenAfter),
  }
}

/** What has changed of the breakers since it was called last; closed ones are no news at first. */
export function breakerChanges(read: () => readonly UpstreamStats[]): () => StoreEvent[] {
  let before = new Map<string, UpstreamStats>()
  return () => {
    const now = read()
    const events = now.flatMap(server => {
      const { breaker = 'closed', opened = 0 } = before.get(server.address) ?? {}
      const { address, role, state } = server
      const event = (breaker: StoreBreakerState) => ({ address, role, state, breaker })
      // It was open for so short a time that nobody has looked.
      if (server.opened > opened && server.breaker === 'closed')
        return [event('open'), event('closed')]
      return server.breaker === breaker ? [] : [event(server.breaker)]
    })
    before = new Map(now.map(server => [server.address, server]))
    return events
  }
}
