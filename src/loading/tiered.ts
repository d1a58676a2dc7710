// A load by way of the second tier: what that has is taken, and if it is to, one process loads for
// all that share it.

import type { CacheKey } from '../base/types.ts'
import type { Origin } from '../guard/origin.ts'
import type { TierLease, TierMark, TierValue } from '../tier/contract.ts'
import type { Second } from '../tier/second.ts'
import type { Asker, Flight } from './flight.ts'
import type { Freshness } from './freshness.ts'
import { graceOfCall } from './grace.ts'
import type { LoadingHost } from './host.ts'
import type { Loader, LoadState } from './load.ts'
import type { RecentFailures } from './recent-failures.ts'

/** What a load brought. */
export interface Loaded<V> {
  readonly value: V | undefined | null
  /** Nobody could be asked but the second tier, which has nothing. */
  readonly unable?: boolean
  /** It is stale, and the origin is left alone: it is not stored. */
  readonly stale?: boolean
  /** Where the second tier had it: as it is stored. */
  readonly held?: TierValue
  /** When the second tier had nothing, by its own clock: see {@link TierValue.since}. */
  readonly since?: TierValue['since']
  /** To be given back when the value is stored for all. */
  readonly lease?: TierLease | undefined
}

/** What is to be loaded. */
export interface Wanted<K extends CacheKey, V> {
  readonly flight: Flight<K, V>
  readonly load: LoadState<V>
  /** Whose loader is called. */
  readonly asker: Asker<K, V>
  /** Whether only the loader will do. */
  readonly anew: boolean
  /** When it began, in milliseconds. */
  readonly begun: number
  /** As of when what it brings is known; later if it takes a while until the loader is called. */
  known: Known
}

/** A moment from which on what is invalidated concerns a value. */
export interface Known {
  /** By the tag clock: what was invalidated since does not hold the value. */
  readonly epoch: number
  /** The tag by which the value is made stale when the second tier is lost. */
  readonly cover: string | undefined
}

/** What decides with it. */
export interface Rules<K extends CacheKey, V> {
  readonly freshness: Freshness<K, V>
  readonly failures: RecentFailures<K>
  present(): Known
}

/** The most milliseconds between two looks for what another process loads. */
const LOOK_AGAIN = 1_000

/** How much later than it is due a wait may end, in milliseconds. */
const LATE = 60_000

/** Loads by way of a second tier. */
export class Tiered<K extends CacheKey, V> {
  readonly #host: LoadingHost<K, V>
  readonly #origin: Origin
  readonly #second: Second
  readonly #rules: Rules<K, V>

  constructor(host: LoadingHost<K, V>, origin: Origin, second: Second, rules: Rules<K, V>) {
    this.#host = host
    this.#origin = origin
    this.#second = second
    this.#rules = rules
  }

  /** What the second tier has, or else what the loader gives. */
  load(wanted: Wanted<K, V>): Promise<Loaded<V>> {
    const mark: TierMark = { since: undefined }
    return this.#second.session.find(wanted.flight.key, mark, answer => {
      const found = this.#judge(wanted, answer, wanted.begun)
      if (found !== undefined && !wanted.anew) return found
      return this.#loadMissing(wanted, mark)
    })
  }

  /** The second tier has nothing that will do. */
  #loadMissing(wanted: Wanted<K, V>, mark: TierMark): Loaded<V> | Promise<Loaded<V>> {
    const { key, stale } = wanted.flight
    if (stale !== undefined && !wanted.anew && this.#holds(key)) {
      return { value: stale[0], stale: true }
    }
    if (wanted.asker.loader === undefined) return { value: undefined, unable: true }
    return this.#second.leases ? this.#loadByLease(wanted, mark) : this.#loadHere(wanted, mark)
  }

  #holds(key: K): boolean {
    return this.#rules.failures.holds(key, this.#host.timers.now())
  }

  async #loadHere(wanted: Wanted<K, V>, mark: TierMark): Promise<Loaded<V>> {
    const { flight, load } = wanted
    const loader = wanted.asker.loader as Loader<K, V>
    const { since = 0 } = mark
    wanted.known = this.#rules.present()
    const value = await this.#origin.run(() => loader(flight.key, load), load)
    return { value, since }
  }

  /** Loads if no other process does; waits for it otherwise, though not for ever. */
  async #loadByLease(wanted: Wanted<K, V>, mark: TierMark): Promise<Loaded<V>> {
    const { policy, timers } = this.#host
    const { session } = this.#second
    const { key } = wanted.flight
    const end = timers.now() + policy.lockTimeout
    for (let left = policy.lockTimeout; left > 0; left = end - timers.now()) {
      const lease = await session.lease(key, policy.lockTimeout)
      // Who had it before may have loaded just now.
      const found = await this.#find(wanted, mark)
      if (found !== undefined && !wanted.anew) {
        await lease?.release()
        return found
      }
      if (lease !== undefined) return this.#loadAs(wanted, lease, mark)
      const pause = Math.min(left, LOOK_AGAIN)
      // The process stays for it, whatever the tier waits by, if somebody waits for the value: to its
      // end, which may come a little later than it is due.
      const letGo = timers.after(pause + LATE, () => {}, wanted.flight.awaited)
      try {
        await session.written(key, pause)
      } finally {
        letGo()
      }
    }
    return this.#loadHere(wanted, mark)
  }

  async #loadAs(wanted: Wanted<K, V>, lease: TierLease, mark: TierMark): Promise<Loaded<V>> {
    try {
      return { ...(await this.#loadHere(wanted, mark)), lease }
    } catch (error) {
      await lease.release()
      throw error
    }
  }

  /** What the second tier has, if it is fresh. */
  async #find(wanted: Wanted<K, V>, mark: TierMark): Promise<Loaded<V> | undefined> {
    const asked = this.#host.timers.now()
    const answer = await this.#second.session.get(wanted.flight.key, mark)
    return this.#judge(wanted, answer, asked)
  }

  /** What the second tier answered, if that is fresh; what is stale is kept for the case of an error. */
  #judge(
    { flight, asker }: Wanted<K, V>,
    answer: TierValue | undefined,
    asked: number,
  ): Loaded<V> | undefined {
    if (answer === undefined) return undefined
    const { encoded, kind, cost, version, tags } = answer
    // It may have been read as soon as it was asked for: no moment is added to its life.
    const freshFor = answer.freshFor - (this.#host.timers.now() - asked)
    const held: TierValue = { encoded, kind, freshFor, cost, version, tags }
    let value: V
    try {
      value = this.#host.values.decode(encoded)
    } catch (error) {
      this.#second.failed('decode', error)
      return undefined
    }
    if (freshFor <= 0) {
      const { staleIfError } = graceOfCall(this.#host.policy, asker.options)
      if (-freshFor < staleIfError) flight.stale ??= [value]
      return undefined
    }
    // A value that is to be loaded anew is not replaced by one that is as old.
    const early = flight.kept && this.#rules.freshness.isEarly(freshFor, cost)
    return early ? undefined : { value, held }
  }
}
