// What the place of one worker can be in, and what moves it: everything that happens to a thread.

/** The states of a seat. */
export type SeatState = 'starting' | 'up' | 'down' | 'ending' | 'ended'

/** What happens to it. */
export type SeatEvent = 'ready' | 'exit' | 'again' | 'end'

/**
 * - `starting`: its thread loads the module. Tasks wait.
 * - `up`: tasks are done.
 * - `down`: its thread is gone. Tasks wait until the pause is over.
 * - `ending`: its thread was told to end, or is ended.
 * - `ended`: there is no thread, and there will be none.
 */
const NEXT: Readonly<Record<SeatState, Partial<Record<SeatEvent, SeatState>>>> = {
  starting: { ready: 'up', exit: 'down', end: 'ending' },
  up: { exit: 'down', end: 'ending' },
  down: { again: 'starting', end: 'ended' },
  ending: { exit: 'ended' },
  ended: {},
}

/** The state after an event; `undefined`: the event means nothing in this state. */
export function after(state: SeatState, event: SeatEvent): SeatState | undefined {
  return NEXT[state][event]
}
