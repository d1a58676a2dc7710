// When a near cache is worth its while: one that finds little only delays every read, and rests.

/** Misses of the near cache, for each copy there may be, after which it is judged. */
const MISSES_A_COPY = 2
const LEAST_MISSES = 1024

/** Reads that it rests, for each of these misses: at first, and at most. */
const SHORTEST_REST = 2
const LONGEST_REST = 32

/**
 * What a hit saves, in what a miss costs: of values that are decoded at each read, and of others. See
 * docs/decisions/0009-near-cache.md.
 */
const SAVED_DECODED = 9
const SAVED_PLAIN = 1 / 9

/** Whether a near cache works or rests. */
export class Rest {
  readonly #period: number
  readonly #shortest: number
  readonly #longest: number
  #misses = 0
  #hits = 0
  /** Values that misses brought, and those of them that had to be decoded. */
  #values = 0
  #decoded = 0
  #next: number
  #left = 0

  /** @param copies - the most copies. */
  constructor(copies: number) {
    this.#period = Math.max(copies * MISSES_A_COPY, LEAST_MISSES)
    this.#shortest = this.#period * SHORTEST_REST
    this.#longest = this.#period * LONGEST_REST
    this.#next = this.#shortest
  }

  /** Whether it rests. */
  get isOn(): boolean {
    return this.#left > 0
  }

  /** A read passed it by while it rested. */
  passed(): void {
    this.#left--
  }

  /** It missed a value, which had to be decoded or not. */
  brought(decoded: boolean): void {
    this.#values++
    if (decoded) this.#decoded++
  }

  /** It missed, and has hit `hits` times in all. */
  missed(hits: number): void {
    if (++this.#misses < this.#period) return
    const found = hits - this.#hits
    if (found / (found + this.#misses) < this.#worth()) {
      this.#left = this.#next
      this.#next = Math.min(2 * this.#next, this.#longest)
    } else {
      this.#next = this.#shortest
    }
    this.#misses = 0
    this.#hits = hits
    this.#values = 0
    this.#decoded = 0
  }

  /** The share of hits from which on the near cache saves more than it costs. */
  #worth(): number {
    const share = this.#decoded / Math.max(this.#values, 1)
    return 1 / (1 + share * SAVED_DECODED + (1 - share) * SAVED_PLAIN)
  }
}
