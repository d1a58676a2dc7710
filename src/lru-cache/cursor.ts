// Walks over entries in their order while they may change.
import type { Core } from './core.ts'

type Some = NonNullable<unknown>

/** Stands at an entry. What is deleted or used meanwhile does not lead it astray. */
export class Cursor<K extends Some, V extends Some, FC> {
  readonly #core: Core<K, V, FC>
  readonly #reverse: boolean
  readonly #stale: boolean
  #slot = 0
  /** What came after the entry when the cursor got there. */
  #following = 0
  #wasNewest = false

  /**
   * @param reverse - from the oldest to the newest.
   * @param stale - whether stale entries count.
   */
  constructor(core: Core<K, V, FC>, reverse: boolean, stale: boolean) {
    this.#core = core
    this.#reverse = reverse
    this.#stale = stale
    this.#following = this.#after(0)
  }

  /** The next entry, or 0. */
  next(): number {
    const { keys } = this.#core
    let slot = this.#onwards()
    while (slot !== 0 && !(keys.holds(slot) && (this.#stale || !this.#core.stale(slot)))) {
      slot = this.#after(slot)
    }
    this.#slot = slot
    this.#following = this.#after(slot)
    this.#wasNewest = slot === this.#core.slots.older(0)
    return slot
  }

  #onwards(): number {
    if (this.#slot === 0) return this.#following
    const used = !this.#wasNewest && this.#slot === this.#core.slots.older(0)
    // One that was used since is the newest now: the way on is from where it was.
    return used && !this.#reverse ? this.#following : this.#after(this.#slot)
  }

  #after(slot: number): number {
    return this.#reverse ? this.#core.slots.newer(slot) : this.#core.slots.older(slot)
  }
}
