// Time that a test moves.
import { InvalidOptionError } from './errors.ts'
import type { Duration } from './types.ts'
import { milliseconds } from './units.ts'

/** Marks clocks, whichever copy of this package made them. */
const CLOCK: unique symbol = Symbol.for('breakwater.clock') as never

/** Takes a timer back; nothing happens if it has fired. */
export type Cancel = () => void

/** Something that a time is waited for. */
interface Waiting {
  at: number
  call: () => void
}

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
  /** What waits for a time, the earliest last. */
  readonly #waiting: Waiting[] = []
  /** Clocks that are moved along: those of engines. */
  readonly #followers: ((ms: number) => void)[] = []
  #now = 0

  /** A clock that another copy of this package made is one as well. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && CLOCK in value
  }

  /** @internal */
  get [CLOCK](): true {
    return true
  }

  /** Milliseconds since the clock was made. */
  get now(): number {
    return this.#now
  }

  /**
   * Moves another clock along from now on.
   * @internal
   */
  follow(advance: (ms: number) => void): void {
    this.#followers.push(advance)
  }

  /** @internal */
  after(ms: number, call: () => void): Cancel {
    const waiting: Waiting = { at: this.now + Math.ceil(ms), call }
    const list = this.#waiting
    let place = list.length
    while (place > 0 && list[place - 1]!.at <= waiting.at) place--
    list.splice(place, 0, waiting)
    return () => {
      const place = list.indexOf(waiting)
      if (place >= 0) list.splice(place, 1)
    }
  }

  /**
   * Moves time on. What expires by that is collected at once, at deadlines that are rounded up to
   * 8 ms; reads see it expired to the millisecond. What a cache does after a time (a deadline that
   * fails a load, a delay before the next try) is done before this returns, each at its moment.
   */
  advance(duration: Duration): void {
    const ms = milliseconds('duration', duration)
    if (!Number.isSafeInteger(ms)) {
      throw new InvalidOptionError('duration', duration, 'a whole number of milliseconds')
    }
    const end = this.now + ms
    for (;;) {
      const next = this.#waiting.at(-1)
      if (next === undefined || next.at > end) break
      this.#waiting.pop()
      this.#move(Math.max(0, next.at - this.now))
      next.call()
    }
    this.#move(end - this.now)
  }

  #move(ms: number): void {
    this.#now += ms
    for (const advance of this.#followers) advance(ms)
  }
}
