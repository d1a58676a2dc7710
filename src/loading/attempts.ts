// One attempt to load for a flight that this instance leads: the loader is called, and what it brings
// is stored and handed to those who wait in other isolates, or its error is.
import { CacheFullError, EntryTooLargeError } from '../base/errors.ts'
import { toText } from '../base/failure.ts'
import type { CacheKey } from '../base/types.ts'
import { loads } from '../events/tracing.ts'
import type { Origin } from '../guard/origin.ts'
import { binding } from '../native/native.ts'
import type { Note } from '../native/note.ts'
import { State } from '../native/port.ts'
import type { TierValue } from '../tier/contract.ts'
import type { Second } from '../tier/second.ts'
import type { LoadStats } from './counts.ts'
import type { Asker, Flight, Outcome } from './flight.ts'
import { earlyWindow, Freshness, noteOf } from './freshness.ts'
import type { LoadingHost } from './host.ts'
import { LoadState } from './load.ts'
import type { RecentFailures } from './recent-failures.ts'
import { type Known, type Loaded, Tiered, type Wanted } from './tiered.ts'

type Nothing = undefined | null

/** One attempt. The flight may have lost its lease before it ends. */
interface Attempt<K extends CacheKey, V> extends Wanted<K, V> {
  /** The right to store. */
  readonly lease: number
}

/** Told of how attempts end, each once. */
export interface AttemptEnds<K extends CacheKey, V> {
  /** It brought an answer. What was to be stored is, and who waits elsewhere was told. */
  brought(flight: Flight<K, V>, outcome: Outcome<V>): void
  /**
   * It failed.
   *
   * @param land - says so to who waits elsewhere, and remembers it if it is to be; false if another
   * instance leads, or has: this one waits for what that tells.
   */
  failed(flight: Flight<K, V>, error: unknown, land: () => boolean): void
  /**
   * It could only ask the second tier, which has nothing.
   *
   * @param land - says so to who waits elsewhere, and remembers it if it is to be.
   */
  unable(flight: Flight<K, V>, land: () => void): void
}

/** The attempts of one instance. */
export class Attempts<K extends CacheKey, V> {
  readonly freshness: Freshness<K, V>
  readonly #host: LoadingHost<K, V>
  readonly #origin: Origin
  readonly #second: Second | undefined
  readonly #tiered: Tiered<K, V> | undefined
  readonly #counts: LoadStats
  readonly #failures: RecentFailures<K>
  readonly #ends: AttemptEnds<K, V>

  constructor(
    host: LoadingHost<K, V>,
    origin: Origin,
    second: Second | undefined,
    counts: LoadStats,
    failures: RecentFailures<K>,
    ends: AttemptEnds<K, V>,
  ) {
    this.#host = host
    this.#origin = origin
    this.#second = second
    this.#counts = counts
    this.#failures = failures
    this.#ends = ends
    this.freshness = new Freshness(host.policy, host.lives)
    this.#tiered =
      second &&
      new Tiered(host, origin, second, {
        freshness: this.freshness,
        failures,
        present: () => this.#present(),
      })
  }

  /** Calls the loader of an asker, for a flight. */
  begin(flight: Flight<K, V>, asker: Asker<K, V>): void {
    const load = new LoadState<V>(flight.stale?.[0], asker.options ?? {}, flight.awaited)
    flight.load = load
    flight.loadsFor = asker
    const attempt: Attempt<K, V> = {
      flight,
      lease: flight.lease,
      load,
      asker,
      anew: asker.options?.fresh === true,
      begun: this.#host.timers.now(),
      known: this.#present(),
    }
    this.#load(attempt).then(
      loaded => this.#loaded(attempt, loaded),
      error => this.#failed(attempt, error),
    )
  }

  /** What is loaded from now on is known as of now. */
  #present(): Known {
    return { epoch: binding.epoch(this.#host.at), cover: this.#second?.cover }
  }

  #load(attempt: Attempt<K, V>): Promise<Loaded<V>> {
    const { events, timers } = this.#host
    const { key } = attempt.flight
    this.#counts.loads++
    const reason = attempt.flight.kept ? 'refresh' : 'miss'
    const loaded = loads.isHeard ? this.#traced(attempt, reason) : this.#loadUntraced(attempt)
    if (!events.load.isHeard) return loaded
    const tell = (failed: { error: unknown } | undefined) => {
      events.load.emit({ key, reason, duration: timers.now() - attempt.begun, failed })
    }
    loaded.then(
      () => tell(undefined),
      error => tell({ error }),
    )
    return loaded
  }

  #traced(attempt: Attempt<K, V>, reason: 'miss' | 'refresh'): Promise<Loaded<V>> {
    const { flight } = attempt
    flight.trace = { cache: this.#host.name, key: flight.key, reason }
    return loads.run(
      flight.trace,
      () => this.#loadUntraced(attempt),
      ({ value }) => value,
    )
  }

  #loadUntraced(attempt: Attempt<K, V>): Promise<Loaded<V>> {
    // The origin does not have it yet: what it has is older.
    const pending = this.#host.pending?.(attempt.flight.key)
    if (pending !== undefined) return Promise.resolve({ value: pending.value })
    return this.#tiered?.load(attempt) ?? this.#loadHere(attempt)
  }

  async #loadHere({ asker, flight, load }: Attempt<K, V>): Promise<Loaded<V>> {
    const { loader } = asker
    if (loader === undefined) return { value: undefined, unable: true }
    return { value: await this.#origin.run(() => loader(flight.key, load), load) }
  }

  #loaded(attempt: Attempt<K, V>, loaded: Loaded<V>): void {
    const { flight, load } = attempt
    const { value } = loaded
    // Nobody wants it any more: its flight has ended.
    if (flight.load !== load) {
      void loaded.lease?.release()
      return
    }
    if (loaded.held !== undefined || loaded.stale === true) this.#counts.tierHits++
    if (loaded.unable === true) {
      this.#ends.unable(flight, () => this.#landNothing(attempt, undefined))
      return
    }
    try {
      if (loaded.stale === true) this.#giveStale(attempt, value as V)
      else if (value === undefined || (value === null && !this.#storesNull)) {
        this.#landNothing(attempt, value as Nothing)
        void loaded.lease?.release()
      } else {
        this.#land(attempt, loaded, value as V)
      }
    } catch (error) {
      void loaded.lease?.release()
      this.#failed(attempt, error)
      return
    }
    if (loaded.stale !== true) this.#failures.forget(flight.key)
    this.#ends.brought(flight, { value: value as V | undefined })
  }

  /** The origin failed lately: who waits gets what the second tier has, though it is stale. */
  #giveStale({ flight, lease }: Attempt<K, V>, value: V): void {
    const { at, values, events } = this.#host
    if (!this.#host.isClosed()) binding.give(at, lease, values.encode(value))
    if (flight.isWanted) this.#counts.stale++
    const { stale } = events
    if (stale.isHeard) stale.emit({ key: flight.key, age: undefined, reason: 'error' })
  }

  get #storesNull(): boolean {
    return this.#host.takesNull && this.#host.policy.negativeTtl === undefined
  }

  #land(attempt: Attempt<K, V>, loaded: Loaded<V>, value: V): void {
    const { at, values } = this.#host
    const { lease, load, flight } = attempt
    // Before the codec and the options have their say, which may throw.
    if (this.#host.isClosed()) return
    const { held } = loaded
    const entry =
      held === undefined ? this.#newEntry(attempt, value, loaded.since) : this.#heldEntry(held)
    const life = this.#second?.lifeHere(entry.freshFor) ?? entry.freshFor
    const note = this.#noteOf(entry, life, attempt)
    const own = held === undefined && this.#isOwn(load, life) ? 1 : 0
    let stored = false
    try {
      if (load.keep) stored = binding.land(at, lease, entry.encoded, life, note, 0, own) > 0
      else binding.give(at, lease, entry.encoded)
    } catch (error) {
      // It is as good a value although it does not fit.
      if (!(error instanceof EntryTooLargeError || error instanceof CacheFullError)) throw error
    } finally {
      if (!stored) values.slots?.free(entry.encoded as number)
    }
    // What was written meanwhile is newer than what was loaded.
    const kept = stored && held === undefined ? this.#second?.store(flight.key, entry) : undefined
    if (loaded.lease !== undefined) void Promise.resolve(kept).then(() => loaded.lease?.release())
  }

  /** What the loader gave, as it is stored. */
  #newEntry(
    { flight, load, begun }: Attempt<K, V>,
    value: V,
    since: TierValue['since'],
  ): TierValue {
    const { lives, timers, values } = this.#host
    const cost = timers.now() - begun
    const life = this.freshness.lifeOf(flight.key, value, load)
    return {
      encoded: values.encode(value) as TierValue['encoded'],
      freshFor: life ?? lives.ttl ?? Number.POSITIVE_INFINITY,
      cost,
      version: load.version,
      tags: load.tags,
      since,
    }
  }

  /** Whether a touch gives it this life again, and not that of the cache. */
  #isOwn(load: LoadState<V>, life: number): boolean {
    const { lives, touches } = this.#host
    return touches && Number.isFinite(life) && (load.ttl !== undefined || lives.ttlOf !== undefined)
  }

  /** What the second tier had, as it is stored here: no longer than what is loaded here. */
  #heldEntry(held: TierValue): TierValue {
    const most = this.#host.lives.ttl ?? Number.POSITIVE_INFINITY
    const { encoded, freshFor, cost, version, tags } = held
    return freshFor <= most ? held : { encoded, freshFor: most, cost, version, tags }
  }

  #noteOf(entry: TierValue, life: number, { known }: Attempt<K, V>): Note | undefined {
    const early = earlyWindow(this.#host.policy, entry.freshFor, life, entry.cost)
    const { tags, version, cost } = entry
    const { epoch, cover } = known
    const { weighsCost } = this.#host
    return noteOf({ tags, cover, version, early, cost, weighsCost, epoch })
  }

  #landNothing({ lease, load, known, asker }: Attempt<K, V>, value: Nothing): void {
    const { at, policy } = this.#host
    if (this.#host.isClosed()) return
    const kind = value === undefined ? State.UNDEFINED : State.NULL
    if (load.keep && !asker.onlyLooks && policy.negativeTtl !== undefined) {
      const note = noteOf({ tags: load.tags, version: load.version, ...known })
      binding.land(at, lease, undefined, policy.negativeTtl, note, kind)
    } else {
      binding.give(at, lease, undefined, kind)
    }
  }

  #failed(attempt: Attempt<K, V>, error: unknown): void {
    this.#counts.loadsFailed++
    const { flight, load } = attempt
    if (flight.load !== load) return
    this.#ends.failed(flight, error, () => this.#landError(attempt, error))
  }

  #landError({ flight, lease, asker, known }: Attempt<K, V>, error: unknown): boolean {
    const { at, policy } = this.#host
    if (this.#host.isClosed()) return true
    const text = toText(error)
    // What is stale is worth more than the memory of a failure.
    if (policy.errorTtl === undefined || flight.stale !== undefined) {
      return binding.fail(at, lease, text)
    }
    // Of the options, which are checked: what the loader set may be what failed.
    const note = noteOf({ tags: asker.options?.tags, ...known })
    return binding.land(at, lease, text, policy.errorTtl, note, State.ERROR) >= 0
  }
}
