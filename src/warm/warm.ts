// Warm starts: the keys that are read most are remembered, in a file or by the fleet, and a new
// process has their values before it says that it is ready.

import { Awaited } from '../base/awaited.ts'
import { builtin } from '../base/builtin.ts'
import { checkCount, checkDuration, checkShape } from '../base/checks.ts'
import { neutrally } from '../base/context.ts'
import { InvalidOptionError, OptionCombinationError, SnapshotIoError } from '../base/errors.ts'
import { warn } from '../base/report.ts'
import type { Cancel, Timers } from '../base/timers.ts'
import type { CacheKey, Duration } from '../base/types.ts'

/** How a cache starts warm. */
export interface WarmOptions {
  /**
   * Where the hot set is kept: `'tier'`, where all processes tell which keys they read most and a new
   * one gets their values from the second tier; or, without a tier, the path of a file, with the
   * values, of this process alone.
   */
  from: 'tier' | URL | (string & {})
  /**
   * The most keys; 50,000 if left out. A new process takes no more than fit. The more there are the
   * longer saving them holds up the thread.
   */
  keys?: number | undefined
  /** How often the hot set is saved, besides when the cache is closed; `'1m'` if left out. */
  every?: Duration | undefined
  /** How long a start may take; then the cache is ready with what it has. `'5s'` if left out. */
  budget?: Duration | undefined
  /** The most keys that a start asks the tier for in a second; `Infinity` if left out. */
  rate?: number | undefined
}

/** What a start brought. */
export interface WarmStart {
  /** Values that were there. */
  readonly loaded: number
  /** Whether it got through the whole hot set, or what fits of it, within its budget. */
  readonly complete: boolean
}

/** What warm starts need of the cache. */
export interface WarmHost<K extends CacheKey> {
  /** The keys that are read most, at most so many, most first. */
  hottest(limit: number): { key: K; count: number }[]
  /** Has a value from the second tier, if that has it. */
  fetchFromTier(key: K): Promise<boolean>
  /** How many more entries fit, for all that is known. */
  room(): number
  /** When changes in the second tier are heard of. */
  tierReady(): Promise<void>
  fleetHot(limit: number): Promise<CacheKey[]>
  /** How many operations of the tier have failed, which were told as events. */
  failures(): number
  publishHot(keys: readonly { key: CacheKey; count: number }[]): Promise<void>
  /** Adds the entries of a file; how many. */
  load(path: string | URL): Promise<number>
  /** Takes the values of these keys now; the result writes them to a file. */
  saver(keys: readonly K[], path: string | URL): () => Promise<void>
}

/** Keys that are asked for at once. */
const BATCH = 250

/** Checks how a cache starts warm. */
export function checkWarm(given: WarmOptions | undefined, hasTier: boolean) {
  if (given === undefined) return undefined
  const options = checkShape('warm', given, ['from', 'keys', 'every', 'budget', 'rate'])
  const { from, keys = 50_000, every = '1m', budget = '5s' } = options
  const { rate = Number.POSITIVE_INFINITY } = options
  if (!(from instanceof URL) && (typeof from !== 'string' || from === '')) {
    throw new InvalidOptionError('warm.from', from, "'tier', a path or a file: URL")
  }
  if (from === 'tier' && !hasTier) {
    throw new OptionCombinationError('warm.from', from, 'no tier', 'give the cache a tier')
  }
  if (from !== 'tier' && hasTier) {
    const allowed = "take 'tier', since values of a file may have changed in the tier"
    throw new OptionCombinationError('warm.from', from, 'a tier', allowed)
  }
  return {
    from,
    keys: checkCount('warm.keys', keys),
    every: checkDuration('warm.every', every),
    budget: checkDuration('warm.budget', budget),
    rate: checkCount('warm.rate', rate, { endless: true }),
  }
}

/** Keeps the hot set of one instance, and starts by the one that was kept. */
export class Warm<K extends CacheKey> {
  readonly #options: NonNullable<ReturnType<typeof checkWarm>>
  readonly #host: WarmHost<K>
  readonly #timers: Timers
  #cancel: Cancel = () => {}
  #closed = false
  readonly #ready: Promise<WarmStart>
  /** Whether anybody waits for the start. */
  readonly #awaited = new Awaited()

  constructor(
    options: NonNullable<ReturnType<typeof checkWarm>>,
    host: WarmHost<K>,
    timers: Timers,
  ) {
    this.#options = options
    this.#host = host
    this.#timers = timers
    // In the context of nobody: a start is not a part of the call that makes the cache.
    this.#ready = neutrally(() => this.#withinBudget())
    this.#again()
  }

  /** What the start brought. */
  get ready(): Promise<WarmStart> {
    this.#awaited.isOn = true
    return this.#ready
  }

  /** Takes the hot set as it is now; the result saves it. Throws nothing: the result rejects. */
  save(): () => Promise<void> {
    const { from, keys } = this.#options
    try {
      const hot = this.#host.hottest(keys)
      if (from === 'tier') return () => this.#host.publishHot(hot)
      const list = hot.map(({ key }) => key)
      return this.#host.saver(list, from)
    } catch (error) {
      return () => Promise.reject(error)
    }
  }

  /** Takes the hot set for the last time; the result saves it. */
  close(): () => Promise<void> {
    this.#closed = true
    this.#cancel()
    return this.save()
  }

  #again(): void {
    this.#cancel = this.#timers.after(this.#options.every, () => {
      if (this.#closed) return
      this.save()().catch(warn)
      this.#again()
    })
  }

  /** Never rejects: a cold start is one as well. */
  #withinBudget(): Promise<WarmStart> {
    return new Promise(resolve => {
      const progress = { loaded: 0, over: false }
      const failures = this.#host.failures()
      const cancel = this.#timers.after(
        this.#options.budget,
        () => {
          progress.over = true
          resolve({ loaded: progress.loaded, complete: false })
        },
        this.#awaited,
      )
      this.#start(progress).then(
        () => {
          cancel()
          const complete = !progress.over && this.#host.failures() === failures
          resolve({ loaded: progress.loaded, complete })
        },
        error => {
          cancel()
          // Where there is no file yet there is no more to be had.
          const complete = this.#isFirst(error)
          if (!complete) warn(error)
          resolve({ loaded: progress.loaded, complete })
        },
      )
    })
  }

  /** Whether an error only says that there is no file yet. */
  #isFirst(error: unknown): boolean {
    const { from } = this.#options
    return error instanceof SnapshotIoError && !builtin('node:fs').existsSync(from)
  }

  async #start(progress: { loaded: number; over: boolean }): Promise<void> {
    const { from, keys } = this.#options
    if (from !== 'tier') {
      progress.loaded = await this.#host.load(from)
      return
    }
    await this.#host.tierReady()
    const hot = (await this.#host.fleetHot(keys)) as K[]
    let next = 0
    while (!progress.over && !this.#closed) {
      // What does not fit would take the place of what is hotter.
      const keys = hot.slice(next, next + Math.min(BATCH, this.#host.room()))
      if (keys.length === 0) break
      next += keys.length
      const begun = this.#timers.now()
      const found = await Promise.all(keys.map(key => this.#host.fetchFromTier(key)))
      progress.loaded += found.filter(Boolean).length
      await this.#pause((keys.length / this.#options.rate) * 1000 - (this.#timers.now() - begun))
    }
  }

  #pause(ms: number): Promise<void> | undefined {
    if (!(ms > 0)) return undefined
    return new Promise(resolve => {
      this.#timers.after(ms, resolve, this.#awaited)
    })
  }
}
