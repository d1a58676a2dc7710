// The side of a flight that loads: the loader is called, its value is stored and handed to all who
// wait, or its error is.
import {
  BreakerOpenError,
  CacheFullError,
  EntryTooLargeError,
  OriginBusyError,
} from '../base/errors.ts'
import type { CacheKey } from '../base/types.ts'
import { traceLoad } from '../events/events.ts'
import type { Origin } from '../guard/origin.ts'
import { binding } from '../native/native.ts'
import type { Note } from '../native/note.ts'
import { State } from '../native/port.ts'
import type { Second } from '../tier/second.ts'
import type { TierValue } from '../tier/contract.ts'
import { BackOff } from './backoff.ts'
import type { LoadStats } from './counts.ts'
import { toText } from './failure.ts'
import type { Flight, Outcome } from './flight.ts'
import { earlyWindow, Freshness, noteOf } from './freshness.ts'
import type { Inside } from './inside.ts'
import { type Loader, LoadState } from './load.ts'
import type { FetchOptions } from './options.ts'
import { type Known, type Loaded, Tiered, type Wanted } from './tiered.ts'

type Nothing = undefined | null

/** One attempt to load: the flight may be somebody else's before it ends. */
interface Attempt<K extends CacheKey, V> extends Wanted<K, V> {
  /** The right to store. */
  lease: number
  options: FetchOptions<K, V> | undefined
  begun: number
}

/** Loads for the flights that an instance leads. */
export class Leading<K extends CacheKey, V> {
  readonly freshness: Freshness<K, V>
  readonly backOff = new BackOff<K>()
  readonly #inside: Inside<K, V>
  readonly #origin: Origin
  readonly #second: Second | undefined
  readonly #tiered: Tiered<K, V> | undefined
  readonly #counts: LoadStats
  readonly #ended: (flight: Flight<K, V>) => void

  /** @param ended - told of each flight that has come to its end. */
  constructor(
    inside: Inside<K, V>,
    origin: Origin,
    second: Second | undefined,
    counts: LoadStats,
    ended: (flight: Flight<K, V>) => void,
  ) {
    this.#inside = inside
    this.#origin = origin
    this.#second = second
    this.#counts = counts
    this.#ended = ended
    this.freshness = new Freshness(inside.policy, inside.lives)
    this.#tiered = second && new Tiered(inside, origin, second, this)
  }

  /** What is loaded from now on is known as of now. */
  present(): Known {
    return { epoch: binding.epoch(this.#inside.at), cover: this.#second?.cover }
  }

  /** Calls the loader for a flight. */
  lead(flight: Flight<K, V>, loader: Loader<K, V>, options: FetchOptions<K, V> | undefined): void {
    const { timers } = this.#inside
    const load = new LoadState<V>(flight.stale?.[0], options ?? {})
    flight.load = load
    const { lease } = flight
    const attempt = {
      flight,
      lease,
      load,
      loader,
      options,
      anew: options?.fresh === true,
      begun: timers.now(),
      known: this.present(),
    }
    this.#load(attempt).then(
      loaded => this.#loaded(attempt, loaded),
      error => this.#failed(attempt, error),
    )
  }

  #load(attempt: Attempt<K, V>): Promise<Loaded<V>> {
    const { events } = this.#inside
    const { key } = attempt.flight
    this.#counts.loads++
    const reason = attempt.flight.kept ? 'refresh' : 'miss'
    const trace = { cache: this.#inside.name, key, reason } as const
    const loaded = traceLoad(() => this.#loadNow(attempt), trace)
    if (!events.load.isHeard) return loaded
    const tell = (failed: { error: unknown } | undefined) => {
      const duration = this.#inside.timers.now() - attempt.begun
      events.load.emit({ key, reason, duration, failed })
    }
    loaded.then(
      () => tell(undefined),
      error => tell({ error }),
    )
    return loaded
  }

  #loadNow(attempt: Attempt<K, V>): Promise<Loaded<V>> {
    // The origin does not have it yet: what it has is older.
    const pending = this.#inside.pending?.(attempt.flight.key)
    if (pending !== undefined) return Promise.resolve({ value: pending.value })
    return this.#tiered?.load(attempt) ?? this.#loadHere(attempt)
  }

  async #loadHere({ loader, flight, load }: Attempt<K, V>): Promise<Loaded<V>> {
    return { value: await this.#origin.run(() => loader(flight.key, load), load, !flight.kept) }
  }

  /** All who wait get what a load elsewhere came to. */
  settle(flight: Flight<K, V>, outcome: Outcome<V>): void {
    flight.settle(this.#fallBack(flight, outcome))
  }

  /** What a caller gets: a stale value rather than an error, where that is allowed. */
  #fallBack(flight: Flight<K, V>, outcome: Outcome<V>): Outcome<V> {
    if (!('error' in outcome) || flight.stale === undefined) return outcome
    const { stale } = this.#inside.events
    if (flight.isWanted) this.#counts.stale++
    if (stale.isHeard && flight.isWanted) {
      const { error } = outcome
      const refused = error instanceof OriginBusyError || error instanceof BreakerOpenError
      stale.emit({ key: flight.key, age: undefined, reason: refused ? 'busy' : 'error' })
    }
    return { value: flight.stale[0] }
  }

  #loaded(attempt: Attempt<K, V>, loaded: Loaded<V>): void {
    const { flight } = attempt
    const { value } = loaded
    if (loaded.held !== undefined || loaded.stale === true) this.#counts.tierHits++
    if (loaded.stale === true) {
      this.#giveStale(attempt, value as V)
      return
    }
    try {
      if (value === undefined || (value === null && !this.#storesNull)) {
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
    this.backOff.succeeded(flight.key)
    this.#end(flight, { value: value as V | undefined })
  }

  /** The origin failed lately: who waits gets what the second tier has, though it is stale. */
  #giveStale({ flight, lease }: Attempt<K, V>, value: V): void {
    const { at, values, events } = this.#inside
    if (!this.#inside.isClosed()) binding.give(at, lease, values.encode(value))
    if (flight.isWanted) this.#counts.stale++
    const { stale } = events
    if (stale.isHeard) stale.emit({ key: flight.key, age: undefined, reason: 'error' })
    this.#end(flight, { value })
  }

  get #storesNull(): boolean {
    return this.#inside.takesNull && this.#inside.policy.negativeTtl === undefined
  }

  #land(attempt: Attempt<K, V>, loaded: Loaded<V>, value: V): void {
    const { at, values } = this.#inside
    const { lease, load, flight } = attempt
    // Before the codec and the options have their say, which may throw.
    if (this.#inside.isClosed()) return
    const { held } = loaded
    const entry =
      held === undefined ? this.#newEntry(attempt, value, loaded.since) : this.#heldEntry(held)
    const life = this.#second?.life(entry.freshFor) ?? entry.freshFor
    const note = this.#noteOf(entry, life, attempt)
    let stored = false
    try {
      if (load.keep) stored = binding.land(at, lease, entry.encoded, life, note)
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
    const { lives, timers, values } = this.#inside
    const cost = timers.now() - begun
    const life = this.freshness.life(flight.key, value, load)
    return {
      encoded: values.encode(value) as TierValue['encoded'],
      freshFor: life ?? lives.ttl ?? Number.POSITIVE_INFINITY,
      cost,
      version: load.version,
      tags: load.tags,
      since,
    }
  }

  /** What the second tier had, as it is stored here: no longer than what is loaded here. */
  #heldEntry(held: TierValue): TierValue {
    const most = this.#inside.lives.ttl ?? Number.POSITIVE_INFINITY
    const { encoded, freshFor, cost, version, tags } = held
    return freshFor <= most ? held : { encoded, freshFor: most, cost, version, tags }
  }

  #noteOf(entry: TierValue, life: number, { known }: Attempt<K, V>): Note | undefined {
    const early = earlyWindow(this.#inside.policy, entry.freshFor, life, entry.cost)
    const { tags, version, cost } = entry
    const { epoch, cover } = known
    return noteOf({ tags, cover, version, early, cost, epoch })
  }

  #landNothing(attempt: Attempt<K, V>, value: Nothing): void {
    const { lease, load, known } = attempt
    const { at, policy } = this.#inside
    if (this.#inside.isClosed()) return
    const kind = value === undefined ? State.UNDEFINED : State.NULL
    if (load.keep && policy.negativeTtl !== undefined) {
      const note = noteOf({ tags: load.tags, version: load.version, ...known })
      binding.land(at, lease, undefined, policy.negativeTtl, note, kind)
    } else {
      binding.give(at, lease, undefined, kind)
    }
  }

  #failed(attempt: Attempt<K, V>, error: unknown): void {
    const { flight, lease, known } = attempt
    const { at, policy, timers } = this.#inside
    this.#counts.loadsFailed++
    // Another attempt is under way, here or elsewhere: who waits gets what that brings.
    if (flight.load !== attempt.load || !flight.leads) return
    if (flight.stale !== undefined) {
      this.backOff.failed(flight.key, timers.now() + policy.retryAfter)
    }
    const outcome = this.#fallBack(flight, { error })
    if (policy.leaderError === 'next' && 'error' in outcome && !this.#inside.isClosed()) {
      this.#passOn(attempt, outcome)
      return
    }
    if (!this.#inside.isClosed()) {
      const text = toText(error)
      // What is stale is worth more than the memory of a failure.
      const forget = policy.errorTtl === undefined || flight.stale !== undefined
      if (forget) {
        binding.fail(at, lease, text)
      } else {
        // Of the options, which are checked: what the loader set may be what failed.
        const note = noteOf({ tags: attempt.options?.tags, ...known })
        binding.land(at, lease, text, policy.errorTtl, note, State.ERROR)
      }
    }
    this.#end(flight, outcome)
  }

  /** Who asked first gets the error, and the next one tries. */
  #passOn({ flight, loader, options }: Attempt<K, V>, outcome: Outcome<V>): void {
    const { at } = this.#inside
    if (flight.settleFirst(outcome)) {
      this.lead(flight, loader, options)
    } else {
      if (binding.handOver(at, flight.number)) {
        flight.leads = false
        binding.leave(at, flight.number)
      }
      this.#end(flight, outcome)
    }
  }

  #end(flight: Flight<K, V>, outcome: Outcome<V>): void {
    // It was handed over, and this attempt was faster after all.
    if (!flight.settled && !flight.leads && !this.#inside.isClosed()) {
      binding.leave(this.#inside.at, flight.number)
    }
    this.#ended(flight)
    flight.settle(outcome)
  }
}
