// Whether somebody waits for what timers will bring: as long as that is so they keep the process.

/** A timer of Node.js, or what is to hear as a timer does whether somebody waits. */
export interface Held {
  /** Somebody waits now. */
  ref(): unknown
  /** Nobody waits any more. */
  unref(): unknown
}

/** Something that may be waited for, and the timers that belong to it. */
export class Awaited {
  #isOn = false
  /** Most have one. */
  #timer: Held | undefined
  #others: Set<Held> | undefined

  constructor(isOn = false) {
    this.#isOn = isOn
  }

  /** Whether somebody waits. */
  get isOn(): boolean {
    return this.#isOn
  }

  set isOn(isOn: boolean) {
    if (isOn === this.#isOn) return
    this.#isOn = isOn
    if (this.#timer !== undefined) keep(this.#timer, isOn)
    for (const timer of this.#others ?? []) keep(timer, isOn)
  }

  /** A timer belongs to it from now on. */
  hold(timer: Held): void {
    if (this.#timer === undefined) {
      this.#timer = timer
    } else {
      this.#others ??= new Set()
      this.#others.add(timer)
    }
    if (!this.#isOn) timer.unref()
  }

  /** A timer has fired or was taken back. */
  letGo(timer: Held): void {
    if (this.#timer === timer) this.#timer = undefined
    else this.#others?.delete(timer)
  }
}

function keep(timer: Held, keeps: boolean): void {
  if (keeps) timer.ref()
  else timer.unref()
}
