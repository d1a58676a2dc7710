// Fetching: what a cache does for a key that no near copy answers. One load of a key at a time in the
// whole process, whoever asks.
import { checkSignal } from '../base/checks.ts'
import { presentContext } from '../base/context.ts'
import { CacheClosedError, NoLoaderError } from '../base/errors.ts'
import { fromText } from '../base/failure.ts'
import type { CacheKey } from '../base/types.ts'
import { milliseconds } from '../base/units.ts'
import { type FetchTrace, fetches } from '../events/tracing.ts'
import { Origin } from '../guard/origin.ts'
import { binding, type Stored } from '../native/native.ts'
import { COST, LEFT, STATE, State } from '../native/port.ts'
import type { Second } from '../tier/second.ts'
import { Attempts } from './attempts.ts'
import { Batcher, type BatchLoader } from './batch.ts'
import { type LoadStats, noLoads } from './counts.ts'
import type { Asker, Flight, Waiting } from './flight.ts'
import { ALWAYS, Flights, UNLESS_EARLY, UNLESS_FRESH } from './flights.ts'
import { checkTags } from './freshness.ts'
import { checkGraceOfCall, graceOfCall } from './grace.ts'
import type { LoadingHost } from './host.ts'
import type { Loader, LoadState } from './load.ts'
import type { FetchOptions, LoadingOptions } from './options.ts'
import { RecentFailures } from './recent-failures.ts'

// Constants, so that V8 knows what each caller of a key calls.
const { join, leave } = binding

/** The loads of one instance. */
export class Loading<K extends CacheKey, V> {
  /** What it has loaded. */
  readonly counts: LoadStats = noLoads()
  readonly #host: LoadingHost<K, V>
  readonly #origin: Origin
  readonly #attempts: Attempts<K, V>
  readonly #flights: Flights<K, V>
  readonly #options: LoadingOptions<K, V>
  readonly #loader: Loader<K, V> | undefined
  readonly #hasTier: boolean
  /** How those wait who say nothing of it. */
  readonly #plain: Waiting | undefined
  /** By what they gather keys for. */
  readonly #batchers = new WeakMap<BatchLoader<K, V>, Loader<K, V>>()
  readonly #failures = new RecentFailures<K>()

  constructor(host: LoadingHost<K, V>, options: LoadingOptions<K, V>, second: Second | undefined) {
    this.#host = host
    this.#options = options
    this.#loader = options.loader ?? (options.batchLoader && this.batched(options.batchLoader))
    this.#hasTier = second !== undefined
    this.#origin = new Origin(options.origin, host.timers, state => {
      const { breaker } = host.events
      if (breaker.isHeard) breaker.emit({ of: 'loader', state })
    })
    const loads = {
      load: (flight: Flight<K, V>, asker: Asker<K, V>) => this.#attempts.begin(flight, asker),
      fetch: (key: K, { loader, options }: Asker<K, V>) => this.fetch(key, loader, options),
    }
    const { counts } = this
    this.#flights = new Flights(host, loads, counts, this.#failures)
    this.#attempts = new Attempts(host, this.#origin, second, counts, this.#failures, this.#flights)
    this.#plain = this.#waiting({})
  }

  /** The value of a key, now if the cache has it; or when it is loaded. */
  fetch(
    key: K,
    loader: Loader<K, V> | undefined,
    options: FetchOptions<K, V> | undefined,
  ): V | undefined | Promise<V | undefined> {
    if (options !== undefined) checkGraceOfCall(options, this.#host.grace)
    if (options?.fresh === true) return this.#load(key, loader, options, ALWAYS)
    const { port, events } = this.#host
    const stored = this.#host.find(key)
    const state = port[STATE]
    const topic = state === State.NOTHING || state === State.STALE ? events.miss : events.hit
    if (topic.isHeard) topic.emit({ key })
    switch (state) {
      case State.FRESH:
        return this.#host.take(key, stored as Stored)
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
        return this.#load(key, loader, options, UNLESS_FRESH)
    }
  }

  /** Loads single keys by what loads many. */
  batched(batchLoader: BatchLoader<K, V>): Loader<K, V> {
    const known = this.#batchers.get(batchLoader)
    if (known !== undefined) return known
    const batcher = new Batcher(batchLoader, this.#options.batch, this.#host.timers)
    const loader: Loader<K, V> = (key, load) =>
      batcher.load(key, load.signal, (load as LoadState<V>).awaited)
    this.#batchers.set(batchLoader, loader)
    return loader
  }

  /**
   * The value of a key that the cache or its second tier has, or that somebody loads meanwhile: nobody
   * loads it for this caller.
   */
  fromTier(key: K): V | undefined | Promise<V | undefined> {
    const copy = this.#host.nearCopy(key)
    if (copy !== undefined) return copy
    const stored = this.#host.find(key)
    if (this.#host.port[STATE] === State.FRESH) return this.#host.take(key, stored as Stored)
    return this.#join(key, { loader: undefined, options: undefined, onlyLooks: true }, UNLESS_FRESH)
  }

  /** Nothing more is loaded; who waits for others is told so. */
  close(): void {
    this.#origin.close(new CacheClosedError())
    this.#flights.close()
  }

  #early(
    key: K,
    stored: Stored,
    loader: Loader<K, V> | undefined,
    options: FetchOptions<K, V> | undefined,
  ): V {
    const { port } = this.#host
    const [left, cost] = [port[LEFT]!, port[COST]!]
    const value = this.#host.take(key, stored)
    if (this.#attempts.freshness.isDue(left, cost)) {
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
    const { policy, port, values, timers } = this.#host
    const age = port[LEFT]!
    const value = values.read(stored)
    const { staleWhileRevalidate, staleIfError } = graceOfCall(policy, options)
    if (age < staleWhileRevalidate) {
      this.#refresh(key, value, 'stale', loader, options)
      this.#tellStale(key, age, 'revalidate')
      return value
    }
    if (age >= staleIfError) return this.#load(key, loader, options, UNLESS_FRESH)
    if (this.#failures.holds(key, timers.now())) {
      this.#tellStale(key, age, 'error')
      return value
    }
    return this.#load(key, loader, options, UNLESS_FRESH, [value])
  }

  #tellStale(key: K, age: number | undefined, reason: 'revalidate' | 'error' | 'timeout'): void {
    this.counts.stale++
    const { stale } = this.#host.events
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
    const { at, timers } = this.#host
    if (loader === undefined || this.#failures.holds(key, timers.now())) return
    if (options?.tags !== undefined) checkTags(options.tags)
    const number = join(at, key, UNLESS_EARLY, options?.tags)
    if (number > 0) {
      const flight = this.#flights.of(key, number, [value])
      flight.kept = true
      flight.background = { loader, options, onlyLooks: false, context: presentContext() }
      this.counts.refreshes++
      const { refresh } = this.#host.events
      if (refresh.isHeard) refresh.emit({ key, reason })
      this.#flights.appoint(flight, number)
    } else if (number < 0 && !this.#flights.has(-number)) {
      leave(at, -number)
    }
  }

  #load(
    key: K,
    given: Loader<K, V> | undefined,
    options: FetchOptions<K, V> | undefined,
    unless: number,
    stale?: [V],
  ): V | undefined | Promise<V | undefined> {
    const loader = given ?? this.#loader
    if (loader === undefined && !this.#hasTier) throw new NoLoaderError()
    const signal = options?.signal
    checkSignal('signal', signal)
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    if (options?.tags !== undefined) checkTags(options.tags)
    return this.#join(key, { loader, options, onlyLooks: false }, unless, stale)
  }

  /** Waits for the load of a key, or begins it if nobody has. */
  #join(
    key: K,
    asks: Omit<Asker<K, V>, 'context'>,
    unless: number,
    stale?: [V],
  ): V | undefined | Promise<V | undefined> {
    if (!fetches.isHeard) return this.#joinUntraced(key, asks, unless, stale, undefined)
    const { name } = this.#host
    const trace: FetchTrace = { cache: name, key, coalesced: false, load: undefined }
    const join = () => this.#joinUntraced(key, asks, unless, stale, trace)
    return fetches.run(trace, join, value => value)
  }

  #joinUntraced(
    key: K,
    asks: Omit<Asker<K, V>, 'context'>,
    unless: number,
    stale: [V] | undefined,
    trace: FetchTrace | undefined,
  ): V | undefined | Promise<V | undefined> {
    const { loader, options, onlyLooks } = asks
    const waiting = options === undefined ? this.#plain : this.#waiting(options)
    const number = join(this.#host.at, key, unless, options?.tags)
    // Somebody was faster.
    if (number === 0) return this.#host.nearCopy(key) ?? this.fetch(key, loader, options)
    const flight = this.#flights.of(key, Math.abs(number), stale)
    const isPlain = waiting === undefined && loader !== undefined
    const promise =
      (isPlain ? flight.joinCommon() : undefined) ??
      // Of one shape: a spread makes a shape of its own for each.
      this.#wait(flight, { loader, options, onlyLooks, context: presentContext() }, waiting)
    if (number > 0) {
      this.#flights.appoint(flight, number)
    } else {
      this.#flights.wait(flight)
      this.counts.coalesced++
      const { coalesced } = this.#host.events
      if (coalesced.isHeard) coalesced.emit({ key })
    }
    if (trace !== undefined) {
      trace.coalesced = number < 0
      trace.load = flight.trace
    }
    return promise
  }

  #wait(
    flight: Flight<K, V>,
    asker: Asker<K, V>,
    waiting: Waiting | undefined,
  ): Promise<V | undefined> {
    if (waiting === undefined) return flight.join(asker)
    const left = () => this.#flights.left(flight)
    const late = () => this.#tellStale(flight.key, undefined, 'timeout')
    return flight.joinOn(asker, waiting, this.#host.timers, left, late)
  }

  /** How a caller waits; `undefined` if it waits without conditions, as most do. */
  #waiting(options: FetchOptions<K, V>): Waiting | undefined {
    const { policy } = this.#host
    const span = (option: 'softTimeout' | 'timeout') => {
      const given = options[option]
      return given === undefined ? policy[option] : milliseconds(option, given)
    }
    const [softTimeout, timeout, signal] = [span('softTimeout'), span('timeout'), options.signal]
    const plain = signal === undefined && softTimeout === undefined && timeout === undefined
    if (plain && policy.leaderError === 'share') return undefined
    return { signal, softTimeout, timeout }
  }
}
