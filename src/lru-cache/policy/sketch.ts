// TinyLFU's sketch: how often a key came in, as a count-min sketch of 4-bit counters that ages
// (Cormode and Muthukrishnan, J. Algorithms 2005; Einziger, Friedman and Manes, ACM TOS 2017).
//
// A key has four counters, in two neighbouring words, one in each half of them: the smallest is the
// estimate. Ageing halves a few words at each addition, so that no addition has to halve them all, and
// soon has halved all of them: two keys of which one was halved and the other not cannot be compared.

/** Counters for each key that is to be told apart. */
const COUNTERS = 8

/** Every counter is halved once in so many additions for each key. */
const MEMORY = 10

/** A sketch for fewer keys would forget a key before it can come back. */
const LEAST_KEYS = 256

/** Words that an addition halves while counters age. */
const HALVED_AT_ONCE = 16

/** The most that a counter counts. */
const MOST = 15

/** All counters of a word, without their highest bits. */
const HALVED = 0x77777777

/** Counters of the two words of a key. */
const COUNTERS_A_PAIR = 16

/** Odd constants without pattern: which counters are a key's depends on all of its hash. */
const MIX = 0x2c1b3c6d
const MIX_AGAIN = 0x297a2d39

export class Sketch {
  readonly #words: Int32Array
  readonly #mask: number
  /** Additions until words are halved, and from when all were until they are again. */
  #left: number
  readonly #period: number
  /** The word that is halved next. */
  #hand = 0

  /** @param keys - how many are to be told apart. */
  constructor(keys: number) {
    const counters = Math.max(keys, LEAST_KEYS) * COUNTERS
    const pairs = 2 ** Math.ceil(Math.log2(counters / COUNTERS_A_PAIR))
    this.#words = new Int32Array(2 * pairs)
    this.#mask = pairs - 1
    this.#period = Math.max(keys, LEAST_KEYS) * MEMORY
    this.#left = this.#period
  }

  /** Counts a key. */
  add(hash: number): void {
    const mixed = mix(hash)
    const at = (mixed & this.#mask) << 1
    const places = Math.imul(mixed, MIX_AGAIN) >>> 24
    this.#raise(at, places & 15)
    this.#raise(at + 1, places >>> 4)
    if (--this.#left === 0) this.#age()
  }

  /** How often a key was counted of late, up to 15: seldom too little, sometimes too much. */
  estimate(hash: number): number {
    const mixed = mix(hash)
    const at = (mixed & this.#mask) << 1
    const places = Math.imul(mixed, MIX_AGAIN) >>> 24
    return Math.min(this.#least(at, places & 15), this.#least(at + 1, places >>> 4))
  }

  /** Raises a counter in each half of a word. */
  #raise(at: number, places: number): void {
    const counters = this.#words[at]!
    const halves = counters & (counters >>> 1)
    const saturated = halves & (halves >>> 2)
    const ones = (1 << lower(places)) | (1 << upper(places))
    this.#words[at] = counters + (ones & ~saturated)
  }

  /** The smaller of the counters in each half of a word. */
  #least(at: number, places: number): number {
    const counters = this.#words[at]!
    return Math.min((counters >>> lower(places)) & MOST, (counters >>> upper(places)) & MOST)
  }

  #age(): void {
    const end = Math.min(this.#hand + HALVED_AT_ONCE, this.#words.length)
    for (; this.#hand < end; this.#hand++) {
      this.#words[this.#hand] = (this.#words[this.#hand]! >>> 1) & HALVED
    }
    this.#left = 1
    if (end < this.#words.length) return
    this.#hand = 0
    this.#left = this.#period
  }
}

function mix(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 15), MIX)
  return mixed ^ (mixed >>> 12)
}

/** Where the counter of the lower half of a word begins, by the lower two of four bits. */
function lower(places: number): number {
  return (places & 3) << 2
}

/** Where that of the upper half begins, by the upper two. */
function upper(places: number): number {
  return 16 + (places & 12)
}
