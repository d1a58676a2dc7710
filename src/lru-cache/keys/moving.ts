// Keys on their way from records back into a Map: first their objects are gathered, as finds bring
// them; then the keys move, a few at a time, in the order of their slots.
//
// Not each when it is found: what comes to a Map later is found sooner there, and those found first
// are those found most.
import type { Slots } from '../slots.ts'
import type { Keys } from './keys.ts'
import { MapKeys } from './map.ts'
import { TwoParts } from './parts.ts'

/** So many finds for each slot gather objects before the first key moves. */
const GATHERED = 8

/** The keys of so many slots move in so many finds. */
const SLICE = 64
const PACE = 256

/** An index whose keys move into a Map. */
export class MovingKeys<K> extends TwoParts<K, MapKeys<K>> {
  /** Finds from one slice to the next. */
  readonly pace = PACE
  /** The object of a slot's key, if a find has brought it. */
  readonly #objects: (K | undefined)[]
  /** Finds until the first key moves. */
  #wait: number

  constructor(slots: Slots, from: Keys<K>) {
    super(slots, from, new MapKeys(slots.capacity))
    this.#wait = GATHERED * slots.used
    this.#objects = new Array(slots.capacity + 1)
  }

  /** So many finds have come as are between slices. Whether all keys have moved. */
  sweep(): boolean {
    this.#wait -= PACE
    return this.#wait <= 0 && this.moveSome(SLICE)
  }

  find(key: K): number {
    const moved = this.to.find(key)
    if (moved !== 0) return moved
    const slot = this.from.find(key)
    // A number that was packed is not always the very one that is asked for: there is a -0.
    if (slot !== 0 && typeof key === 'string') this.#objects[slot] = key
    return slot
  }

  override remove(slot: number): void {
    super.remove(slot)
    this.#objects[slot] = undefined
  }

  override clear(): void {
    super.clear()
    this.#objects.length = 0
  }

  protected move(slot: number): void {
    const key = this.#objects[slot] ?? this.from.keyOf(slot)
    this.from.remove(slot)
    this.to.add(key, slot)
  }
}
