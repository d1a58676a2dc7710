// A record for each entry, off the V8 heap: its neighbours in the order of use, then room for a key.

/**
 * Entries are known by slots, numbers from 1. A ring of links runs through slot 0, which is no
 * entry: from there the older neighbour is the newest entry, and the newer one the oldest.
 */
export class Slots {
  /** The record of a slot begins at `slot << shift`: its older neighbour, its newer one, the rest. */
  words: Int32Array
  shift: number
  /** The last slot that was ever taken. */
  used = 0
  /** Slots that were given back. */
  readonly free: number[] = []

  /**
   * @param shift - the logarithm of how many words a record has.
   * @param capacity - how many entries to make room for.
   */
  constructor(shift: number, capacity: number) {
    this.shift = shift
    this.words = new Int32Array((capacity + 1) << shift)
  }

  /** How many slots there is room for. */
  get capacity(): number {
    return (this.words.length >> this.shift) - 1
  }

  /** A slot that is in use no more, or 0 if all room is taken. */
  take(): number {
    const slot = this.free.pop()
    if (slot !== undefined) return slot
    return this.used === this.capacity ? 0 : ++this.used
  }

  /** Gives a slot back. Its links stay, so that an iteration which stands there finds on. */
  release(slot: number): void {
    this.free.push(slot)
  }

  /** Makes room for more entries, or changes the size of a record. */
  reshape(shift: number, capacity: number): void {
    const { words: from, shift: had } = this
    const to = new Int32Array((capacity + 1) << shift)
    if (shift === had) {
      to.set(from)
    } else {
      const words = 1 << Math.min(had, shift)
      for (let slot = 0; slot <= this.used; slot++) {
        for (let i = 0; i < words; i++) to[(slot << shift) + i] = from[(slot << had) + i]!
      }
    }
    this.words = to
    this.shift = shift
  }

  /** The neighbour that was used before; of 0, the newest. */
  older(slot: number): number {
    return this.words[slot << this.shift]!
  }

  /** The neighbour that was used after; of 0, the oldest. */
  newer(slot: number): number {
    return this.words[(slot << this.shift) + 1]!
  }

  /** Puts a slot in as the older neighbour of another: of 0, as the newest. */
  link(slot: number, beside: number): void {
    const { words, shift } = this
    const at = slot << shift
    const older = words[beside << shift]!
    words[at] = older
    words[at + 1] = beside
    words[(older << shift) + 1] = slot
    words[beside << shift] = slot
  }

  /** Takes a slot out. */
  unlink(slot: number): void {
    const { words, shift } = this
    const at = slot << shift
    const older = words[at]!
    const newer = words[at + 1]!
    words[(older << shift) + 1] = newer
    words[newer << shift] = older
  }

  /** Makes a slot the newest. */
  touch(slot: number): void {
    const { words, shift } = this
    const newest = words[0]!
    if (newest === slot) return
    const at = slot << shift
    const older = words[at]!
    const newer = words[at + 1]!
    words[(older << shift) + 1] = newer
    words[newer << shift] = older
    words[at] = newest
    words[at + 1] = 0
    words[(newest << shift) + 1] = slot
    words[0] = slot
  }

  /** Forgets all slots. */
  clear(): void {
    this.words.fill(0, 0, (this.used + 1) << this.shift)
    this.used = 0
    this.free.length = 0
  }
}
