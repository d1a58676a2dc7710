// Fetching: what a cache does for a key that no copy answers. One load of a key at a time in the
// whole process, whoever asks.
import type { Stored } from '#binding'
import { CacheClosedError, NoLoaderError } from '../errors.ts'
import { binding, flyers } from '../native.ts'
import { COST, LEFT, STATE, State } from '../port.ts'
import type { CacheKey } from '../types.ts'
import { milliseconds } from '../units.ts'
import type { BackOff } from './backoff.ts'
import { fromText } from './failure.ts'
import { Flight, type Waiting } from './flight.ts'
import type { Inside } from './inside.ts'
import { Leading } from './leading.ts'
import type { Loader } from './load.ts'
import { ALONE, type Fly, GONE, LEAD, OVERTAKEN, outcomeOf } from './mail.ts'
import type { FetchOptions } from './options.ts'

/** Which values make a load needless. */
const UNLESS_FRESH = 0
const UNLESS_EARLY = 1
const ALWAYS = 2

/** The loads of one instance. */
export class Loading<K extends CacheKey, V> {
  readonly #inside: Inside<K, V>
  readonly #leading: Leading<K, V>
  readonly #loader: Loader<K, V> | undefined
  readonly #backOff: BackOff<K>
  /** By what the native side knows them by. */
  readonly #flights = new Map<number, Flight<K, V>>()
  /** Held here, since the list of those who get mail does not keep it alive. */
  readonly #fly: Fly

  constructor(inside: Inside<K, V>, loader: Loader<K, V> | undefined) {
    this.#inside = inside
    this.#loader = loader
    this.#leading = new Leading(inside, flight => this.#ended(flight))
    this.#backOff = this.#leading.backOff
    this.#fly = (token, kind, value) => this.#hear(token, kind, value)
    flyers.set(inside.at, new WeakRef(this.#fly))
  }

  /** The value of a key, now if the cache has it; or when it is loaded. */
  fetch(
    key: K,
    loader: Loader<K, V> | undefined,
    options: FetchOptions<K, V> | undefined,
  ): V | undefined | Promise<V | undefined> {
    if (options?.fresh === true) return this.#load(key, loader, options, ALWAYS, undefined)
    const { port } = this.#inside
    const stored = this.#inside.lookup(key)
    switch (port[STATE]) {
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

  /** Nothing more is loaded; who waits for others is told so. */
  close(): void {
    flyers.delete(this.#inside.at)
    const error = new CacheClosedError()
    for (const flight of this.#flights.values()) {
      if (!flight.leads) flight.settle({ error })
    }
    this.#flights.clear()
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
    if (this.#leading.freshness.isDue(left, cost)) this.#refresh(key, value, loader, options)
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
      this.#refresh(key, value, loader, options)
      return value
    }
    if (age >= policy.staleIfError) return this.#load(key, loader, options, UNLESS_FRESH, undefined)
    if (this.#backOff.holds(key, timers.now())) return value
    return this.#load(key, loader, options, UNLESS_FRESH, [value])
  }

  /** Loads a value anew in the background, unless somebody does so already. */
  #refresh(
    key: K,
    value: V,
    given: Loader<K, V> | undefined,
    options: FetchOptions<K, V> | undefined,
  ): void {
    const loader = given ?? this.#loader
    const { at, timers } = this.#inside
    if (loader === undefined || this.#backOff.holds(key, timers.now())) return
    const token = binding.join(at, key, UNLESS_EARLY, options?.tags)
    if (token > 0) {
      const flight = this.#begin(key, token, true, [value])
      flight.kept = true
      flight.heir = () => this.#leading.lead(flight, loader, options)
      this.#leading.lead(flight, loader, options)
    } else if (token < 0 && !this.#flights.has(-token)) {
      binding.leave(at, -token)
    }
  }

  #load(
    key: K,
    given: Loader<K, V> | undefined,
    options: FetchOptions<K, V> | undefined,
    unless: number,
    stale: [V] | undefined,
  ): V | undefined | Promise<V | undefined> {
    const loader = given ?? this.#loader
    if (loader === undefined) throw new NoLoaderError()
    const signal = options?.signal
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const waiting = this.#waiting(options)
    const token = binding.join(this.#inside.at, key, unless, options?.tags)
    // Somebody was faster.
    if (token === 0) return this.#inside.copyOf(key) ?? this.fetch(key, given, options)
    const known = token < 0 ? this.#flights.get(-token) : undefined
    const flight = known ?? this.#begin(key, Math.abs(token), token > 0, stale)
    flight.stale ??= stale
    const promise =
      waiting === undefined
        ? flight.join()
        : flight.joinOn(waiting, this.#inside.timers, () => this.#left(flight))
    flight.heir ??= () => this.#leading.lead(flight, loader, options)
    if (token > 0) this.#leading.lead(flight, loader, options)
    return promise
  }

  /** How a caller waits; `undefined` if it waits without conditions, as most do. */
  #waiting(options: FetchOptions<K, V> | undefined): Waiting | undefined {
    const { policy } = this.#inside
    const span = (option: 'softTimeout' | 'timeout') => {
      const given = options?.[option]
      return given === undefined ? policy[option] : milliseconds(option, given)
    }
    const [softTimeout, timeout, signal] = [span('softTimeout'), span('timeout'), options?.signal]
    const plain = signal === undefined && softTimeout === undefined && timeout === undefined
    if (plain && policy.leaderError === 'share') return undefined
    return { signal, softTimeout, timeout }
  }

  #begin(key: K, token: number, leads: boolean, stale: [V] | undefined): Flight<K, V> {
    const flight = new Flight<K, V>(key, token, leads)
    flight.stale = stale
    this.#flights.set(token, flight)
    this.#watch(flight)
    return flight
  }

  #ended(flight: Flight<K, V>): void {
    if (this.#flights.get(flight.token) === flight) this.#flights.delete(flight.token)
  }

  #renumber(flight: Flight<K, V>, token: number): void {
    this.#ended(flight)
    flight.token = token
    this.#flights.set(token, flight)
  }

  /** Has somebody else try if the load takes too long. */
  #watch(flight: Flight<K, V>): void {
    const { policy, timers } = this.#inside
    flight.unlock = timers.after(policy.lockTimeout, () => this.#overdue(flight))
  }

  #overdue(flight: Flight<K, V>): void {
    if (flight.settled || this.#inside.isClosed()) return
    // Mail says who leads now.
    if (binding.handOver(this.#inside.at, flight.token) || !flight.leads) {
      this.#watch(flight)
    } else {
      this.#ended(flight)
      if (flight.isShared) this.#again(flight)
    }
  }

  /** The flight ended and brought nothing: who waits here waits for another one. */
  #again(flight: Flight<K, V>): void {
    const token = binding.join(this.#inside.at, flight.key, UNLESS_FRESH)
    if (token === 0) {
      const found = this.fetch(flight.key, undefined, undefined)
      Promise.resolve(found).then(
        value => flight.settle({ value }),
        error => flight.settle({ error }),
      )
      return
    }
    const other = this.#flights.get(Math.abs(token))
    if (other !== undefined) {
      other.join().then(
        value => flight.settle({ value }),
        error => flight.settle({ error }),
      )
      return
    }
    this.#renumber(flight, Math.abs(token))
    this.#watch(flight)
    if (token > 0) this.#inherit(flight)
  }

  /** This isolate leads a load that it waited for. */
  #inherit(flight: Flight<K, V>): void {
    flight.leads = true
    flight.heir?.()
  }

  /** A caller no longer waits. */
  #left(flight: Flight<K, V>): void {
    const { at } = this.#inside
    if (flight.settled || flight.isWanted || flight.kept || this.#inside.isClosed()) return
    if (!flight.leads) {
      binding.leave(at, flight.token)
    } else if (!binding.cancel(at, flight.token)) {
      // Somebody waits in another isolate.
      return
    }
    this.#ended(flight)
    flight.settled = true
    flight.unlock()
    flight.load?.abort(new DOMException('Nobody waits for this load any more', 'AbortError'))
  }

  /** News from the native side. */
  #hear(token: number, kind: number, value: unknown): void {
    const flight = this.#flights.get(token)
    if (flight === undefined) {
      // Whoever wanted it has left: let others have it.
      if (kind === LEAD) this.#decline(value as number)
      return
    }
    if (kind === LEAD) {
      this.#renumber(flight, value as number)
      this.#inherit(flight)
    } else if (kind === OVERTAKEN) {
      flight.leads = false
      this.#renumber(flight, value as number)
    } else if (kind === ALONE) {
      this.#left(flight)
    } else {
      this.#ended(flight)
      if (kind === GONE) this.#again(flight)
      else
        flight.settle(this.#leading.fallBack(flight, outcomeOf(this.#inside.values, kind, value)))
    }
  }

  #decline(token: number): void {
    const { at } = this.#inside
    if (binding.handOver(at, token)) binding.leave(at, token)
  }
}
