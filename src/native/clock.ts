// The engine's clocks for those that tests move by hand.
import type { ManualClock } from '../base/clock.ts'
import { binding } from './native.ts'

/** Leads from a clock to the engine's, whichever copy of this package made it. */
const HANDLE = Symbol.for('breakwater.clock.handle')

/** The engine's clock that moves with this one. */
export function nativeClock(clock: ManualClock): object {
  const known = (clock as { [HANDLE]?: object })[HANDLE]
  if (known !== undefined) return known
  // Made when a cache first needs it.
  const handle = binding.createClock()
  binding.advanceClock(handle, clock.now)
  clock.follow(ms => binding.advanceClock(handle, ms))
  Object.defineProperty(clock, HANDLE, { value: handle })
  return handle
}
