// Keys on their way from records back into a Map: first their objects are gathered, as finds bring
// them; then the keys move, a few at a time, in the order of their slots.
//
// Not each when it is found: what comes to a Map later is found sooner there, and those found first
// are those found most.
import type { Slots } from '../slots.ts'
import type { Keys } from './keys.ts'
import { MapKeys } from './map.ts'

/** So many finds for each slot gather objects before the first key moves. */
const GATHERED = 8

/** An index in two parts, of which one gets empty. */
export class MovingKeys<K> implements Keys<K> {
  readonly #slots: Slots
  readonly #from: Keys<K>
  /** Where they go. */
  readonly to: MapKeys<K>
  /** The object of a slot's key, if a find has brought it. */
  readonly #objects: (K | undefined)[]
  /** Finds until the first key moves. */
  #wait: number
  /** All slots up to here have moved. */
  #swept = 0

  constructor(slots: Slots, from: Keys<K>) {
    this.#slots = slots
    this.#from = from
    this.#wait = GATHERED * slots.used
    this.to = new MapKeys(slots.capacity)
    this.#objects = new Array(slots.capacity + 1)
  }

  /** So many finds have come: moves the keys of some slots, if it is time. Whether all have moved. */
  sweep(finds: number, count: number): boolean {
    this.#wait -= finds
    if (this.#wait > 0) return false
    const end = Math.min(this.#swept + count, this.#slots.used)
    while (this.#swept < end) {
      const slot = ++this.#swept
      if (this.#from.holds(slot)) this.#move(slot)
    }
    return this.#swept === this.#slots.used
  }

  find(key: K): number {
    const moved = this.to.find(key)
    if (moved !== 0) return moved
    const slot = this.#from.find(key)
    // A number that was packed is not always the very one that is asked for: there is a -0.
    if (slot !== 0 && typeof key === 'string') this.#objects[slot] = key
    return slot
  }

  add(key: K, slot: number): void {
    this.to.add(key, slot)
  }

  remove(slot: number): void {
    this.#of(slot).remove(slot)
    this.#objects[slot] = undefined
  }

  keyOf(slot: number): K {
    return this.#of(slot).keyOf(slot)
  }

  hash(slot: number): number {
    return this.#of(slot).hash(slot)
  }

  holds(slot: number): boolean {
    return this.#from.holds(slot) || this.to.holds(slot)
  }

  clear(): void {
    this.#from.clear()
    this.to.clear()
    this.#objects.length = 0
  }

  /** The part that a slot's key is in. */
  #of(slot: number): Keys<K> {
    return this.#from.holds(slot) ? this.#from : this.to
  }

  #move(slot: number): void {
    const key = this.#objects[slot] ?? this.#from.keyOf(slot)
    this.#from.remove(slot)
    this.to.add(key, slot)
  }
}
