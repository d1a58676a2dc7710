// A map that mostly holds one thing or none. V8 makes a Map of its own kind larger and smaller as things
// come and go: by each few of them, if there is one at a time. So the first has a place of its own.

/** Holds things by key; quick where there is rarely more than one. */
export class Few<K, V> {
  #key: K | undefined
  #value: V | undefined
  #hasOne = false
  readonly #others = new Map<K, V>()

  /** How many there are. */
  get size(): number {
    return this.#others.size + (this.#hasOne ? 1 : 0)
  }

  /** What a key has. */
  get(key: K): V | undefined {
    if (this.#hasOne && this.#key === key) return this.#value
    return this.#others.size === 0 ? undefined : this.#others.get(key)
  }

  /** Whether a key has anything. */
  has(key: K): boolean {
    return (this.#hasOne && this.#key === key) || this.#others.has(key)
  }

  /** Gives a key something, in place of what it had. */
  set(key: K, value: V): void {
    const isFirst = this.#hasOne ? this.#key === key : !this.#others.has(key)
    if (!isFirst) {
      this.#others.set(key, value)
      return
    }
    this.#key = key
    this.#value = value
    this.#hasOne = true
  }

  /** Takes from a key what it has; whether it had anything. */
  delete(key: K): boolean {
    if (!this.#hasOne || this.#key !== key) return this.#others.delete(key)
    this.#key = undefined
    this.#value = undefined
    this.#hasOne = false
    return true
  }

  /** All that there is, in no order. */
  all(): V[] {
    const all = [...this.#others.values()]
    if (this.#hasOne) all.unshift(this.#value as V)
    return all
  }
}
