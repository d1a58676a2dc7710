// Keys whose last load failed: they are left alone for a while.

/** The most keys remembered; a key too many only means one try too many. */
const MOST = 10_000

/** The keys whose loads failed lately, and until when they are left alone. */
export class RecentFailures<K> {
  readonly #until = new Map<K, number>()

  /** A load of the key failed: no other one before `until`. */
  add(key: K, until: number): void {
    this.#until.delete(key)
    this.#until.set(key, until)
    if (this.#until.size > MOST) {
      const [oldest] = this.#until.keys()
      this.#until.delete(oldest as K)
    }
  }

  /** A load of the key succeeded. */
  forget(key: K): void {
    if (this.#until.size > 0) this.#until.delete(key)
  }

  /** Whether the key is to be left alone. */
  holds(key: K, now: number): boolean {
    if (this.#until.size === 0) return false
    const until = this.#until.get(key)
    if (until === undefined) return false
    if (now < until) return true
    this.#until.delete(key)
    return false
  }
}
