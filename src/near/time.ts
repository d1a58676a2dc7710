// The time of a near cache. A look at the clock takes longer than all else that a hit does, so a copy
// whose end is far off is looked at once a beat: see docs/decisions/0009-near-cache.md.
import { now } from '../base/runtime.ts'
import { binding } from '../native/native.ts'

/**
 * Milliseconds to its end from which on a copy is good until the next beat: eight times what lies
 * between beats (crates/node/src/cache/beat.rs), so that one may be late.
 */
const FAR = 2000

/** The cache's clock, as an isolate sees it. */
export class NearTime {
  readonly #at: number
  readonly #isSystem: boolean
  /** What the cache's clock is ahead of this isolate's, at most. */
  #ahead = 0

  /**
   * @param at - the instance's number.
   * @param isSystem - whether the cache's time is the system's.
   */
  constructor(at: number, isSystem: boolean) {
    this.#at = at
    this.#isSystem = isSystem
    if (isSystem) this.#set()
  }

  /** Milliseconds until an entry's end, or a little less; 0 as an end is none. */
  until(end: number): number {
    return end === 0 ? Number.POSITIVE_INFINITY : end - this.#now()
  }

  /** Whether an entry that has so long to live is good until the next beat, which is asked for. */
  isFar(left: number, beat: number): boolean {
    if (left === Number.POSITIVE_INFINITY) return true
    if (left < FAR || !this.#isSystem) return false
    const goesOn = (beat & 1) === 1
    if (!goesOn) binding.beat(this.#at)
    return goesOn
  }

  /** An entry with this end was there just now. */
  sawEnd(end: number): void {
    // A clock that has gone on while the machine slept, unlike the other, is set again.
    if (end !== 0 && this.#isSystem && this.#now() >= end) this.#set()
  }

  #now(): number {
    return this.#isSystem ? now() + this.#ahead : binding.now(this.#at)
  }

  #set(): void {
    // In this order, or the copies would live too long by what the call takes.
    const here = now()
    this.#ahead = binding.now(this.#at) - here
  }
}
