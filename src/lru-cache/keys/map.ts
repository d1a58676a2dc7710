// Keys of any type in a Map: where small caches find their entries.
import type { Keys } from './keys.ts'
import { hashKey } from './pack.ts'

/** An index of keys as JavaScript values. */
export class MapKeys<K> implements Keys<K> {
  readonly #slots = new Map<K, number>()
  readonly #keys: (K | undefined)[]

  /** @param capacity - how many slots to make room for, if they come in any order. */
  constructor(capacity = 0) {
    this.#keys = new Array(capacity + 1)
  }

  find(key: K): number {
    return this.#slots.get(key) ?? 0
  }

  add(key: K, slot: number): void {
    this.#slots.set(key, slot)
    this.#keys[slot] = key
  }

  remove(slot: number): void {
    this.#slots.delete(this.#keys[slot] as K)
    this.#keys[slot] = undefined
  }

  keyOf(slot: number): K {
    return this.#keys[slot] as K
  }

  hash(slot: number): number {
    return hashKey(this.#keys[slot])
  }

  holds(slot: number): boolean {
    // `undefined` may be a key, too.
    return this.#keys[slot] !== undefined || this.#slots.get(undefined as K) === slot
  }

  clear(): void {
    this.#slots.clear()
    this.#keys.length = 1
  }
}
