// What an index of keys does.

/** Finds the slot of a key, and the key of a slot. */
export interface Keys<K> {
  /** The slot of a key, or 0. */
  find(key: K): number
  /** Puts in a key that is not there. */
  add(key: K, slot: number): void
  /** Takes out the key of a slot. */
  remove(slot: number): void
  /** The key of a slot that has one. */
  keyOf(slot: number): K
  /** A hash of the key of a slot; 0 if such keys have none. */
  hash(slot: number): number
  /** Whether a slot has a key. */
  holds(slot: number): boolean
  /** Takes out all keys. */
  clear(): void
}
