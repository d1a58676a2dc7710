// What is asked for in one tick goes to the store together.
import { nextTick } from '../../../base/runtime.ts'

/** By it a function is called with the promises that settle in this tick, for less than `queueMicrotask`. */
const settled = Promise.resolve()

/** Collects items, and hands them over when the promises that settle in this tick have been followed. */
export class Batching<T> {
  readonly #send: (items: T[]) => void
  readonly #flush = () => this.flush()
  readonly #later = () => nextTick(this.#flush)
  #items: T[] = []

  constructor(send: (items: T[]) => void) {
    this.#send = send
  }

  add(item: T): void {
    this.#items.push(item)
    if (this.#items.length > 1) return
    void settled.then(this.#later)
  }

  /** Hands over what there is now. */
  flush(): void {
    const items = this.#items
    if (items.length === 0) return
    this.#items = []
    this.#send(items)
  }
}
