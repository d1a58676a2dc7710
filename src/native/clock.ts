// The engine's clocks for those that tests move by hand.
import binding from '#binding'
import type { ManualClock } from '../base/clock.ts'

/** One for each clock, made when a cache first needs it. */
const handles = new WeakMap<ManualClock, object>()

/** The engine's clock that moves with this one. */
export function nativeClock(clock: ManualClock): object {
  let handle = handles.get(clock)
  if (handle === undefined) {
    const made = binding.createClock()
    binding.advanceClock(made, clock.now)
    clock.follow(ms => binding.advanceClock(made, ms))
    handles.set(clock, made)
    handle = made
  }
  return handle
}
