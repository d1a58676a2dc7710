// Takes entries out when their time is over: one timer for all of them, set to the next deadline.
import { LONGEST_TIMER } from '../base/longest-timer.ts'
import type { Milliseconds, Perf } from './types.ts'

/** A heap may have so many deadlines more than are watched, besides as many again. */
const SPARE = 64

/** Lets the process end before the timer does. */
export function unref(timer: ReturnType<typeof setTimeout>): ReturnType<typeof setTimeout> {
  // A browser's timer is a number.
  timer.unref?.()
  return timer
}

/** What is known of an entry's age. */
interface Lives {
  ttl(slot: number): Milliseconds
  start(slot: number): Milliseconds
  mortal(slot: number): boolean
}

/** A heap of deadlines. One that has changed is found out when its turn comes. */
export class Purge {
  readonly #perf: Perf
  readonly #lives: Lives
  readonly #expire: (slot: number) => void
  readonly #slots: number[] = []
  readonly #deadlines: Milliseconds[] = []
  /** The earliest deadline in the heap of a slot, for those that are in it. */
  readonly #watched = new Map<number, Milliseconds>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #wakes = Number.POSITIVE_INFINITY

  constructor(perf: Perf, lives: Lives, expire: (slot: number) => void) {
    this.#perf = perf
    this.#lives = lives
    this.#expire = expire
  }

  /** Sees to it that a slot's entry leaves at its deadline. */
  watch(slot: number): void {
    if (!this.#lives.mortal(slot)) {
      this.forget(slot)
      return
    }
    const deadline = this.#deadline(slot)
    const known = this.#watched.get(slot)
    // A deadline that moved back is looked up again when the known one comes.
    if (known !== undefined && known <= deadline) return
    this.#watched.set(slot, deadline)
    this.#push(slot, deadline)
    if (deadline < this.#wakes) this.#sleep()
  }

  /**
   * A slot's entry has left, or lives for ever. Without entries to wait for there is no timer: it
   * would keep the cache from being collected.
   */
  forget(slot: number): void {
    if (!this.#watched.delete(slot)) return
    if (this.#watched.size === 0) this.clear()
    else if (this.#slots.length > 2 * this.#watched.size + SPARE) this.#tidy()
  }

  /** Forgets all slots. */
  clear(): void {
    this.#slots.length = 0
    this.#deadlines.length = 0
    this.#watched.clear()
    clearTimeout(this.#timer)
    this.#wakes = Number.POSITIVE_INFINITY
  }

  /** Takes out of the heap what is watched no more. */
  #tidy(): void {
    const watched = [...this.#watched]
    this.#slots.length = 0
    this.#deadlines.length = 0
    for (const [slot, deadline] of watched) this.#push(slot, deadline)
  }

  #deadline(slot: number): Milliseconds {
    return this.#lives.start(slot) + this.#lives.ttl(slot)
  }

  #sleep(): void {
    clearTimeout(this.#timer)
    const deadline = this.#deadlines[0]
    this.#wakes = deadline ?? Number.POSITIVE_INFINITY
    if (deadline === undefined) return
    // At its deadline itself an entry is not stale yet.
    const wait = Math.max(0, Math.ceil(deadline - this.#perf.now())) + 1
    this.#timer = unref(setTimeout(() => this.#wake(), Math.min(wait, LONGEST_TIMER)))
  }

  #wake(): void {
    const now = this.#perf.now()
    try {
      while (this.#deadlines[0]! < now) this.#settle(now)
    } finally {
      this.#sleep()
    }
  }

  /** The first deadline of the heap has passed, if it is still its slot's. */
  #settle(now: Milliseconds): void {
    const deadline = this.#deadlines[0]!
    const slot = this.#pop()
    if (this.#watched.get(slot) !== deadline) return
    this.#watched.delete(slot)
    if (!this.#lives.mortal(slot)) return
    if (this.#deadline(slot) < now) this.#expire(slot)
    else this.watch(slot)
  }

  #push(slot: number, deadline: Milliseconds): void {
    let at = this.#slots.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#deadlines[parent]! <= deadline) break
      this.#place(at, this.#slots[parent]!, this.#deadlines[parent]!)
      at = parent
    }
    this.#place(at, slot, deadline)
  }

  #pop(): number {
    const first = this.#slots[0]!
    const slot = this.#slots.pop()!
    const deadline = this.#deadlines.pop()!
    const { length } = this.#slots
    if (length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && this.#deadlines[child + 1]! < this.#deadlines[child]!) child++
      if (this.#deadlines[child]! >= deadline) break
      this.#place(at, this.#slots[child]!, this.#deadlines[child]!)
      at = child
    }
    this.#place(at, slot, deadline)
    return first
  }

  #place(at: number, slot: number, deadline: Milliseconds): void {
    this.#slots[at] = slot
    this.#deadlines[at] = deadline
  }
}
