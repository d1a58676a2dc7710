// How old entries are: when each began its life, how long that may be, and the clock.
import { LONGEST_TIMER } from '../base/longest-timer.ts'
import { Purge, unref } from './purge.ts'
import type { Report } from './status.ts'
import type { Milliseconds, Perf } from './types.ts'

/** What a cache tells its ages. */
export interface Clocked {
  readonly perf: Perf
  /** The clock is read once in so many milliseconds. */
  readonly ttlResolution: Milliseconds
  readonly ttlAutopurge: boolean
}

/** What a status says of an entry's age. */
type AgeStatus = Pick<Report<unknown, unknown>, 'ttl' | 'start' | 'now' | 'remainingTTL'>

/** The ages of a cache, made when the first entry may expire. */
export class Ages {
  readonly #clock: Clocked
  readonly #purge: Purge | undefined
  /** Of a slot: its ttl, 0 if it has none, and the moment that its life began. */
  #lives: Float64Array
  /** The moment, while it need not be read again; otherwise 0. */
  #now = 0

  /**
   * @param capacity - how many slots to make room for.
   * @param expire - takes out the entry of a slot.
   */
  constructor(clock: Clocked, capacity: number, expire: (slot: number) => void) {
    this.#clock = clock
    this.#lives = new Float64Array(2 * (capacity + 1))
    this.#purge = clock.ttlAutopurge ? new Purge(clock.perf, this, expire) : undefined
  }

  /** An entry's life begins. */
  begin(slot: number, ttl: Milliseconds, start: Milliseconds | undefined): void {
    if (2 * slot >= this.#lives.length) this.#grow(slot)
    this.#lives[2 * slot] = ttl
    // A start of `null` or 0 is none: such an entry lives for ever.
    const began = start === undefined ? this.#clock.perf.now() : start
    this.#lives[2 * slot + 1] = ttl === 0 ? 0 : began
    this.#purge?.watch(slot)
  }

  /** An entry has left. */
  end(slot: number): void {
    this.#purge?.forget(slot)
  }

  /** An entry's life begins anew. */
  renew(slot: number): void {
    const ttl = this.ttl(slot)
    if (ttl !== 0) this.begin(slot, ttl, undefined)
  }

  /** How long an entry may live; 0: for ever. */
  ttl(slot: number): Milliseconds {
    return 2 * slot < this.#lives.length ? this.#lives[2 * slot]! : 0
  }

  /** When its life began. */
  start(slot: number): Milliseconds {
    return 2 * slot < this.#lives.length ? this.#lives[2 * slot + 1]! : 0
  }

  /** Whether an entry can expire. */
  mortal(slot: number): boolean {
    // Neither is checked, and what is no number is none.
    return Boolean(this.ttl(slot)) && Boolean(this.start(slot))
  }

  /** Whether an entry is older than it may be. */
  stale(slot: number): boolean {
    const lives = this.#lives
    const at = 2 * slot
    if (at >= lives.length) return false
    const ttl = lives[at]!
    const start = lives[at + 1]!
    // What is no number is none, either.
    return Boolean(ttl) && Boolean(start) && (this.#now || this.#read()) - start > ttl
  }

  /** How long an entry still lives; below 0 if it is stale. */
  remaining(slot: number): Milliseconds {
    if (!this.mortal(slot)) return Number.POSITIVE_INFINITY
    return this.ttl(slot) - ((this.#now || this.#read()) - this.start(slot))
  }

  /** Tells a status about an entry's age. */
  report(slot: number, status: AgeStatus): void {
    if (!this.mortal(slot)) return
    status.ttl = this.ttl(slot)
    status.start = this.start(slot)
    status.now = this.#now || this.#read()
    status.remainingTTL = status.ttl - (status.now - status.start)
  }

  /** Forgets all entries. */
  clear(): void {
    this.#lives.fill(0)
    this.#purge?.clear()
  }

  #read(): Milliseconds {
    const now = this.#clock.perf.now()
    const { ttlResolution } = this.#clock
    if (ttlResolution > 0) {
      this.#now = now
      // What is longer than a timer can wait a timer does not wait for at all.
      const wait = ttlResolution > LONGEST_TIMER ? 1 : ttlResolution
      unref(setTimeout(() => (this.#now = 0), wait))
    }
    return now
  }

  #grow(slot: number): void {
    const lives = new Float64Array(4 * slot + 16)
    lives.set(this.#lives)
    this.#lives = lives
  }
}
