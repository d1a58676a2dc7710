// Invalidations that are done once more after a while: whoever read the origin before the write, or
// a replica of it that lagged behind, may have stored what it read since the first.

import { type Identity, identityOf } from '../base/identity.ts'
import { warn } from '../base/report.ts'
import type { Cancel, Timers } from '../base/timers.ts'
import type { CacheKey } from '../base/types.ts'

interface Repeat<K> {
  readonly key: K
  at: number
  cancel: Cancel
}

/** How many keys may have an invalidation to come. */
const MAX = 10_000

/**
 * Repeats invalidations. Its timers do not keep the process. A key has one to come, at the latest of
 * the times asked for: the invalidation that asked for it did what the others were to do.
 */
export class Again<K extends CacheKey> {
  readonly #forget: (key: K) => PromiseLike<unknown> | unknown
  readonly #timers: Timers
  readonly #max: number
  readonly #repeats = new Map<Identity, Repeat<K>>()

  /**
   * @param forget - invalidates a key; what it throws becomes a warning of the process.
   * @param max - if more keys have one to come, that of the key that came first is done early.
   */
  constructor(forget: (key: K) => PromiseLike<unknown> | unknown, timers: Timers, max = MAX) {
    this.#forget = forget
    this.#timers = timers
    this.#max = max
  }

  /** How many keys have an invalidation to come. */
  get pending(): number {
    return this.#repeats.size
  }

  /** Invalidates the key in `ms`. */
  add(key: K, ms: number): void {
    const id = identityOf(key)
    const at = this.#timers.now() + ms
    const repeat = this.#repeats.get(id)
    if (repeat) {
      repeat.at = Math.max(repeat.at, at)
      return
    }
    if (this.#repeats.size >= this.#max) {
      const [first] = this.#repeats.keys()
      this.#do(first!)
    }
    this.#repeats.set(id, { key, at, cancel: this.#wait(id, ms) })
  }

  /** Does at once what is to come. */
  close(): void {
    for (const id of [...this.#repeats.keys()]) this.#do(id)
  }

  #wait(id: Identity, ms: number): Cancel {
    return this.#timers.after(ms, () => {
      const repeat = this.#repeats.get(id)
      const left = (repeat?.at ?? 0) - this.#timers.now()
      // It was put off since; a system's timer is early by less than this.
      if (repeat && left >= 1) repeat.cancel = this.#wait(id, left)
      else this.#do(id)
    })
  }

  async #do(id: Identity): Promise<void> {
    const repeat = this.#repeats.get(id)
    if (repeat === undefined) return
    this.#repeats.delete(id)
    repeat.cancel()
    try {
      await this.#forget(repeat.key)
    } catch (error) {
      warn(error)
    }
  }
}
