// Keys on their way from a Map off the V8 heap, a few at a time: to pack all of them at once would
// stop the program for as long as that takes.
import type { Slots } from '../slots.ts'
import type { Keys } from './keys.ts'
import { drawSeed, pack } from './pack.ts'
import { KEY, LARGEST, PackedKeys, SHAPES } from './packed.ts'
import { TwoParts } from './parts.ts'

/** One key of so many is looked at before they are moved, */
const SAMPLE = 17
/** and about so many at most. */
const MOST_SAMPLES = 1024

/** Of these at least so many must be short enough for a record. */
const SHARE = 0.9

/** The keys of so many slots move in so many finds: sooner than a cache can fill. */
const SLICE = 64
const PACE = 8

/**
 * Begins to move the keys of a Map off the V8 heap, if most of them can be packed.
 *
 * @param slots - whose records the keys go to.
 * @param capacity - how many slots to make room for.
 */
export function moveOut<K>(
  from: Keys<K>,
  slots: Slots,
  capacity: number,
): PackingKeys<K> | undefined {
  drawSeed()
  const shift = shapeFor(from, slots.used)
  if (shift === undefined) return undefined
  slots.reshape(shift, capacity)
  return new PackingKeys(slots, from)
}

/** Whether most keys of a Map could be moved. */
export function isMovable<K>(keys: Keys<K>, slots: Slots): boolean {
  return shapeFor(keys, slots.used) !== undefined
}

/** The logarithm of how many words a record needs for most keys: some of them tell. */
function shapeFor<K>(keys: Keys<K>, used: number): number | undefined {
  const lengths = sample(keys, used).map(key => pack(key, LARGEST))
  return SHAPES.find(shift => {
    const fitting = lengths.filter(length => length > 0 && length <= (1 << shift) - KEY)
    return fitting.length >= SHARE * lengths.length
  })
}

function sample<K>(keys: Keys<K>, used: number): K[] {
  const step = Math.max(SAMPLE, Math.ceil(used / MOST_SAMPLES))
  const found: K[] = []
  for (let slot = 1; slot <= used; slot += step) if (keys.holds(slot)) found.push(keys.keyOf(slot))
  return found
}

/** An index whose keys move into records. */
export class PackingKeys<K> extends TwoParts<K, PackedKeys<K>> {
  /** Finds from one slice to the next. */
  readonly pace = PACE

  constructor(slots: Slots, from: Keys<K>) {
    super(slots, from, new PackedKeys(slots))
  }

  /** So many finds have come as are between slices. Whether all keys have moved. */
  sweep(): boolean {
    return this.moveSome(SLICE)
  }

  find(key: K): number {
    // Packs it, wherever it is: it may be added next.
    const slot = this.to.find(key)
    return slot === 0 ? this.from.find(key) : slot
  }

  protected move(slot: number): void {
    const key = this.from.keyOf(slot)
    this.from.remove(slot)
    this.to.put(key, slot)
  }
}
