// The shadows of a cache at work: which keys they follow, and what each rule has hit.
import { Shadows } from './shadow/shadows.ts'

/**
 * Entries of a shadow at least, where keys are sampled: fewer say little of the whole. A cache of fewer than
 * twice as many entries is followed key by key.
 */
const LEAST_SAMPLED = 256

/** Entries that a cache has at least for a rule to matter. */
const LEAST_WATCHED = 32

/** One key of two to this power is followed at least. */
const MOST_BITS = 6

/** Requests of an interval for each entry of the shadows, and at least. */
const LEAST_INTERVAL = 250

export class Observer {
  readonly #shadows: Shadows
  readonly #mask: number
  readonly #interval: number
  /** Requests left of the interval. */
  #left: number
  /** What each had missed when the interval began. */
  #before: number[]

  private constructor(capacity: number, mask: number) {
    this.#shadows = new Shadows(capacity)
    this.#mask = mask
    this.#interval = Math.max(capacity, LEAST_INTERVAL)
    this.#left = this.#interval
    this.#before = this.#shadows.misses()
  }

  /** For a cache of so many entries; `undefined` if there is nothing to learn. */
  static of(entries: number): Observer | undefined {
    if (entries < LEAST_WATCHED) return undefined
    let bits = 0
    while (bits < MOST_BITS && entries >> (bits + 1) >= LEAST_SAMPLED) bits++
    return new Observer(entries >> bits, 2 ** bits - 1)
  }

  /** One key of so many is followed. */
  get sampled(): number {
    return this.#mask + 1
  }

  /** Whether a key is followed, by its hash; 0 never is. */
  follows(hash: number): boolean {
    return hash !== 0 && ((hash >>> 20) & this.#mask) === 0
  }

  /** Asks the shadows for a key; whether the interval is over. */
  request(hash: number): boolean {
    this.#shadows.request(hash)
    return --this.#left === 0
  }

  /** What each rule has hit of what was asked for in the interval, 0 to 1; the next one begins. */
  close(): number[] {
    const misses = this.#shadows.misses()
    const ratios = misses.map((count, i) => 1 - (count - this.#before[i]!) / this.#interval)
    this.#before = misses
    this.#left = this.#interval
    return ratios
  }
}
