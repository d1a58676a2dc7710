// Where large caches find their entries: by packed keys, or in a Map if callers ask with the same key
// objects again and again.
//
// A packed key is read character by character each time, while a Map finds an object that it has seen
// before by its address. A key that is built anew for each call is found sooner the other way round,
// and packed keys spare the garbage collector. So the cache looks at some of the objects that it is
// asked for, and changes its mind when they do.
//
// It begins with a Map, or to pack its keys if a Map could get too large.
//
// | state   | what comes                                       | next    |
// |---------|--------------------------------------------------|---------|
// | packed  | so many windows of known objects, none of new    | moving  |
// | moving  | the last key has moved                           | map     |
// | map     | so many windows of new objects, none of known    | packing |
// | map     | more entries than a Map should have              | packing |
// | packing | the last key is packed                           | packed  |
import type { Slots } from '../slots.ts'
import type { Keys } from './keys.ts'
import { MapKeys } from './map.ts'
import { MovingKeys } from './moving.ts'
import { type Clock, Newness, type Verdict } from './newness.ts'
import type { PackedKeys } from './packed.ts'
import { moveOut, PackingKeys } from './packing.ts'

/** Where keys can be. */
type State = 'packing' | 'packed' | 'moving' | 'map'

/** A cache with more slots keeps its keys packed: the pauses of a Map would grow with it. */
const MOST = 262_144

/** One that may have more entries begins to pack its keys before it has them. */
export const MAP_FIRST = 131_072

/**
 * While keys are packed, the objects of these slots alone are met, those that are a multiple of this:
 * packing a key does not make its object known.
 */
const SLOTS = 256

/** One find in so many of these is looked at. */
const PACE = 4

/** While they are in a Map, one find in so many is looked at. */
const MAP_PACE = 1024

/** So many windows are needed at first. Each change doubles them, up to the most. */
const FIRST_WINDOWS = 4
const MOST_WINDOWS = 1024

/** A record of two words, for the links. */
const LINKS = 1

/** An index of many keys. */
export class LargeKeys<K> implements Keys<K> {
  readonly #slots: Slots
  readonly #newness: Newness
  /** All of them, wherever they are. */
  #keys: Keys<K>
  /** The same, if it is of this class: each find knows what it calls. */
  #packed: PackedKeys<K> | undefined
  #map: MapKeys<K> | undefined
  /** Finds until the next look. */
  #pause: number
  /** The last slot that was ever taken, when there was a look. */
  #used = 0
  /** Windows that spoke for a change since one spoke against it, and how many it takes. */
  #windows = 0
  #needed = FIRST_WINDOWS

  /** @param keys - on their way into the records of the slots, or in a Map. */
  constructor(keys: PackingKeys<K> | MapKeys<K>, slots: Slots, clock: Clock) {
    this.#keys = keys
    this.#map = keys instanceof MapKeys ? keys : undefined
    this.#pause = keys instanceof MapKeys ? MAP_PACE : keys.pace
    this.#slots = slots
    this.#newness = new Newness(clock)
  }

  /** Where the keys are. */
  get state(): State {
    if (this.#packed !== undefined) return 'packed'
    if (this.#map !== undefined) return 'map'
    return this.#keys instanceof PackingKeys ? 'packing' : 'moving'
  }

  find(key: K): number {
    const map = this.#map
    if (map !== undefined) return --this.#pause === 0 ? this.#findLooking(key, map) : map.find(key)
    const packed = this.#packed
    if (packed === undefined) return this.#findMoving(key)
    const slot = packed.find(key)
    if (slot % SLOTS === 0 && slot !== 0) this.#meet(key)
    return slot
  }

  #findMoving(key: K): number {
    if (--this.#pause === 0) this.#sweep()
    return this.#keys.find(key)
  }

  /** Finds a key in the Map, after a look at it. */
  #findLooking(key: K, map: MapKeys<K>): number {
    this.#pause = MAP_PACE
    // Before it is found, which computes its hash.
    const longer = typeof key === 'string' ? this.#newness.compare(key) : undefined
    const slot = map.find(key)
    const filling = this.#slots.used !== this.#used
    this.#used = this.#slots.used
    const tooMany = this.#used > MOST
    // All objects are new to a cache that fills.
    const counts = longer !== undefined && !(filling && slot === 0)
    const verdict = counts ? this.#newness.count(longer) : undefined
    const isNew = verdict !== undefined && this.#counts(verdict, 'new')
    if (!tooMany && !isNew) return slot
    this.#pack()
    // A key that is added is the one that was looked for last, wherever that was.
    return this.#keys.find(key)
  }

  #meet(key: K): void {
    if (typeof key !== 'string' || this.#slots.used > MOST) return
    if (--this.#pause > 0) {
      this.#newness.meet(key)
      return
    }
    this.#pause = PACE
    const verdict = this.#newness.look(key)
    if (verdict === undefined || !this.#counts(verdict, 'known')) return
    this.#packed = undefined
    const moving = new MovingKeys(this.#slots, this.#keys)
    this.#pause = moving.pace
    this.#keys = moving
  }

  /** Counts a window; whether there were enough for a change. */
  #counts(verdict: Verdict, wanted: Verdict): boolean {
    if (verdict === wanted) this.#windows++
    else if (verdict !== 'unclear') this.#windows = 0
    if (this.#windows < this.#needed) return false
    this.#windows = 0
    this.#needed = Math.min(2 * this.#needed, MOST_WINDOWS)
    return true
  }

  #sweep(): void {
    const keys = this.#keys as PackingKeys<K> | MovingKeys<K>
    this.#pause = keys.pace
    if (!keys.sweep()) return
    this.#keys = keys.to
    if (keys instanceof PackingKeys) {
      this.#packed = keys.to
      this.#pause = PACE
    } else {
      this.#map = keys.to
      this.#pause = MAP_PACE
      this.#slots.reshape(LINKS, this.#slots.capacity)
    }
  }

  #pack(): void {
    const packing = moveOut(this.#keys, this.#slots, this.#slots.capacity)
    if (packing === undefined) return
    this.#map = undefined
    this.#keys = packing
    this.#pause = packing.pace
  }

  add(key: K, slot: number): void {
    this.#keys.add(key, slot)
  }

  remove(slot: number): void {
    this.#keys.remove(slot)
  }

  keyOf(slot: number): K {
    return this.#keys.keyOf(slot)
  }

  hash(slot: number): number {
    return this.#keys.hash(slot)
  }

  holds(slot: number): boolean {
    return this.#keys.holds(slot)
  }

  clear(): void {
    this.#keys.clear()
  }
}
