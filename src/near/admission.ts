// Which keys are worth a copy in a near cache: those that were missed several times lately. A count
// for each hash, halved now and then, as TinyLFU's (Einziger et al., 2017).

/** Counts go no further. */
const MOST = 255

/** Counts, and misses until they are halved, for each copy there may be. */
const COUNTS_A_COPY = 16
const MOST_COUNTS = 2 ** 24
const MISSES_A_COPY = 8

/** The misses of a near cache. Keys of the same hash are taken for one. */
export class Admission {
  readonly #counts: Uint8Array
  readonly #period: number
  #misses = 0

  /** @param copies - the most copies. */
  constructor(copies: number) {
    const counts = Math.min(copies * COUNTS_A_COPY, MOST_COUNTS)
    this.#counts = new Uint8Array(2 ** Math.ceil(Math.log2(counts)))
    this.#period = copies * MISSES_A_COPY
  }

  /** Counts a miss; how many of this hash there were lately. */
  missed(hash: number): number {
    const at = hash & (this.#counts.length - 1)
    const count = Math.min(this.#counts[at]! + 1, MOST)
    this.#counts[at] = count
    if (++this.#misses === this.#period) this.#age()
    return count
  }

  #age(): void {
    this.#misses = 0
    for (let at = 0; at < this.#counts.length; at++) this.#counts[at]! >>= 1
  }
}
