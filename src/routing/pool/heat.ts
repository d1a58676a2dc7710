// Which keys are hot: a count of the few that come most, which forgets what is long ago.

/** The most keys that are counted. */
const COUNTED = 64
/** After so many tasks all counts are halved. */
const WINDOW = 2_048
/** Of fewer tasks nothing can be said. */
const FEWEST = 128

/**
 * Counts keys as Space-Saving does (Metwally, Agrawal and El Abbadi, 2005): a key that is not among
 * the counted takes the place and the count of the least. A key turns hot at a share of all tasks, and
 * stays so until it has less than half of that.
 */
export class Heat {
  readonly #share: number
  readonly #counts = new Map<string, number>()
  readonly #hot = new Set<string>()
  #total = 0

  /** @param share - above 0 and below 1. */
  constructor(share: number) {
    this.#share = share
  }

  /** Counts a task; whether its key is hot. */
  count(key: string): boolean {
    this.#total++
    const count = (this.#counts.get(key) ?? this.#makeRoom()) + 1
    this.#counts.set(key, count)
    if (this.#total >= FEWEST && count >= this.#share * this.#total) this.#hot.add(key)
    if (this.#total >= WINDOW) this.#forget()
    return this.#hot.size > 0 && this.#hot.has(key)
  }

  /** The hot keys, the hottest first. */
  list(): string[] {
    const countOf = (key: string) => this.#counts.get(key) ?? 0
    return [...this.#hot].sort((a, b) => countOf(b) - countOf(a))
  }

  /** Makes room for a key; the count that it begins with. */
  #makeRoom(): number {
    if (this.#counts.size < COUNTED) return 0
    let [least, count] = ['', Number.POSITIVE_INFINITY]
    for (const [key, each] of this.#counts) if (each < count) [least, count] = [key, each]
    this.#counts.delete(least)
    return count
  }

  #forget(): void {
    this.#total /= 2
    for (const [key, count] of this.#counts) this.#counts.set(key, count / 2)
    for (const key of this.#hot) {
      const count = this.#counts.get(key) ?? 0
      if (count < (this.#share * this.#total) / 2) this.#hot.delete(key)
    }
  }
}
