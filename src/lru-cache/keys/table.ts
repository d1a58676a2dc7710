// A table of slots by the hashes of their keys, by open addressing.

/** A table is at most so full. */
const LOAD = 0.6

/** So many places at most are looked at for a key: whoever chooses keys must not choose the time. */
const PROBES = 64

/** Pairs of a hash and a slot. */
export class Table {
  /** A hash and a slot, which is 0 where there is none. */
  pairs: Int32Array
  /** A pair's first place is twice the bits of its hash from here on. */
  low: number
  #count = 0

  /** @param capacity - how many slots to make room for. */
  constructor(capacity: number) {
    const bits = Math.ceil(Math.log2(capacity / LOAD))
    this.pairs = new Int32Array(2 << bits)
    this.low = 32 - bits
  }

  /** Puts a slot in, unless too many are in the way. */
  add(hash: number, slot: number): boolean {
    if (2 * (this.#count + 1) > LOAD * this.pairs.length) this.#grow()
    if (!this.#enter(hash, slot, PROBES)) return false
    this.#count++
    return true
  }

  /** Takes a slot out, and moves up those that would be further from their place. */
  remove(hash: number, slot: number): void {
    const { pairs, low } = this
    const mask = pairs.length - 1
    let hole = (hash >>> low) << 1
    while (pairs[hole + 1] !== slot) hole = (hole + 2) & mask
    for (let at = (hole + 2) & mask; pairs[at + 1] !== 0; at = (at + 2) & mask) {
      const place = (pairs[at]! >>> low) << 1
      if (((at - place) & mask) < ((at - hole) & mask)) continue
      pairs[hole] = pairs[at]!
      pairs[hole + 1] = pairs[at + 1]!
      hole = at
    }
    pairs[hole + 1] = 0
    this.#count--
  }

  /** Takes all slots out. */
  clear(): void {
    this.pairs.fill(0)
    this.#count = 0
  }

  #enter(hash: number, slot: number, most: number): boolean {
    const { pairs } = this
    const mask = pairs.length - 1
    let at = (hash >>> this.low) << 1
    for (let probes = 0; pairs[at + 1] !== 0; probes++) {
      if (probes === most) return false
      at = (at + 2) & mask
    }
    pairs[at] = hash
    pairs[at + 1] = slot
    return true
  }

  #grow(): void {
    const from = this.pairs
    this.pairs = new Int32Array(2 * from.length)
    this.low--
    for (let at = 0; at < from.length; at += 2) {
      const slot = from[at + 1]!
      if (slot !== 0) this.#enter(from[at]!, slot, from.length)
    }
  }
}
