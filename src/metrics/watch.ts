// What is counted of a cache while it is watched, by its events: a cache that nobody watches has no
// listener, and pays nothing.
import type { Timers } from '../base/timers.ts'
import type { CacheStats, Skew } from '../base/types.ts'
import type { CacheEventName, CacheListener } from '../events/events.ts'
import type { LoadStats } from '../loading/counts.ts'
import type { WriteBehindStats } from '../writing/behind.ts'
import type { Distribution } from './metric.ts'

/** More reads than this that wait for one load are a herd. */
const HERD = 10
/** How long a cache is cold after it was registered, in milliseconds. */
const COLD = 60_000

/** How long things took, by powers of two of microseconds. */
class Times implements Distribution {
  readonly counts: number[] = new Array(28).fill(0)
  sum = 0

  /** Something took so many milliseconds. */
  add(ms: number): void {
    const micros = Math.max(ms * 1_000, 0)
    const power = micros < 1 ? 0 : Math.floor(Math.log2(micros)) + 1
    const at = Math.min(power, 27)
    this.counts[at] = (this.counts[at] ?? 0) + 1
    this.sum += ms / 1_000
  }
}

/** A cache of any keys and values, as far as metrics go. */
export interface AnyCache {
  readonly name: string | undefined
  readonly closed: boolean
  skew(): Skew
  readonly bounds: { max: number | undefined; maxBytes: number | undefined }
  readonly writeStats: WriteBehindStats | undefined
  stats(): CacheStats & LoadStats
  on(event: never, listener: never): () => void
}

type On = <E extends CacheEventName>(event: E, listener: CacheListener<E>) => () => void

/** Reads, by what came of them. */
type Reads = Pick<CacheStats, 'hits' | 'misses'>

/** A cache that is watched. */
export class CacheWatch {
  readonly cache: AnyCache
  /** How long loads took, by what they were for. */
  readonly loads = { miss: new Times(), refresh: new Times() }
  /** How long operations of the second tier took. */
  readonly tier = new Map<string, Times>()
  /** Operations of the second tier that failed. */
  tierFailures = 0
  /** Reads that a stale value answered, by reason. */
  readonly stale = { revalidate: 0, error: 0, timeout: 0, busy: 0 }
  /** Loads that more than {@link HERD} reads waited for. */
  herds = 0
  /** The most reads that waited for one load. */
  largestHerd = 0
  /** Breakers: 0 closed, 1 half open, 2 open. */
  readonly breakers = new Map<string, number>()
  /** How many wait for each load that is under way. */
  readonly #waiting = new Map<unknown, number>()
  readonly #stops: (() => void)[]
  /** What was counted before it was registered, and when it was cold no more. */
  readonly #first: Reads
  #cold: Reads | undefined

  constructor(cache: AnyCache, timers: Timers) {
    this.cache = cache
    this.#first = cache.stats()
    const on: On = (event, listener) => cache.on(event as never, listener as never)
    this.#stops = [
      on('load', ({ key, reason, duration }) => {
        this.loads[reason].add(duration)
        this.#waiting.delete(known(key))
      }),
      on('coalesced', ({ key }) => this.#wait(known(key))),
      on('stale', ({ reason }) => {
        this.stale[reason]++
      }),
      on('tierCall', ({ operation, duration, failed }) => {
        this.#tierTimes(operation).add(duration)
        if (failed !== undefined) this.tierFailures++
      }),
      on('breaker', ({ of, state }) => {
        this.breakers.set(of, ['closed', 'half-open', 'open'].indexOf(state))
      }),
      timers.after(COLD, () => {
        if (!cache.closed) this.#cold = cache.stats()
      }),
    ]
  }

  /** Watches it no more. */
  stop(): void {
    for (const stop of this.#stops) stop()
  }

  /** Reads in the first minute after it was registered, by what came of them. */
  coldReads(now: Reads): Reads {
    const until = this.#cold ?? now
    // Counts that were set back begin anew.
    const since = (outcome: keyof Reads) => Math.max(0, until[outcome] - this.#first[outcome])
    return { hits: since('hits'), misses: since('misses') }
  }

  #wait(key: unknown): void {
    const waiting = (this.#waiting.get(key) ?? 0) + 1
    this.#waiting.set(key, waiting)
    if (waiting === HERD + 1) this.herds++
    this.largestHerd = Math.max(this.largestHerd, waiting)
  }

  #tierTimes(operation: string): Times {
    const known = this.tier.get(operation)
    if (known !== undefined) return known
    const times = new Times()
    this.tier.set(operation, times)
    return times
  }
}

/** A key as a map can find it: bytes are equal that are no one object. */
function known(key: unknown): unknown {
  return key instanceof Uint8Array ? `bytes:${Buffer.from(key).toString('latin1')}` : key
}
