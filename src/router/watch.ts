// Looks again and again what has changed in a router, and tells a hook.
import { inNeutralContext } from '../base/context.ts'
import { textOf } from '../base/thrown.ts'
import { type Cancel, timersOf } from '../base/timers.ts'

/** How often is looked, in milliseconds: as often as threads make known what they have counted. */
const LOOK = 250

/** Tells a hook what has changed. What the hook throws becomes a warning. */
export class Watch<E> {
  readonly #name: string
  readonly #changes: () => E[]
  #cancel: Cancel | undefined

  /**
   * @param name - the hook's, for warnings.
   * @param changes - what has changed since it was called last.
   */
  constructor(name: string, changes: () => E[]) {
    this.#name = name
    this.#changes = changes
  }

  /** From now on `hook` is told, and nobody else; nobody, if it is left out. */
  tell(hook: ((event: E) => void) | undefined): void {
    this.#cancel?.()
    this.#cancel = undefined
    if (hook === undefined) return
    const call = inNeutralContext(hook)
    const look = () => {
      this.#cancel = timersOf(undefined).after(LOOK, look)
      for (const event of this.#changes()) {
        try {
          call(event)
        } catch (error) {
          process.emitWarning(`${this.#name} failed: ${textOf(error)}`, {
            code: 'BREAKWATER_HOOK',
          })
        }
      }
    }
    this.#cancel = timersOf(undefined).after(0, look)
  }
}
