// Fetching: what a cache does for a key that no copy answers. One load of a key at a time in the
// whole process, whoever asks.
import { CacheClosedError, NoLoaderError } from '../base/errors.ts'
import type { CacheKey } from '../base/types.ts'
import { milliseconds } from '../base/units.ts'
import { Origin } from '../guard/origin.ts'
import { ALONE, type Fly, GONE, LEAD, OVERTAKEN } from '../native/mail.ts'
import { binding, flyers, type Stored } from '../native/native.ts'
import { COST, LEFT, STATE, State } from '../native/port.ts'
import type { Second } from '../tier/second.ts'
import type { BackOff } from './backoff.ts'
import { Batcher, type BatchLoader } from './batch.ts'
import { type LoadStats, noLoads } from './counts.ts'
import { fromText } from './failure.ts'
import { Flight, type Waiting } from './flight.ts'
import { checkTags } from './freshness.ts'
import type { Inside } from './inside.ts'
import { Leading } from './leading.ts'
import type { Loader } from './load.ts'
import type { FetchOptions, LoadingOptions } from './options.ts'
import { outcomeOf } from './outcome.ts'

// Constants, so that V8 knows what each caller of a key calls.
const { join, leave } = binding

/** Which values make a load needless. */
const UNLESS_FRESH = 0
const UNLESS_EARLY = 1
const ALWAYS = 2

/** Instances that load or wait: who waits for a promise of theirs may hold nothing else of them. */
const busy = new Set<unknown>()

/** The loads of one instance. */
export class Loading<K extends CacheKey, V> {
  /** What it has loaded. */
  readonly counts: LoadStats = noLoads()
  readonly #inside: Inside<K, V>
  readonly #origin: Origin
  readonly #leading: Leading<K, V>
  readonly #options: LoadingOptions<K, V>
  readonly #loader: Loader<K, V> | undefined
  /** What loads where nothing else does: the second tier alone. */
  readonly #tierAlone: Loader<K, V> | undefined
  /** How those wait who say nothing of it. */
  readonly #plain: Waiting | undefined
  /** By what they gather keys for. */
  readonly #batchers = new WeakMap<BatchLoader<K, V>, Loader<K, V>>()
  readonly #backOff: BackOff<K>
  /** By what the native side knows them by. */
  readonly #flights = new Map<number, Flight<K, V>>()
  /** Held here, since the list of those who get mail does not keep it alive. */
  readonly #fly: Fly

  constructor(inside: Inside<K, V>, options: LoadingOptions<K, V>, second: Second | undefined) {
    this.#inside = inside
    this.#options = options
    this.#loader = options.loader ?? (options.batchLoader && this.batched(options.batchLoader))
    this.#tierAlone = second && (() => undefined)
    this.#origin = new Origin(options.origin, inside.timers, state => {
      const { breaker } = inside.events
      if (breaker.isHeard) breaker.emit({ of: 'loader', state })
    })
    const ended = (flight: Flight<K, V>) => this.#ended(flight)
    this.#leading = new Leading(inside, this.#origin, second, this.counts, ended)
    this.#backOff = this.#leading.backOff
    this.#plain = this.#waiting({})
    this.#fly = (number, kind, value) => this.#hear(number, kind, value)
    flyers.set(inside.at, new WeakRef(this.#fly))
  }

  /** The value of a key, now if the cache has it; or when it is loaded. */
  fetch(
    key: K,
    loader: Loader<K, V> | undefined,
    options: FetchOptions<K, V> | undefined,
  ): V | undefined | Promise<V | undefined> {
    if (options?.fresh === true) return this.#load(key, loader, options, ALWAYS, undefined)
    const { port, events } = this.#inside
    const stored = this.#inside.lookup(key)
    const state = port[STATE]
    const topic = state === State.NOTHING || state === State.STALE ? events.miss : events.hit
    if (topic.isHeard) topic.emit({ key })
    switch (state) {
      case State.FRESH:
        return this.#inside.keep(key, stored as Stored)
      case State.EARLY:
        return this.#early(key, stored as Stored, loader, options)
      case State.STALE:
        return this.#stale(key, stored as Stored, loader, options)
      case State.UNDEFINED:
        return undefined
      case State.NULL:
        return null as V
      case State.ERROR:
        return Promise.reject(fromText(stored as string))
      default:
        return this.#load(key, loader, options, UNLESS_FRESH, undefined)
    }
  }

  /** Loads single keys by what loads many. */
  batched(batchLoader: BatchLoader<K, V>): Loader<K, V> {
    const known = this.#batchers.get(batchLoader)
    if (known !== undefined) return known
    const batcher = new Batcher(batchLoader, this.#options.batch, this.#inside.timers)
    const loader: Loader<K, V> = (key, load) => batcher.load(key, load.signal)
    this.#batchers.set(batchLoader, loader)
    return loader
  }

  /** Nothing more is loaded; who waits for others is told so. */
  close(): void {
    flyers.delete(this.#inside.at)
    const error = new CacheClosedError()
    this.#origin.close(error)
    for (const flight of this.#flights.values()) {
      if (!flight.leads) flight.settle({ error })
    }
    this.#flights.clear()
    busy.delete(this)
  }

  #early(
    key: K,
    stored: Stored,
    loader: Loader<K, V> | undefined,
    options: FetchOptions<K, V> | undefined,
  ): V {
    const { port } = this.#inside
    const [left, cost] = [port[LEFT]!, port[COST]!]
    const value = this.#inside.keep(key, stored)
    if (this.#leading.freshness.isDue(left, cost)) {
      this.#refresh(key, value, 'early', loader, options)
    }
    return value
  }

  #stale(
    key: K,
    stored: Stored,
    loader: Loader<K, V> | undefined,
    options: FetchOptions<K, V> | undefined,
  ): V | undefined | Promise<V | undefined> {
    const { policy, port, values, timers } = this.#inside
    const age = port[LEFT]!
    const value = values.read(stored)
    if (age < policy.staleWhileRevalidate) {
      this.#refresh(key, value, 'stale', loader, options)
      this.#tellStale(key, age, 'revalidate')
      return value
    }
    if (age >= policy.staleIfError) return this.#load(key, loader, options, UNLESS_FRESH, undefined)
    if (this.#backOff.holds(key, timers.now())) {
      this.#tellStale(key, age, 'error')
      return value
    }
    return this.#load(key, loader, options, UNLESS_FRESH, [value])
  }

  #tellStale(key: K, age: number | undefined, reason: 'revalidate' | 'error' | 'timeout'): void {
    this.counts.stale++
    const { stale } = this.#inside.events
    if (stale.isHeard) stale.emit({ key, age, reason })
  }

  /** Loads a value anew in the background, unless somebody does so already. */
  #refresh(
    key: K,
    value: V,
    reason: 'early' | 'stale',
    given: Loader<K, V> | undefined,
    options: FetchOptions<K, V> | undefined,
  ): void {
    const loader = given ?? this.#loader
    const { at, timers } = this.#inside
    if (loader === undefined || this.#backOff.holds(key, timers.now())) return
    if (options?.tags !== undefined) checkTags(options.tags)
    const number = join(at, key, UNLESS_EARLY, options?.tags)
    if (number > 0) {
      const flight = this.#begin(key, number, true, [value])
      flight.kept = true
      this.counts.refreshes++
      const { refresh } = this.#inside.events
      if (refresh.isHeard) refresh.emit({ key, reason })
      this.#bequeath(flight, loader, options)
      this.#leading.lead(flight, loader, options)
    } else if (number < 0 && !this.#flights.has(-number)) {
      leave(at, -number)
    }
  }

  #load(
    key: K,
    given: Loader<K, V> | undefined,
    options: FetchOptions<K, V> | undefined,
    unless: number,
    stale: [V] | undefined,
  ): V | undefined | Promise<V | undefined> {
    const loader = given ?? this.#loader ?? this.#tierAlone
    if (loader === undefined) throw new NoLoaderError()
    const signal = options?.signal
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    if (options?.tags !== undefined) checkTags(options.tags)
    const waiting = options === undefined ? this.#plain : this.#waiting(options)
    const number = join(this.#inside.at, key, unless, options?.tags)
    // Somebody was faster.
    if (number === 0) return this.#inside.copyOf(key) ?? this.fetch(key, given, options)
    const known = number < 0 ? this.#flights.get(-number) : undefined
    const flight = known ?? this.#begin(key, Math.abs(number), number > 0, stale)
    flight.stale ??= stale
    const promise = waiting === undefined ? flight.join() : this.#joinOn(flight, waiting)
    if (flight.heir === undefined) this.#bequeath(flight, loader, options)
    if (number > 0) {
      this.#leading.lead(flight, loader, options)
    } else {
      this.counts.coalesced++
      const { coalesced } = this.#inside.events
      if (coalesced.isHeard) coalesced.emit({ key })
    }
    return promise
  }

  /** Says how the load is done if it comes to be this isolate's turn. */
  #bequeath(
    flight: Flight<K, V>,
    loader: Loader<K, V>,
    options: FetchOptions<K, V> | undefined,
  ): void {
    flight.heir = () => this.#leading.lead(flight, loader, options)
  }

  #joinOn(flight: Flight<K, V>, waiting: Waiting): Promise<V | undefined> {
    const left = () => this.#left(flight)
    const late = () => this.#tellStale(flight.key, undefined, 'timeout')
    return flight.joinOn(waiting, this.#inside.timers, left, late)
  }

  /** How a caller waits; `undefined` if it waits without conditions, as most do. */
  #waiting(options: FetchOptions<K, V>): Waiting | undefined {
    const { policy } = this.#inside
    const span = (option: 'softTimeout' | 'timeout') => {
      const given = options[option]
      return given === undefined ? policy[option] : milliseconds(option, given)
    }
    const [softTimeout, timeout, signal] = [span('softTimeout'), span('timeout'), options.signal]
    const plain = signal === undefined && softTimeout === undefined && timeout === undefined
    if (plain && policy.leaderError === 'share') return undefined
    return { signal, softTimeout, timeout }
  }

  #begin(key: K, number: number, leads: boolean, stale: [V] | undefined): Flight<K, V> {
    const flight = new Flight<K, V>(key, number, leads)
    flight.stale = stale
    this.#flights.set(number, flight)
    busy.add(this)
    this.#watch(flight)
    return flight
  }

  #ended(flight: Flight<K, V>): void {
    if (this.#flights.get(flight.number) === flight) this.#flights.delete(flight.number)
    if (this.#flights.size === 0) busy.delete(this)
  }

  #renumber(flight: Flight<K, V>, number: number): void {
    flight.number = number
    this.#flights.set(number, flight)
    busy.add(this)
  }

  /** Has somebody else try if the load takes too long. */
  #watch(flight: Flight<K, V>): void {
    const { policy, timers } = this.#inside
    flight.unlock = timers.after(policy.lockTimeout, () => this.#overdue(flight))
  }

  #overdue(flight: Flight<K, V>): void {
    if (flight.settled || this.#inside.isClosed()) return
    if (binding.handOver(this.#inside.at, flight.number)) {
      // If it is this isolate's turn mail says so.
      flight.leads = false
      this.#watch(flight)
    } else if (!flight.leads) {
      this.#watch(flight)
    } else {
      this.#ended(flight)
      if (flight.isShared) this.#again(flight)
    }
  }

  /** The flight ended and brought nothing: who waits here waits for another one. */
  #again(flight: Flight<K, V>): void {
    const number = join(this.#inside.at, flight.key, UNLESS_FRESH)
    if (number === 0) {
      const found = this.fetch(flight.key, undefined, undefined)
      Promise.resolve(found).then(
        value => flight.settle({ value }),
        error => flight.settle({ error }),
      )
      return
    }
    const other = this.#flights.get(Math.abs(number))
    if (other !== undefined) {
      other.join().then(
        value => flight.settle({ value }),
        error => flight.settle({ error }),
      )
      return
    }
    this.#renumber(flight, Math.abs(number))
    this.#watch(flight)
    flight.leads = number > 0
    if (number > 0) this.#lead(flight, number)
  }

  /** A caller no longer waits. */
  #left(flight: Flight<K, V>): void {
    const { at } = this.#inside
    if (flight.settled || flight.isWanted || flight.kept || this.#inside.isClosed()) return
    if (!flight.leads) {
      leave(at, flight.number)
    } else if (!binding.cancel(at, flight.lease)) {
      // Somebody waits in another isolate.
      return
    }
    this.#ended(flight)
    flight.settled = true
    flight.unlock()
    flight.load?.abort(new DOMException('Nobody waits for this load any more', 'AbortError'))
  }

  /** News from the native side. */
  #hear(number: number, kind: number, value: unknown): void {
    const flight = this.#flights.get(number)
    if (flight === undefined) {
      // Whoever wanted it has left: let others have it.
      if (kind === LEAD) this.#decline(number, value as number)
    } else if (kind === LEAD) {
      this.#lead(flight, value as number)
    } else if (kind === OVERTAKEN) {
      flight.leads = false
    } else if (kind === ALONE) {
      this.#left(flight)
    } else {
      this.#ended(flight)
      if (kind === GONE) this.#again(flight)
      else this.#leading.settle(flight, outcomeOf(this.#inside.values, kind, value))
    }
  }

  /** This isolate leads a load that it waited for. */
  #lead(flight: Flight<K, V>, lease: number): void {
    flight.leads = true
    flight.lease = lease
    // It has as much time as who led before.
    flight.unlock()
    this.#watch(flight)
    flight.heir?.()
  }

  #decline(number: number, lease: number): void {
    const { at } = this.#inside
    if (binding.handOver(at, number)) leave(at, number)
    else binding.cancel(at, lease)
  }
}
