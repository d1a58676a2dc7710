// The signals that a node obeys, from before its configuration is read: it ends in order on the first that
// says so, at once on the second, and reloads when it is asked to.
import { leave, leaveNow } from './leave.ts'

export class Signals {
  // Who has begun nothing has nothing to put in order.
  #end: () => void = () => void leave(0)
  #reload: (() => void) | undefined
  #isToReload = false

  constructor() {
    let isEnding = false
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (isEnding) leaveNow(1)
        isEnding = true
        this.#end()
      })
    }
    process.on('SIGHUP', () => {
      if (this.#reload === undefined) this.#isToReload = true
      else this.#reload()
    })
  }

  /** From now on it ends this way. */
  endBy(end: () => void): void {
    this.#end = end
  }

  /** From now on it reloads this way; what was asked for before is done now. */
  reloadBy(reload: () => void): void {
    this.#reload = reload
    if (this.#isToReload) reload()
  }
}
