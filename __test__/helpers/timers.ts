// The timers of a test's clock, which say how many wait.

import { type Timers, timersOf } from '../../src/base/timers.ts'
import type { ManualClock } from '../../src/testing.ts'

/** Timers of a clock, with the number of those that have neither fired nor been taken back. */
export function countedTimers(clock: ManualClock): Timers & { readonly waiting: number } {
  const timers = timersOf(clock)
  const waiting = new Set<object>()
  return {
    get waiting() {
      return waiting.size
    },
    now: timers.now,
    after(ms, f) {
      const timer = {}
      waiting.add(timer)
      const cancel = timers.after(ms, () => {
        waiting.delete(timer)
        f()
      })
      return () => {
        waiting.delete(timer)
        cancel()
      }
    },
  }
}
