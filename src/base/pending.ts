// What is under way, one a key: who asks for the same meanwhile joins it instead of beginning anew.

/** Holds what is under way by key, until it ends or is forgotten. */
export class Pending<K, T> {
  readonly #all = new Map<K, T>()

  /** How many keys have something under way. */
  get size(): number {
    return this.#all.size
  }

  /** What is under way for a key. */
  of(key: K): T | undefined {
    return this.#all.size === 0 ? undefined : this.#all.get(key)
  }

  /** All that is under way. */
  all(): T[] {
    return [...this.#all.values()]
  }

  /** Something is under way for a key from now on, in place of what was. */
  begin(key: K, what: T): void {
    this.#all.set(key, what)
  }

  /** It has ended; whether it still was what is under way, neither replaced nor forgotten. */
  end(key: K, what: T): boolean {
    return this.#all.get(key) === what && this.#all.delete(key)
  }

  /** Forgets what is under way for a key, and gives it: it goes on for who waits for it. */
  forget(key: K): T | undefined {
    const what = this.of(key)
    if (what !== undefined) this.#all.delete(key)
    return what
  }

  /** Forgets all that is under way, and gives it. */
  clear(): T[] {
    const all = this.all()
    this.#all.clear()
    return all
  }
}
