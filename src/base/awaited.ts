// Whether somebody waits for what timers will bring: as long as that is so they keep the process.

/** A timer of Node.js. */
interface Timer {
  ref(): unknown
  unref(): unknown
}

/** Something that may be waited for, and the timers that belong to it. */
export class Awaited {
  #isOn = false
  #timers: Set<Timer> | undefined

  /** Whether somebody waits. */
  get isOn(): boolean {
    return this.#isOn
  }

  set isOn(isOn: boolean) {
    if (isOn === this.#isOn) return
    this.#isOn = isOn
    for (const timer of this.#timers ?? []) keep(timer, isOn)
  }

  /** A timer belongs to it from now on; the result takes it out. */
  hold(timer: Timer): () => void {
    this.#timers ??= new Set()
    this.#timers.add(timer)
    keep(timer, this.#isOn)
    return () => this.#timers?.delete(timer)
  }
}

function keep(timer: Timer, keeps: boolean): void {
  if (keeps) timer.ref()
  else timer.unref()
}
