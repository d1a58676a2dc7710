// What the tests of the tier share: sessions over real servers, of both libraries, and the cache's side.
import type { ExecutionContext } from 'ava'
import { type Timers, timersOf } from '../../src/base/timers.ts'
import type {
  TierHost,
  TierMark,
  TierMoment,
  TierSession,
  TierValue,
} from '../../src/tier/contract.ts'
import { type RedisTierOptions, redis as redisTier } from '../../src/tier/redis/index.ts'
import { redis, type Served } from '../router/support.ts'
import {
  type Connected,
  cluster,
  connect,
  connectCluster,
  type Library,
  libraries,
} from './invalidation.ts'

/** Servers of one kind, and how to come to them. */
export interface Setup {
  readonly title: string
  readonly isCluster: boolean
  readonly library: Library
  client(t: ExecutionContext): Promise<Connected>
  servers(): readonly Served[]
}

/** Each library, over one server and over a cluster; the servers run until `stop`. */
export function setups(): { all: Setup[]; start(): Promise<void>; stop(): void } {
  const ends: (() => void)[] = []
  const untilStop = { teardown: (end: () => void) => ends.push(end) } as unknown as ExecutionContext
  let single: Served
  let nodes: Served[]
  const all = libraries.flatMap((library): Setup[] => [
    {
      title: library,
      library,
      isCluster: false,
      client: t => connect(t, library, single.port),
      servers: () => [single],
    },
    {
      title: `${library} in a cluster`,
      library,
      isCluster: true,
      client: t => connectCluster(t, library, nodes),
      servers: () => nodes,
    },
  ])
  return {
    all,
    async start() {
      single = await redis(untilStop)
      nodes = await cluster(untilStop)
    },
    stop() {
      for (const end of ends) end()
    },
  }
}

/** A cache's side of a tier, which keeps what it is told. */
export class Host implements TierHost {
  readonly timers: Timers
  readonly failures: [operation: string, error: Error][] = []
  readonly states: string[] = []
  readonly changes: string[] = []
  readonly name: string
  #waiting: (() => void)[] = []

  constructor(name: string, timers = timersOf(undefined)) {
    this.name = name
    this.timers = timers
  }

  doubted(keys: readonly unknown[]): void {
    this.changed(keys)
  }
  changed(keys: readonly unknown[]): void {
    this.#hear(...keys.map(String))
  }
  tagged(tags: readonly string[]): void {
    this.#hear(...tags.map(tag => `#${tag}`))
  }
  cleared(): void {
    this.#hear('*')
  }
  lost(): void {}
  regained(): void {}
  failed(operation: string, error: unknown): void {
    this.failures.push([operation, error as Error])
  }
  breaker(state: string): void {
    this.states.push(state)
  }

  /** Resolves when this was heard. */
  async hears(change: string): Promise<void> {
    while (!this.changes.includes(change)) {
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  #hear(...changes: string[]): void {
    this.changes.push(...changes)
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

let names = 0

/** A cache of its own name over a client, until the test ends; by default it hears of nothing. */
export function openSession(
  t: ExecutionContext,
  client: object,
  options: RedisTierOptions = {},
  name = `cache:${process.pid}:${names++}`,
): { session: TierSession; host: Host } {
  const host = new Host(name)
  const session = redisTier(client, { timeout: '20s', invalidation: false, ...options }).open(host)
  t.teardown(() => session.close())
  return { session, host }
}

/** A value that lives for a minute. */
export function fresh(encoded: TierValue['encoded'], more: Partial<TierValue> = {}): TierValue {
  return { encoded, freshFor: 60_000, cost: 0, ...more }
}

/** What a `get` saw as the time. */
export async function sinceOf(session: TierSession, key: string): Promise<TierMoment> {
  const mark: TierMark = {}
  await session.get(key, mark)
  return mark.since ?? 0
}
