// Strings and numbers off the V8 heap: where large caches find their entries.
import type { Slots } from '../slots.ts'
import type { Keys } from './keys.ts'
import { MapKeys } from './map.ts'
import { hashOf, NUMBER, numberOf, pack, packed, WORDS } from './pack.ts'

/** Where in a record its key begins: what kind of key it is, 0 for none, and then its words. */
const KIND = 2
const KEY = 3

/** The kind of a key that is beside the table: it cannot be packed, */
const BESIDE = -2
/** too many were in its way, */
const SPILLED = -3
/** or it was too long for its record. */
const LONG = -4

/** So many places at most are looked at for a key: whoever chooses keys must not choose the time. */
const PROBES = 64

/** Of so many keys at least so many must be short enough for a record. */
const SHARE = 0.9

/** The logarithms of how many words a record may have: longer strings are as fast in a Map. */
const SHAPES = [3, 4]
const LARGEST = (1 << SHAPES.at(-1)!) - KEY

/** A table is at most so full. */
const LOAD = 0.6

/**
 * Moves the keys of a Map off the V8 heap, if most of them can be packed.
 *
 * @param capacity - how many slots there may be.
 */
export function moveOut<K>(from: Keys<K>, slots: Slots, capacity: number): Keys<K> | undefined {
  const shift = shapeFor(from, slots)
  if (shift === undefined) return undefined
  slots.reshape(shift, capacity)
  const to = new PackedKeys<K>(slots, Math.ceil(Math.log2(capacity / LOAD)))
  for (let slot = 1; slot <= slots.used; slot++) {
    if (!from.holds(slot)) continue
    const key = from.keyOf(slot)
    to.find(key)
    to.add(key, slot)
  }
  return to
}

/** The logarithm of how many words a record needs for most keys. */
function shapeFor<K>(keys: Keys<K>, { used }: Slots): number | undefined {
  const fitting = SHAPES.map(() => 0)
  let all = 0
  for (let slot = 1; slot <= used; slot++) {
    if (!keys.holds(slot)) continue
    const length = pack(keys.keyOf(slot), LARGEST)
    all++
    for (const [at, shift] of SHAPES.entries()) {
      if (length > 0 && length <= (1 << shift) - KEY) fitting[at] = fitting[at]! + 1
    }
  }
  return SHAPES.find((_, at) => fitting[at]! >= SHARE * all)
}

/** An index by open addressing, whose keys lie in the records of their slots. */
export class PackedKeys<K> implements Keys<K> {
  readonly #slots: Slots
  /** Pairs of a hash and a slot; the slot is 0 where there is none. */
  #table: Int32Array
  /** The high bits of a hash, from here on, say where its place is. */
  #low: number
  /** How many keys the table holds. */
  #count = 0
  /** How many words a key may have. */
  #room: number
  /** The keys that are not in the table. */
  readonly #beside = new MapKeys<K>()
  #spilled = 0
  #long = 0
  #bytes: Buffer

  /** @param bits - the logarithm of how many places the table has. */
  constructor(slots: Slots, bits: number) {
    this.#slots = slots
    this.#table = new Int32Array(2 << bits)
    this.#low = 32 - bits
    this.#room = (1 << slots.shift) - KEY
    this.#bytes = Buffer.from(slots.words.buffer)
  }

  find(key: K): number {
    const words = pack(key, this.#room)
    if (words === 0) return this.#beside.find(key)
    const { hash, kind } = packed
    const table = this.#table
    const mask = table.length - 1
    let at = (hash >>> this.#low) << 1
    for (;;) {
      const slot = table[at + 1]!
      if (slot === 0) break
      if (table[at] === hash && this.#same(slot, kind, words)) return slot
      at = (at + 2) & mask
    }
    return this.#spilled === 0 ? 0 : this.#beside.find(key)
  }

  /** Whether the key that was packed last is that of a slot. */
  #same(slot: number, kind: number, count: number): boolean {
    const { words, shift } = this.#slots
    const at = (slot << shift) + KEY
    if (words[at - 1] !== kind) return false
    for (let i = 0; i < count; i++) if (words[at + i] !== WORDS[i]) return false
    return true
  }

  add(key: K, slot: number): void {
    const { length } = packed
    if (length === 0) {
      const long = typeof key === 'string' && key.length <= 4 * LARGEST
      this.#putBeside(key, slot, long ? LONG : BESIDE)
      if (long && 4 * ++this.#long > this.#count) this.#widen()
    } else if (this.#enter(packed.hash, slot, PROBES)) {
      const { words, shift } = this.#slots
      const at = (slot << shift) + KEY
      words[at - 1] = packed.kind
      for (let i = 0; i < length; i++) words[at + i] = WORDS[i]!
      if (2 * ++this.#count > LOAD * this.#table.length) this.#grow()
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
      this.#leave(hashOf(kind, words, at + 1), slot)
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
    if (kind < 0) return this.#beside.keyOf(slot)
    if (this.#bytes.buffer !== words.buffer) this.#bytes = Buffer.from(words.buffer)
    return this.#bytes.toString('latin1', 4 * at, 4 * at + kind - 1) as K
  }

  holds(slot: number): boolean {
    const { words, shift } = this.#slots
    return words[(slot << shift) + KIND] !== 0
  }

  clear(): void {
    this.#table.fill(0)
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

  /** Puts a slot into the table, unless too many are in the way. */
  #enter(hash: number, slot: number, most: number): boolean {
    const table = this.#table
    const mask = table.length - 1
    let at = (hash >>> this.#low) << 1
    for (let probes = 0; table[at + 1] !== 0; probes++) {
      if (probes === most) return false
      at = (at + 2) & mask
    }
    table[at] = hash
    table[at + 1] = slot
    return true
  }

  /** Takes a slot out of the table, and moves those up that would be further from their place. */
  #leave(hash: number, slot: number): void {
    const table = this.#table
    const low = this.#low
    const mask = table.length - 1
    let hole = (hash >>> low) << 1
    while (table[hole + 1] !== slot) hole = (hole + 2) & mask
    for (let at = (hole + 2) & mask; table[at + 1] !== 0; at = (at + 2) & mask) {
      const place = (table[at]! >>> low) << 1
      if (((at - place) & mask) < ((at - hole) & mask)) continue
      table[hole] = table[at]!
      table[hole + 1] = table[at + 1]!
      hole = at
    }
    table[hole + 1] = 0
  }

  /** Makes records larger, now that many keys are too long for them. */
  #widen(): void {
    const { shift, capacity, used } = this.#slots
    const wider = SHAPES.find(shape => shape > shift)
    if (wider === undefined) return
    this.#slots.reshape(wider, capacity)
    this.#room = (1 << wider) - KEY
    const { words } = this.#slots
    for (let slot = 1; slot <= used; slot++) {
      if (words[(slot << wider) + KIND] !== LONG) continue
      const key = this.#beside.keyOf(slot)
      this.remove(slot)
      pack(key, this.#room)
      this.add(key, slot)
    }
  }

  /** Doubles the table. */
  #grow(): void {
    const from = this.#table
    this.#table = new Int32Array(2 * from.length)
    this.#low--
    for (let at = 0; at < from.length; at += 2) {
      const slot = from[at + 1]!
      if (slot !== 0) this.#enter(from[at]!, slot, from.length)
    }
  }
}
