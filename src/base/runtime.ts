// The runtime's clocks, timers and queues, taken once, when this package is imported. A test that
// replaces the globals afterwards (Jest, Vitest, sinon) neither stops nor hastens a cache. All other
// files take them from here; see docs/fake-timers.md for time that a test moves.

/** Milliseconds from some moment on; never back. */
export const now: () => number = performance.now.bind(performance)

/** As {@link now}, from a moment on that is the same in all processes of the machine. */
export const machineNow = (): number => Number(process.hrtime.bigint() / 1_000_000n)

/** When {@link now} was zero, in milliseconds since 1970. */
export const { timeOrigin } = performance

/** Milliseconds since 1970, by the wall clock. */
export const dateNow: () => number = Date.now.bind(Date)

/** The milliseconds since 1970 of a moment that is told in words. */
export const dateParse: (text: string) => number = Date.parse.bind(Date)

const { Date: WallDate } = globalThis

/** The day of a moment in milliseconds since 1970, as `2030-01-31`. */
export function dayOf(time: number): string {
  return new WallDate(time).toISOString().slice(0, 10)
}

/** A moment in milliseconds since 1970, as `2030-01-31T23:59:59.000Z`. */
export function momentOf(time: number): string {
  return new WallDate(time).toISOString()
}

/** The time of day of a moment in milliseconds since 1970, by the clock of this place, as `23:59:59`. */
export function timeOfDay(time: number): string {
  return new WallDate(time).toTimeString().slice(0, 8)
}

export const { setTimeout, clearTimeout, setImmediate, queueMicrotask } = globalThis

/** Calls `f` when what runs has ended, before anything that waits. */
export const nextTick: (f: () => void) => void =
  globalThis.process?.nextTick?.bind(process) ?? queueMicrotask
