// The states of a flight and what moves it from one to another: one table, for whoever takes part in
// a flight. An instance that takes part sees its own side of it, which this is.
//
// A flight has at most one lease, and what ends a load ends the flight that has its lease. If the
// load of a key goes on elsewhere another flight does that, and the first one waits for its answer
// too, beside its own load.

/**
 * - `waits`: another instance loads.
 * - `leads`: this instance loads, and what it brings is stored.
 * - `overdue`: it has loaded for longer than `lockTimeout`, and nobody else waits. What it brings is
 *   stored, unless somebody has asked for the key since, who leads another flight.
 * - `late`: it has no right to store any more. What it brings answers those who wait for it; so
 *   does the flight that loads in its place.
 * - `ended`: all who waited have their answer, or have left.
 */
export type FlightState = 'waits' | 'leads' | 'overdue' | 'late' | 'ended'

/** Who causes an event. `native`: the engine, for what another instance or a dying thread did. */
export type FlightCause = 'caller' | 'loader' | 'native' | 'timer' | 'close'

/** What can happen to a flight, and who causes it. */
export const events = {
  /** The instance has the lease: it joined first, or who led is too slow, has given up or is dead. */
  appointed: ['caller', 'native'],
  /** Another instance has the lease now; or had it and has told what it loaded, which is on its way. */
  overtaken: ['native', 'timer', 'loader'],
  /** The load brought a value or an error for those who wait. */
  brought: ['loader'],
  /** The load has no answer for all who wait here, and nobody waits elsewhere: one of them can load. */
  unable: ['loader'],
  /** The load has no answer, and another one for the same callers is under way. */
  beside: ['loader'],
  /** The load that this flight waits for came to an answer. */
  told: ['native'],
  /** That load ended and brought nothing. */
  gone: ['native'],
  /** `lockTimeout` is over for whoever leads elsewhere. */
  impatient: ['timer'],
  /** `lockTimeout` is over, and another caller waits here. */
  overdueShared: ['timer'],
  /** `lockTimeout` is over, and nobody waits but who began the load. */
  overdueAlone: ['timer'],
  /** The last caller left, and nobody waits elsewhere. */
  left: ['caller', 'native'],
  /** The cache is closed. */
  closed: ['close'],
} as const satisfies Record<string, readonly FlightCause[]>

/** The name of an event. */
export type FlightEvent = keyof typeof events

/** What is done when a flight moves. */
export type FlightEffect =
  /** Nothing. */
  | 'none'
  /** Calls the loader of a caller who waits. */
  | 'load'
  /** All who wait get the answer; a load of its own that goes on is told to end. */
  | 'answer'
  /** Waits, beside its own load, for the instance that leads now, or leaves if nobody waits here. */
  | 'follow'
  /** Asks for the key once more, and waits for that. */
  | 'askAgain'
  /** Gives who leads as much time again. */
  | 'waitOn'
  /** Tells its loader that nobody waits, and waits for no other flight. */
  | 'abort'
  /** All who wait get `ERR_CACHE_CLOSED`. */
  | 'refuse'

/** Where a flight goes from a state, and what is done. */
export interface FlightMove {
  readonly to: FlightState
  readonly effect: FlightEffect
}

const to = (to: FlightState, effect: FlightEffect): FlightMove => ({ to, effect })

/** The table. What it does not list cannot happen in that state, or comes too late to matter. */
export const moves: Readonly<
  Record<FlightState, Readonly<Partial<Record<FlightEvent, FlightMove>>>>
> = {
  waits: {
    appointed: to('leads', 'load'),
    told: to('ended', 'answer'),
    gone: to('late', 'askAgain'),
    impatient: to('waits', 'waitOn'),
    left: to('ended', 'none'),
    closed: to('ended', 'refuse'),
  },
  leads: {
    brought: to('ended', 'answer'),
    unable: to('late', 'askAgain'),
    told: to('ended', 'answer'),
    overtaken: to('late', 'follow'),
    overdueShared: to('late', 'askAgain'),
    overdueAlone: to('overdue', 'none'),
    left: to('ended', 'abort'),
    closed: to('late', 'none'),
  },
  overdue: {
    brought: to('ended', 'answer'),
    left: to('ended', 'abort'),
    closed: to('late', 'none'),
  },
  late: {
    brought: to('ended', 'answer'),
    beside: to('late', 'none'),
    told: to('ended', 'answer'),
    left: to('ended', 'abort'),
    closed: to('late', 'none'),
  },
  ended: {},
}

/** Where an event moves a flight; `undefined` if it comes too late to matter. */
export function moveOf(state: FlightState, event: FlightEvent): FlightMove | undefined {
  return moves[state][event]
}
