// `lfu`: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
//
// New keys enter a small queue of a tenth of the entries. Those read twice there go on to the main
// queue; the others leave, and are remembered as ghosts: a ghost that comes back enters the main
// queue at once. In the main queue an entry that was read since its last turn gets another.
import { drawSeed } from '../keys/pack.ts'
import type { Slots } from '../slots.ts'
import { Ghost } from './ghost.ts'

/** One entry of so many is in the small queue. */
const SMALL_SHARE = 10

/** Reads in the small queue that lead to the main queue. */
const PROMOTING_READS = 2

/** More reads than these are not counted. */
const READS = 3

/** Marks an entry of the main queue, besides its reads. */
const MAIN = 4

/**
 * Both queues lie in the ring of links: from slot 0 on the main queue, from its newest to its
 * oldest, then a slot that divides them, then the small queue.
 */
export class Lfu {
  readonly #slots: Slots
  readonly #ghost = new Ghost()
  /** Of a slot: how often it was read, and its queue. */
  #marks: Uint8Array
  #divider = 0
  #small = 0
  #main = 0

  constructor(slots: Slots) {
    this.#slots = slots
    this.#marks = new Uint8Array(slots.capacity + 1)
    this.#divide()
    // Ghosts are hashes of keys.
    drawSeed()
  }

  /** An entry was used. */
  read(slot: number): void {
    const mark = this.#marks[slot]!
    if ((mark & READS) !== READS) this.#marks[slot] = mark + 1
  }

  /** An entry comes. `hash`: of its key, 0 if it has none. */
  admit(slot: number, hash: number): void {
    if (slot >= this.#marks.length) this.#grow()
    if (hash !== 0 && this.#ghost.take(hash, this.#span)) {
      this.#enterMain(slot, MAIN)
    } else {
      this.#marks[slot] = 0
      this.#slots.link(slot, this.#divider)
      this.#small++
    }
  }

  /** An entry leaves. */
  leave(slot: number): void {
    if (this.isMain(slot)) this.#main--
    else this.#small--
  }

  /** Whether an entry is in the main queue. */
  isMain(slot: number): boolean {
    return (this.#marks[slot]! & MAIN) !== 0
  }

  /** Remembers the key of an entry that was evicted from the small queue. */
  remember(hash: number): void {
    if (hash !== 0) this.#ghost.insert(hash, this.#span)
  }

  /** The entry that is to leave next, except for one. There must be another. */
  victim(except: number): number {
    for (;;) {
      const all = this.#small + this.#main
      const small = this.#main === 0 || this.#small >= Math.max(1, Math.floor(all / SMALL_SHARE))
      const slot = this.#slots.newer(small ? 0 : this.#divider)
      const mark = this.#marks[slot]!
      const stays = small ? (mark & READS) >= PROMOTING_READS : mark !== MAIN
      if (!stays && slot !== except) return slot
      this.leave(slot)
      this.#slots.unlink(slot)
      this.#enterMain(slot, small || mark === MAIN ? MAIN : mark - 1)
    }
  }

  /** Forgets all. */
  clear(): void {
    this.#ghost.clear()
    this.#small = 0
    this.#main = 0
    this.#divide()
  }

  /** For how many evictions a ghost is remembered: as many as the main queue has entries. */
  get #span(): number {
    const all = this.#small + this.#main
    return all - Math.floor(all / SMALL_SHARE)
  }

  #divide(): void {
    this.#divider = this.#slots.take()
    this.#slots.link(this.#divider, 0)
  }

  #enterMain(slot: number, mark: number): void {
    this.#marks[slot] = mark
    this.#slots.link(slot, 0)
    this.#main++
  }

  #grow(): void {
    const marks = new Uint8Array(this.#slots.capacity + 1)
    marks.set(this.#marks)
    this.#marks = marks
  }
}
