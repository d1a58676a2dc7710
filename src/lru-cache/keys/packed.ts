// Strings and numbers off the V8 heap: where large caches find their entries.
import type { Slots } from '../slots.ts'
import type { Keys } from './keys.ts'
import { MapKeys } from './map.ts'
import { hashOf, NUMBER, numberOf, pack, packed, WORDS } from './pack.ts'
import { Table } from './table.ts'

/** The kind of a key that is beside the records: it cannot be packed, */
const BESIDE = -2
/** too many were in its way, */
const SPILLED = -3
/** or it was too long. */
const LONG = -4

/** Where in a record its key begins: what kind of key it is, and then its words. */
const KIND = 2
export const KEY = 3

/** The logarithms of how many words a record may have: longer strings are as fast in a Map. */
export const SHAPES = [3, 4]
/** So many words a key may have at most. */
export const LARGEST = (1 << SHAPES.at(-1)!) - KEY

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

  /** Puts in a key that is not there, whatever was looked for last. */
  put(key: K, slot: number): void {
    pack(key, this.#room)
    this.add(key, slot)
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
      this.put(key, slot)
    }
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)
}
