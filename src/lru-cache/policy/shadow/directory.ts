// What shadows know of keys: for each of up to seven caches, four bits of one word.
//
// A line is eight places for keys. A key that finds its line full takes the place of the one that fewest
// caches hold.

/** Places of a line. */
const WAYS = 8
const WAY_BITS = 3

/** Places for each entry of a cache: the caches hold about the same keys, and remember some more. */
const PLACES = 4

/** Bits of a word for each cache. */
const BITS = 4
/** The lowest bit of every cache's four. */
const ONES = 0x01111111

/** Where a cache has a key: of small and main exactly one bit is set. */
export const Queue = { NOWHERE: 0, SMALL: 1, MAIN: 2, GHOST: 3 } as const
export type Queue = (typeof Queue)[keyof typeof Queue]

/**
 * Keys are hashes. Where one is, until another takes its place, is a number: this is what queues hold. One
 * that has outlived its key means the other one then.
 */
export class Directory {
  /** 0 for none. */
  readonly #keys: Int32Array
  readonly #words: Int32Array
  readonly #lines: number

  /** @param capacity - how many entries each cache has. */
  constructor(capacity: number) {
    this.#lines = 2 ** Math.ceil(Math.log2((capacity * PLACES) / WAYS))
    this.#keys = new Int32Array(this.#lines * WAYS)
    this.#words = new Int32Array(this.#lines * WAYS)
  }

  /** Where a key is, or -1. */
  find(key: number): number {
    const first = this.#first(key)
    for (let at = first; at < first + WAYS; at++) if (this.#keys[at] === key) return at
    return -1
  }

  /** The key of a place. */
  key(at: number): number {
    return this.#keys[at]!
  }

  /** Counts a read of the key in each cache that holds it; those that do, as {@link heldIn} has them. */
  read(at: number): number {
    const word = this.#words[at]!
    const held = heldIn(word)
    const saturated = (word >>> 2) & (word >>> 3)
    this.#words[at] = word + ((held & ~saturated) << 2)
    return held
  }

  /** The place with which least is lost, for a key that has none. */
  roomFor(key: number): number {
    const first = this.#first(key)
    let [best, least] = [first, this.#loss(first)]
    for (let at = first + 1; at < first + WAYS && least >= 0; at++) {
      const loss = this.#loss(at)
      if (loss < least) [best, least] = [at, loss]
    }
    return best
  }

  /** Gives a place to a key; the caches that held the one before it, as {@link heldIn} has them. */
  give(at: number, key: number): number {
    const held = heldIn(this.#words[at]!)
    this.#keys[at] = key
    this.#words[at] = 0
    return held
  }

  /** Where a cache has a key. */
  queue(cache: number, at: number): Queue {
    return ((this.#words[at]! >>> (BITS * cache)) & 3) as Queue
  }

  /** How often the key was read there, up to three times. */
  reads(cache: number, at: number): number {
    return (this.#words[at]! >>> (BITS * cache + 2)) & 3
  }

  put(cache: number, at: number, queue: Queue, reads: number): void {
    const shift = BITS * cache
    this.#words[at] = (this.#words[at]! & ~(15 << shift)) | ((queue | (reads << 2)) << shift)
  }

  #first(key: number): number {
    // Fibonacci hashing (Knuth, TAOCP 3, 6.4): which bits of keys are alike does not matter.
    return ((Math.imul(key, 0x9e3779b1) >>> 7) & (this.#lines - 1)) << WAY_BITS
  }

  /** How much is lost with a place: above all the caches that hold its key, then those it is a ghost of. */
  #loss(at: number): number {
    if (this.#keys[at] === 0) return -1
    const word = this.#words[at]!
    return sum(heldIn(word)) * WAYS + sum(word & (word >>> 1) & ONES)
  }
}

/** The caches of a word that hold the key, a bit for each at the lowest of its four. */
export function heldIn(word: number): number {
  return (word ^ (word >>> 1)) & ONES
}

/** The bit of a cache, as {@link heldIn} has it. */
export function bitOf(cache: number): number {
  return 1 << (BITS * cache)
}

/** How many of these bits are set. */
function sum(bits: number): number {
  return Math.imul(bits, 0x11111111) >>> 28
}
