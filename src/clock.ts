// Time that a test moves.
import binding from '#binding'
import { InvalidOptionError } from './errors.ts'
import type { Duration } from './types.ts'
import { milliseconds } from './units.ts'

/**
 * Time that stands still until a test moves it.
 *
 * @example
 * ```ts
 * import { Cache } from 'breakwater'
 * import { ManualClock } from 'breakwater/testing'
 *
 * const clock = new ManualClock()
 * const cache = new Cache({ max: 10, ttl: '5m', clock })
 * cache.set('key', 'value')
 * clock.advance('5m')
 * assert.equal(cache.get('key'), undefined)
 * ```
 */
export class ManualClock {
  /** @internal */
  readonly handle: object = binding.createClock()

  /** Milliseconds since the clock was made. */
  get now(): number {
    return binding.readClock(this.handle)
  }

  /**
   * Moves time on. What expires by that is collected at once, at deadlines that are rounded up to
   * 8 ms; reads see it expired to the millisecond.
   */
  advance(duration: Duration): void {
    const ms = milliseconds('duration', duration)
    if (!Number.isSafeInteger(ms)) {
      throw new InvalidOptionError('duration', duration, 'a whole number of milliseconds')
    }
    binding.advanceClock(this.handle, ms)
  }
}
