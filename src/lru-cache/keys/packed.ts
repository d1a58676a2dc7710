// Strings and numbers off the V8 heap: where large caches find their entries.
import type { Slots } from '../slots.ts'
import type { Keys } from './keys.ts'
import { MapKeys } from './map.ts'
import { drawSeed, hashOf, NUMBER, numberOf, pack, packed, WORDS } from './pack.ts'
import { Table } from './table.ts'

/** The kind of a key that is beside the records: it cannot be packed, */
const BESIDE = -2
/** too many were in its way, */
const SPILLED = -3
/** or it was too long. */
const LONG = -4

/** Where in a record its key begins: what kind of key it is, and then its words. */
const KIND = 2
const KEY = 3

/** The logarithms of how many words a record may have: longer strings are as fast in a Map. */
const SHAPES = [3, 4]
const LARGEST = (1 << SHAPES.at(-1)!) - KEY

/** One key of so many is looked at before they are moved. */
const SAMPLE = 17

/** Of these at least so many must be short enough for a record. */
const SHARE = 0.9

/**
 * Moves the keys of a Map off the V8 heap, if most of them can be packed.
 *
 * @param slots - whose records the keys go to.
 * @param capacity - how many slots to make room for.
 */
export function moveOut<K>(
  from: Keys<K>,
  slots: Slots,
  capacity: number,
): PackedKeys<K> | undefined {
  drawSeed()
  const shift = shapeFor(from, slots.used)
  if (shift === undefined) return undefined
  slots.reshape(shift, capacity)
  const to = new PackedKeys<K>(slots)
  for (let slot = 1; slot <= slots.used; slot++) {
    if (!from.holds(slot)) continue
    const key = from.keyOf(slot)
    pack(key, (1 << shift) - KEY)
    to.add(key, slot)
  }
  return to
}

/** Whether most keys of a Map could be moved. */
export function isMovable<K>(keys: Keys<K>, slots: Slots): boolean {
  return shapeFor(keys, slots.used) !== undefined
}

/** The logarithm of how many words a record needs for most keys: some of them tell. */
function shapeFor<K>(keys: Keys<K>, used: number): number | undefined {
  const lengths: number[] = []
  for (let slot = 1; slot <= used; slot += SAMPLE) {
    if (keys.holds(slot)) lengths.push(pack(keys.keyOf(slot), LARGEST))
  }
  return SHAPES.find(shift => {
    const fitting = lengths.filter(length => length > 0 && length <= (1 << shift) - KEY)
    return fitting.length >= SHARE * lengths.length
  })
}

/** An index whose keys lie in the records of their slots, beside the links. */
export class PackedKeys<K> implements Keys<K> {
  readonly #slots: Slots
  /** The records as bytes. */
  #bytes: Buffer
  readonly #table: Table
  /** The keys that are not in the table. */
  readonly #beside = new MapKeys<K>()
  #count = 0
  #spilled = 0
  #long = 0

  constructor(slots: Slots) {
    this.#slots = slots
    this.#bytes = bytesOf(slots.words)
    this.#table = new Table(slots.capacity)
  }

  /** How many words a key may have. */
  get #room(): number {
    return (1 << this.#slots.shift) - KEY
  }

  find(key: K): number {
    const words = pack(key, this.#room)
    if (words === 0) return this.#beside.find(key)
    const { hash, kind } = packed
    const { pairs, low } = this.#table
    const mask = pairs.length - 1
    let at = (hash >>> low) << 1
    for (;;) {
      const slot = pairs[at + 1]!
      if (slot === 0) break
      if (pairs[at] === hash && this.#same(slot, kind, words)) return slot
      at = (at + 2) & mask
    }
    return this.#spilled === 0 ? 0 : this.#beside.find(key)
  }

  /** Whether the key that was packed last is that of a slot. */
  #same(slot: number, kind: number, length: number): boolean {
    const { words, shift } = this.#slots
    const at = (slot << shift) + KIND
    if (words[at] !== kind) return false
    for (let i = 0; i < length; i++) if (words[at + 1 + i] !== WORDS[i]) return false
    return true
  }

  add(key: K, slot: number): void {
    const { length } = packed
    if (length === 0) {
      const long = typeof key === 'string' && key.length <= 4 * LARGEST
      this.#putBeside(key, slot, long ? LONG : BESIDE)
      if (long && 4 * ++this.#long > this.#count) this.#widen()
    } else if (this.#table.add(packed.hash, slot)) {
      this.#count++
      const { words, shift } = this.#slots
      const at = (slot << shift) + KIND
      words[at] = packed.kind
      for (let i = 0; i < length; i++) words[at + 1 + i] = WORDS[i]!
    } else {
      this.#putBeside(key, slot, SPILLED)
      this.#spilled++
    }
  }

  remove(slot: number): void {
    const { words, shift } = this.#slots
    const at = (slot << shift) + KIND
    const kind = words[at]!
    words[at] = 0
    if (kind > 0 || kind === NUMBER) {
      this.#table.remove(hashOf(kind, words, at + 1), slot)
      this.#count--
    } else {
      this.#beside.remove(slot)
      if (kind === SPILLED) this.#spilled--
      if (kind === LONG) this.#long--
    }
  }

  keyOf(slot: number): K {
    const { words, shift } = this.#slots
    const at = (slot << shift) + KEY
    const kind = words[at - 1]!
    if (kind === NUMBER) return numberOf(words[at]!, words[at + 1]!) as K
    if (kind <= 0) return this.#beside.keyOf(slot)
    if (this.#bytes.buffer !== words.buffer) this.#bytes = bytesOf(words)
    return this.#bytes.toString('latin1', 4 * at, 4 * at + kind - 1) as K
  }

  hash(slot: number): number {
    const { words, shift } = this.#slots
    const at = (slot << shift) + KEY
    const kind = words[at - 1]!
    return kind > 0 || kind === NUMBER ? hashOf(kind, words, at) : this.#beside.hash(slot)
  }

  holds(slot: number): boolean {
    const { words, shift } = this.#slots
    return words[(slot << shift) + KIND] !== 0
  }

  clear(): void {
    this.#table.clear()
    this.#beside.clear()
    this.#count = 0
    this.#spilled = 0
    this.#long = 0
  }

  #putBeside(key: K, slot: number, kind: number): void {
    const { words, shift } = this.#slots
    words[(slot << shift) + KIND] = kind
    this.#beside.add(key, slot)
  }

  /** Makes records larger, now that many keys are too long for them. */
  #widen(): void {
    const { shift, capacity, used } = this.#slots
    const wider = SHAPES.find(shape => shape > shift)
    if (wider === undefined) return
    this.#slots.reshape(wider, capacity)
    const { words } = this.#slots
    for (let slot = 1; slot <= used; slot++) {
      if (words[(slot << wider) + KIND] !== LONG) continue
      const key = this.#beside.keyOf(slot)
      this.remove(slot)
      this.find(key)
      this.add(key, slot)
    }
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)
}
