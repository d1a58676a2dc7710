// `lfu`: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
//
// New keys enter a small queue of a tenth of the entries. Those read twice there go on to the main
// queue; the others leave, and are remembered as ghosts: a ghost that comes back enters the main
// queue at once. In the main queue an entry that was read since its last turn gets another.
//
// For `auto` all this is subject to a rule, which may change at any time.
import type { PolicyStats } from '../../base/types.ts'
import { drawSeed } from '../keys/pack.ts'
import type { Slots } from '../slots.ts'
import { Ghost } from './ghost.ts'
import { ghostsOf, MOST_TURNS, type Rule, S3_FIFO, Step, stepOf, wins } from './rule.ts'

/** More reads than these are not counted. */
const READS = 3

/** Marks an entry of the main queue, besides its reads. */
const MAIN = 4

/**
 * Both queues lie in the ring of links: from slot 0 on the main queue, from its newest to its
 * oldest, then a slot that divides them, then the small queue.
 */
export class Queues {
  /** May change; the entries stay where they are. */
  protected rule: Rule = S3_FIFO
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
    const isGhost = hash !== 0 && this.#ghost.take(hash, ghostsOf(this.entries))
    if (this.rule.small === 0 || (isGhost && !this.rule.contest)) {
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
    if (hash !== 0) this.#ghost.insert(hash, ghostsOf(this.entries))
  }

  /** The entry that is to leave next, except for one. There must be another. */
  victim(except: number): number {
    for (;;) {
      const victim = this.#take(stepOf(this.rule, this.#small, this.#main), except)
      if (victim !== 0) return victim
    }
  }

  /** Forgets all. */
  clear(): void {
    this.#ghost.clear()
    this.#small = 0
    this.#main = 0
    this.#divide()
  }

  /** What is in force and why, where that changes. */
  report(): PolicyStats | undefined {
    return undefined
  }

  /** How many there are. */
  protected get entries(): number {
    return this.#small + this.#main
  }

  /** Counts that a key came in, or got another turn, where a rule may ask for it. */
  protected count(_slot: number): void {}

  /** How often the key of a slot was counted. */
  protected estimate(_slot: number): number {
    return 0
  }

  /** Takes a step; the entry that is to leave, or 0 if none is yet. */
  #take(step: Step, except: number): number {
    if (step === Step.CONTEST) return this.#contest(except)
    if (step === Step.TURN_MAIN) return this.#turnMain(except)
    const slot = this.#oldest
    const stays = step === Step.PASS_ON || (this.#marks[slot]! & READS) >= this.rule.reads
    if (!stays && slot !== except) return slot
    this.#goOn(slot, step === Step.PASS_ON ? Math.min(this.#marks[slot]!, 1) : 0)
    return 0
  }

  /** The oldest of the main queue gets another turn, or is to leave. */
  #turnMain(except: number): number {
    const slot = this.#oldestMain
    if (this.#marks[slot] === MAIN && slot !== except) return slot
    this.#turn(slot)
    return 0
  }

  /** The oldest of the small queue goes on and the main queue's rival is to leave, or itself. */
  #contest(except: number): number {
    const rival = this.#rival(except)
    const slot = this.#oldest
    const goesOn = slot === except || (rival !== 0 && this.#wins(slot, rival))
    if (!goesOn) return slot
    this.#goOn(slot, 0)
    return slot === except ? 0 : rival
  }

  #wins(slot: number, rival: number): boolean {
    const [reads, rivalReads] = [this.#marks[slot]! & READS, this.#marks[rival]! & READS]
    return wins(this.estimate(slot), reads, this.estimate(rival), rivalReads)
  }

  /** Who the main queue would evict next; 0 if nobody. */
  #rival(except: number): number {
    for (let turns = 0; turns <= MOST_TURNS && this.#main > 0; turns++) {
      const slot = this.#oldestMain
      const stands = this.#marks[slot] === MAIN || turns === MOST_TURNS
      if (stands && slot !== except) return slot
      this.#turn(slot)
    }
    return 0
  }

  /** An entry of the small queue goes on to the main one. */
  #goOn(slot: number, reads: number): void {
    this.#small--
    this.#slots.unlink(slot)
    this.#enterMain(slot, MAIN + reads)
  }

  /** An entry of the main queue gets another turn. */
  #turn(slot: number): void {
    this.#main--
    this.#slots.unlink(slot)
    this.#enterMain(slot, Math.max(this.#marks[slot]! - 1, MAIN))
    this.count(slot)
  }

  /** Of the small queue. */
  get #oldest(): number {
    return this.#slots.newer(0)
  }

  get #oldestMain(): number {
    return this.#slots.newer(this.#divider)
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
