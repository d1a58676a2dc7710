// How often the same event is told: so many times a second, and beyond that a count.
import { type Cancel, type Timers, timersOf } from '../base/timers.ts'

/** So often a second the same event is told. */
const MOST = 10
/** For so many events it is counted; beyond, those of one name are the same. */
const ENTRIES = 256
const SECOND = 1000

/** What was told of an event in its second. */
interface Count {
  since: number
  told: number
  leftOut: number
}

/** Counts events, each name and subject by itself. */
export class LogRate {
  readonly #counts = new Map<string, Count>()
  readonly #leftOut: (event: string, count: number) => void
  readonly #timers: Timers
  #cancel: Cancel | undefined

  /** @param leftOut - hears how many of an event were not told, once its second is over. */
  constructor(leftOut: (event: string, count: number) => void, timers = timersOf(undefined)) {
    this.#leftOut = leftOut
    this.#timers = timers
  }

  /** Whether an event is to be told. */
  passes(event: string, subject = ''): boolean {
    const key = this.#keyOf(event, subject)
    const now = this.#timers.now()
    let count = this.#counts.get(key)
    if (count === undefined || now - count.since >= SECOND) {
      if (count !== undefined) this.#tell(key, count)
      count = { since: now, told: 0, leftOut: 0 }
      this.#counts.set(key, count)
    }
    this.#cancel ??= this.#timers.after(SECOND, () => this.#sweep())
    if (count.told < MOST) {
      count.told++
      return true
    }
    count.leftOut++
    return false
  }

  /** Tells of all that was left out, and forgets it. */
  end(): void {
    this.#cancel?.()
    this.#cancel = undefined
    for (const [key, count] of this.#counts) this.#tell(key, count)
    this.#counts.clear()
  }

  #keyOf(event: string, subject: string): string {
    const key = `${event} ${subject}`
    return this.#counts.has(key) || this.#counts.size < ENTRIES ? key : `${event} `
  }

  /** Forgets the seconds that are over; looks again while there are others. */
  #sweep(): void {
    const now = this.#timers.now()
    for (const [key, count] of this.#counts) {
      if (now - count.since < SECOND) continue
      this.#counts.delete(key)
      this.#tell(key, count)
    }
    const isIdle = this.#counts.size === 0
    this.#cancel = isIdle ? undefined : this.#timers.after(SECOND, () => this.#sweep())
  }

  #tell(key: string, { leftOut }: Count): void {
    if (leftOut > 0) this.#leftOut(key.trimEnd(), leftOut)
  }
}
