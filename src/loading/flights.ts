// The flights of one instance: what is done when one of them moves. See flight-states.ts for the
// states and what moves them.
import { Deadlines } from '../base/deadlines.ts'
import { BreakerOpenError, CacheClosedError, OriginBusyError } from '../base/errors.ts'
import { Few } from '../base/few.ts'
import type { CacheKey } from '../base/types.ts'
import { ALONE, ALONE_HERE, type Fly, GONE, LEAD, LOST, OVERTAKEN } from '../native/mail.ts'
import { binding, flyers } from '../native/native.ts'
import type { AttemptEnds } from './attempts.ts'
import type { LoadStats } from './counts.ts'
import { type Asker, Caller, Flight, type Outcome } from './flight.ts'
import { type FlightEffect, type FlightEvent, moveOf } from './flight-states.ts'
import type { LoadingHost } from './host.ts'
import { outcomeOf } from './outcome.ts'
import type { RecentFailures } from './recent-failures.ts'

/** Which values make a load needless, for `join`. */
export const UNLESS_FRESH = 0
export const UNLESS_EARLY = 1
export const ALWAYS = 2

/** Instances that load or wait: who waits for a promise of theirs may hold nothing else of them. */
const busy = new Few<unknown, unknown>()

/** What the flights of an instance need of it. */
export interface FlightsHost<K extends CacheKey, V> {
  /** Calls the loader of an asker. */
  load(flight: Flight<K, V>, asker: Asker<K, V>): void
  /** Asks for a key once more. */
  fetch(key: K, asker: Asker<K, V>): V | undefined | Promise<V | undefined>
}

/** The flights of one instance. */
export class Flights<K extends CacheKey, V> implements AttemptEnds<K, V> {
  readonly #host: LoadingHost<K, V>
  readonly #loads: FlightsHost<K, V>
  readonly #counts: LoadStats
  readonly #failures: RecentFailures<K>
  /** Those of `lockTimeout`. */
  readonly #deadlines: Deadlines
  /** Those that wait, lead or are overdue, by their numbers. */
  readonly #flights = new Few<number, Flight<K, V>>()
  /** Held here, since the list of those who get mail does not keep it alive. */
  readonly #fly: Fly

  constructor(
    host: LoadingHost<K, V>,
    loads: FlightsHost<K, V>,
    counts: LoadStats,
    failures: RecentFailures<K>,
  ) {
    this.#host = host
    this.#loads = loads
    this.#counts = counts
    this.#failures = failures
    this.#deadlines = new Deadlines(host.timers, host.policy.lockTimeout)
    this.#fly = (number, kind, value) => this.#hear(number, kind, value)
    flyers.set(host.at, new WeakRef(this.#fly))
  }

  /** The flight of a number that `join` gave; a new one if this instance is new to it. */
  of(key: K, number: number, stale: [V] | undefined): Flight<K, V> {
    const flight = this.#flights.get(number) ?? this.#begin(key, number)
    flight.stale ??= stale
    return flight
  }

  /** Whether this instance takes part in a flight. */
  has(number: number): boolean {
    return this.#flights.has(number)
  }

  /** Another instance leads a flight. */
  wait(flight: Flight<K, V>): void {
    if (flight.deadline === undefined) this.#watch(flight)
  }

  /** This instance has the lease of a flight. */
  appoint(flight: Flight<K, V>, lease: number): void {
    flight.lease = lease
    this.#fire(flight, 'appointed')
  }

  /** A caller no longer waits. */
  left(flight: Flight<K, V>): void {
    if (flight.isWanted || flight.kept) return
    // Somebody may wait in another isolate.
    if (this.#takesPart(flight) && !binding.leave(this.#host.at, flight.number)) return
    this.#fire(flight, 'left')
  }

  /** See {@link AttemptEnds}. */
  brought(flight: Flight<K, V>, outcome: Outcome<V>): void {
    flight.load = undefined
    this.#fire(flight, 'brought', outcome)
  }

  /** See {@link AttemptEnds}. */
  unable(flight: Flight<K, V>, land: () => void): void {
    flight.load = undefined
    if (flight.follows) {
      this.#fire(flight, 'beside')
    } else if (this.#host.isClosed()) {
      flight.settleUnable({ value: undefined })
      this.#fire(flight, 'brought', { error: new CacheClosedError() })
    } else {
      const { at } = this.#host
      const { isAble, number, lease } = flight
      // Who waits elsewhere may be able to. What nobody waits for may be remembered.
      const became = isAble ? binding.handOver(at, number, lease) : binding.overdue(at, number)
      if (became !== LOST) flight.settleUnable({ value: undefined })
      if (became === ALONE_HERE && !isAble) land()
      this.#gaveUp(flight, became, { value: undefined })
    }
  }

  /** See {@link AttemptEnds}. */
  failed(flight: Flight<K, V>, error: unknown, land: () => boolean): void {
    const { policy, timers } = this.#host
    flight.load = undefined
    if (flight.follows) {
      this.#fire(flight, 'beside')
      return
    }
    if (flight.stale !== undefined) {
      this.#failures.add(flight.key, timers.now() + policy.retryAfter)
    }
    if (policy.leaderError === 'next' && flight.stale === undefined && !this.#host.isClosed()) {
      const became = binding.handOver(this.#host.at, flight.number, flight.lease)
      // It is the answer of one, unless the others are being answered already.
      if (became !== LOST) flight.settleFirst({ error })
      this.#gaveUp(flight, became, { error })
    } else {
      this.#fire(flight, land() ? 'brought' : 'overtaken', { error })
    }
  }

  /** Nothing more is loaded; who waits for others is told so. */
  close(): void {
    flyers.delete(this.#host.at)
    for (const flight of this.#flights.all()) this.#fire(flight, 'closed')
    busy.delete(this)
  }

  /** The load has no answer for those who wait, and has given its lease up. */
  #gaveUp(flight: Flight<K, V>, became: number, outcome: Outcome<V>): void {
    if (became !== ALONE_HERE) this.#fire(flight, 'overtaken')
    else this.#fire(flight, flight.isWanted ? 'unable' : 'brought', outcome)
  }

  /** Whether the native side knows its number as one that this flight has a part in. */
  #takesPart(flight: Flight<K, V>): boolean {
    return this.#flights.get(flight.number) === flight
  }

  #begin(key: K, number: number): Flight<K, V> {
    const flight = new Flight<K, V>(key, number)
    this.#flights.set(number, flight)
    busy.set(this, this)
    return flight
  }

  /** Moves a flight as the table says. */
  #fire(flight: Flight<K, V>, event: FlightEvent, outcome?: Outcome<V>): void {
    const move = moveOf(flight.state, event)
    if (move === undefined) return
    flight.state = move.to
    if (move.to === 'late' || move.to === 'ended') this.#forget(flight)
    this.#do(move.effect, flight, outcome)
  }

  #do(effect: FlightEffect, flight: Flight<K, V>, outcome: Outcome<V> | undefined): void {
    switch (effect) {
      case 'load':
        this.#load(flight)
        break
      case 'answer':
        this.#answer(flight, outcome!)
        break
      case 'refuse':
        flight.settle({ error: new CacheClosedError() })
        break
      case 'follow':
        this.#follow(flight)
        break
      case 'askAgain':
        this.#askAgain(flight)
        break
      case 'waitOn':
        this.#watch(flight)
        break
      case 'abort':
        this.#abort(flight)
        break
      case 'none':
    }
  }

  /** Out of what is found by number, and out of time. */
  #forget(flight: Flight<K, V>): void {
    flight.deadline?.cancel()
    if (this.#takesPart(flight)) this.#flights.delete(flight.number)
    if (this.#flights.size === 0) busy.delete(this)
  }

  #load(flight: Flight<K, V>): void {
    const asker = flight.nextAsker
    // It has as much time as who led before.
    this.#watch(flight)
    if (asker !== undefined) {
      asker.context.runInAsyncScope(this.#loads.load, undefined, flight, asker)
    }
  }

  #answer(flight: Flight<K, V>, outcome: Outcome<V>): void {
    const { followed } = flight
    // What its own load brought nobody stores: the other one goes on for the cache.
    if ('value' in outcome && followed?.state === 'leads') followed.kept = true
    this.#abort(flight)
    flight.settle(this.#orStale(flight, outcome))
  }

  /** Its own load, if it goes on, has nobody to answer any more. */
  #abort(flight: Flight<K, V>): void {
    const { load } = flight
    flight.load = undefined
    load?.abort()
  }

  /** What a caller gets: a stale value rather than an error, where that is allowed. */
  #orStale(flight: Flight<K, V>, outcome: Outcome<V>): Outcome<V> {
    if (!('error' in outcome) || flight.stale === undefined) return outcome
    const { stale } = this.#host.events
    if (flight.isWanted) this.#counts.stale++
    if (stale.isHeard && flight.isWanted) {
      const { error } = outcome
      const refused = error instanceof OriginBusyError || error instanceof BreakerOpenError
      stale.emit({ key: flight.key, age: undefined, reason: refused ? 'busy' : 'error' })
    }
    return { value: flight.stale[0] }
  }

  /** Another instance leads a flight of this number. */
  #follow(flight: Flight<K, V>): void {
    if (!flight.isWanted) {
      binding.leave(this.#host.at, flight.number)
      // What it brings would be of no use: nobody stores it.
      this.#fire(flight, 'left')
      return
    }
    const other = this.of(flight.key, flight.number, flight.stale)
    this.#listen(flight, other)
    this.wait(other)
  }

  /** Who waits for a flight waits for another one as well. */
  #listen(flight: Flight<K, V>, other: Flight<K, V>): void {
    flight.follows = true
    flight.followed = other
    // Whoever has not tried yet comes first.
    const tried = ({ asker }: Caller<K, V>) => (asker === flight.loadsFor ? 1 : 0)
    const callers = [...flight.callers].sort((a, b) => tried(a) - tried(b))
    for (const caller of callers) {
      const follower = new Caller(caller.asker, outcome => {
        flight.settleOne(caller, outcome)
        if (!flight.isWanted) this.#fire(flight, 'told', outcome)
      })
      follower.count = caller.count
      caller.atEnd(() => {
        other.drop(follower)
        this.left(other)
      })
      other.add(follower)
    }
  }

  /** The key is asked for once more; who waits for a flight waits for that as well. */
  #askAgain(flight: Flight<K, V>): void {
    const { at } = this.#host
    const { key, stale } = flight
    const asker = flight.nextAsker
    if (!flight.isWanted || asker === undefined) return
    // Its lease, if it has one still, is of no use any more.
    binding.leave(at, flight.number)
    const { fresh, tags } = asker.options ?? {}
    const number = binding.join(at, key, fresh === true ? ALWAYS : UNLESS_FRESH, tags)
    if (number === 0) {
      // There is a value.
      flight.follows = true
      const found = new Promise<V | undefined>(resolve => resolve(this.#loads.fetch(key, asker)))
      found.then(
        value => this.#fire(flight, 'told', { value }),
        error => this.#fire(flight, 'told', { error }),
      )
      return
    }
    const other = this.of(key, Math.abs(number), stale)
    this.#listen(flight, other)
    if (number > 0) this.appoint(other, number)
    else this.wait(other)
  }

  /** Has somebody else try if the load takes too long. */
  #watch(flight: Flight<K, V>): void {
    flight.deadline?.cancel()
    flight.deadline = this.#deadlines.after(() => this.#overdue(flight), flight.lockAwaited)
  }

  #overdue(flight: Flight<K, V>): void {
    const { at, isClosed } = this.#host
    if (isClosed()) return
    if (flight.state === 'waits' && !flight.isWanted) {
      // It waits for the cache only, and whoever leads loads for that.
      this.#fire(flight, 'impatient')
      return
    }
    // If it is this instance's turn mail says so.
    const became = binding.overdue(at, flight.number)
    if (flight.state === 'waits') this.#fire(flight, 'impatient')
    else if (became !== ALONE_HERE) this.#fire(flight, 'overtaken')
    else this.#fire(flight, flight.isShared ? 'overdueShared' : 'overdueAlone')
  }

  /** News from the native side. */
  #hear(number: number, kind: number, value: unknown): void {
    const flight = this.#flights.get(number)
    if (kind === LEAD) {
      this.#appointed(flight, number, value as number)
    } else if (flight === undefined) {
      // Whoever wanted it has left.
    } else if (kind === OVERTAKEN) {
      this.#fire(flight, 'overtaken')
    } else if (kind === ALONE) {
      this.left(flight)
    } else if (kind === GONE) {
      this.#fire(flight, 'gone')
    } else {
      this.#fire(flight, 'told', outcomeOf(this.#host.values, kind, value))
    }
  }

  #appointed(flight: Flight<K, V> | undefined, number: number, lease: number): void {
    // It may have led, lost its lease and got it back before it heard of either.
    if (flight?.state === 'leads') this.#fire(flight, 'overtaken')
    const heir = this.#flights.get(number)
    // It began before a write, and another flight began after that: who waits here waits for that one.
    if (heir !== undefined && binding.mayStore(this.#host.at, lease)) this.appoint(heir, lease)
    else this.#decline(number, lease, heir)
  }

  /** Nobody here wants to lead the flight: others are to. */
  #decline(number: number, lease: number, heir: Flight<K, V> | undefined): void {
    const { at } = this.#host
    if (binding.handOver(at, number, lease) !== ALONE_HERE) binding.leave(at, number)
    if (heir !== undefined) this.#fire(heir, 'gone')
  }
}
