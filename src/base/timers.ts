// When things are to happen: by the system's timers, or by a clock that a test moves. What a timer of the
// system calls runs in the context of nobody, and holds nothing of the request that set it.

import type { Awaited } from './awaited.ts'
import type { Cancel, ManualClock } from './clock.ts'
import { neutrally } from './context.ts'
import { LONGEST_TIMER } from './longest-timer.ts'
import { clearTimeout, now, setTimeout } from './runtime.ts'

export type { Cancel }

/** Where waiting is done. */
export interface Timers {
  /** Milliseconds from some moment on; never back. */
  now(): number
  /**
   * Calls `f` once after `ms`.
   *
   * @param keeps - whether the process stays alive for it: as long as somebody waits for it, if it is
   * told who may.
   */
  after(ms: number, f: () => void, keeps?: boolean | Awaited): Cancel
  /** Whether taking a timer back costs more than letting it fire for nothing. */
  readonly linger?: boolean
}

const system: Timers = {
  now,
  linger: true,
  after(ms, f, keeps = false) {
    if (ms === Number.POSITIVE_INFINITY) return () => {}
    if (ms > LONGEST_TIMER) return inTurns(ms, f, keeps)
    if (typeof keeps === 'object') return afterFor(keeps, ms, f)
    const timer = neutrally(() => setTimeout(f, Math.ceil(ms)))
    if (!keeps) timer.unref()
    return () => clearTimeout(timer)
  },
}

/** Waits for longer than one timer can. */
function inTurns(ms: number, f: () => void, keeps: boolean | Awaited): Cancel {
  let cancel = system.after(
    LONGEST_TIMER,
    () => (cancel = system.after(ms - LONGEST_TIMER, f, keeps)),
    keeps,
  )
  return () => cancel()
}

/** Keeps the process while somebody waits. */
function afterFor(awaited: Awaited, ms: number, f: () => void): Cancel {
  const call = () => {
    awaited.letGo(timer)
    f()
  }
  const timer = neutrally(() => setTimeout(call, Math.ceil(ms)))
  awaited.hold(timer)
  return () => {
    awaited.letGo(timer)
    clearTimeout(timer)
  }
}

/** The timers of a cache: those of its clock, if it has one. */
export function timersOf(clock: ManualClock | undefined): Timers {
  if (clock === undefined) return system
  return { now: () => clock.now, after: (ms, f) => clock.after(ms, f) }
}
