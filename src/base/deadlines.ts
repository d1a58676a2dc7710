// Deadlines that are all equally far off when they are set, as that of each command of a connection.
// Nearly all are taken back before they are due: one timer waits for all of them, and is set anew only
// when it fires.
import { Awaited, type Held } from './awaited.ts'
import { tell } from './report.ts'
import type { Cancel, Timers } from './timers.ts'

/** Deadlines of one length. */
export class Deadlines {
  readonly #timers: Timers
  readonly #ms: number
  /** Where the ring of all that are set begins, the earliest first. */
  readonly #ring = new Deadline(0, undefined, false, () => {})
  /** Whether the process is to stay for any of them. */
  readonly #awaited = new Awaited()
  readonly #due = () => this.#callDue()
  #kept = 0
  /** Takes the timer back. */
  #cancel: Cancel | undefined

  /** @param ms - how far off each is; `Infinity` for never. */
  constructor(timers: Timers, ms: number) {
    this.#timers = timers
    this.#ms = ms
  }

  /**
   * Calls `f` once when its time is over, unless it is taken back.
   *
   * @param keeps - whether the process stays alive for it: as long as somebody waits for it, if it is
   * told who may.
   */
  after(f: () => void, keeps: boolean | Awaited): Deadline {
    const isKept = typeof keeps === 'boolean' ? keeps : keeps.isOn
    const awaited = typeof keeps === 'boolean' ? undefined : keeps
    const at = this.#timers.now() + this.#ms
    const deadline = new Deadline(at, awaited, isKept, f, this)
    if (this.#ms === Number.POSITIVE_INFINITY) return deadline
    deadline.enter(this.#ring)
    if (this.#cancel === undefined) this.#time(this.#ms)
    return deadline
  }

  /** One more keeps the process, or one less. @internal */
  keep(more: 1 | -1): void {
    this.#kept += more
    this.#awaited.isOn = this.#kept > 0
  }

  /** One was taken back, or is due. @internal */
  left(): void {
    if (this.#ring.next !== this.#ring || this.#timers.linger === true) return
    this.#cancel?.()
    this.#cancel = undefined
  }

  #time(ms: number): void {
    this.#cancel = this.#timers.after(ms, this.#due, this.#awaited)
  }

  #callDue(): void {
    this.#cancel = undefined
    for (;;) {
      const { next } = this.#ring
      if (next === this.#ring) return
      const left = next.at - this.#timers.now()
      if (left > 0) {
        // What was called may have set one.
        if (this.#cancel === undefined) this.#time(left)
        return
      }
      next.cancel()
      tell(next.call)
    }
  }
}

/** One of them. */
export class Deadline implements Held {
  /** Its neighbours in the ring; itself where it is in none. @internal */
  next: Deadline = this
  #last: Deadline = this
  #isKept: boolean
  readonly #awaited: Awaited | undefined
  readonly #of: Deadlines | undefined

  /** @internal */
  constructor(
    readonly at: number,
    awaited: Awaited | undefined,
    isKept: boolean,
    readonly call: () => void,
    of?: Deadlines,
  ) {
    this.#awaited = awaited
    this.#isKept = isKept
    this.#of = of
  }

  /** Takes it back; nothing happens if it was called. */
  cancel(): void {
    if (this.next === this) return
    this.next.#last = this.#last
    this.#last.next = this.next
    this.next = this
    this.#last = this
    this.#awaited?.letGo(this)
    if (this.#isKept) this.#of?.keep(-1)
    this.#of?.left()
  }

  /** Becomes the last of a ring. @internal */
  enter(ring: Deadline): void {
    this.next = ring
    this.#last = ring.#last
    ring.#last.next = this
    ring.#last = this
    this.#awaited?.hold(this)
    if (this.#isKept) this.#of?.keep(1)
  }

  /** Somebody waits for it now. */
  ref(): void {
    if (!this.#isKept) this.#of?.keep(1)
    this.#isKept = true
  }

  /** Nobody waits for it any more. */
  unref(): void {
    if (this.#isKept) this.#of?.keep(-1)
    this.#isKept = false
  }
}
