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
import { NODE_LACKS, node } from './servers.ts'

/** Servers of one kind, and how to come to them. */
export interface Setup {
  readonly title: string
  readonly isCluster: boolean
  /** What it has not that a Redis has: see {@link NODE_LACKS}. */
  readonly lacks: readonly string[]
  readonly library: Library
  client(t: ExecutionContext): Promise<Connected>
  servers(): readonly Served[]
}

/** Each library, over one Redis, a cluster, and nodes of one thread and of two; they run until `stop`. */
export function setups(): { all: Setup[]; start(): Promise<void>; stop(): void } {
  const ends: (() => void)[] = []
  const untilStop = { teardown: (end: () => void) => ends.push(end) } as unknown as ExecutionContext
  const kinds: Record<string, { start(): Promise<Served[]>; servers: Served[] }> = {
    '': { start: async () => [await redis(untilStop)], servers: [] },
    ' in a cluster': { start: () => cluster(untilStop), servers: [] },
    ' over a node': { start: async () => [await node(untilStop, 1)], servers: [] },
    ' over a node of two threads': { start: async () => [await node(untilStop, 2)], servers: [] },
  }
  const all = libraries.flatMap(library =>
    Object.entries(kinds).map(([what, kind]): Setup => {
      const isCluster = what.includes('cluster')
      return {
        title: `${library}${what}`,
        library,
        isCluster,
        lacks: what.includes('node') ? NODE_LACKS : [],
        client: t =>
          isCluster
            ? connectCluster(t, library, kind.servers)
            : connect(t, library, kind.servers[0]!.port),
        servers: () => kind.servers,
      }
    }),
  )
  return {
    all,
    async start() {
      for (const kind of Object.values(kinds)) kind.servers = await kind.start()
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

/**
 * A cache of its own name over a client, until the test ends; by default it hears of nothing. What it waits
 * for may take long on a busy machine.
 */
export function openSession(
  t: ExecutionContext,
  client: object,
  options: RedisTierOptions = {},
  name = `cache:${process.pid}:${names++}`,
  timers = timersOf(undefined),
): { session: TierSession; host: Host } {
  const host = new Host(name, timers)
  const hears = typeof options.invalidation === 'object'
  const invalidation = hears && { bound: '20s', ...(options.invalidation as object) }
  const session = redisTier(client, { timeout: '20s', ...options, invalidation }).open(host)
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
