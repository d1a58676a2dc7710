// What is asked for in one tick goes to the store together.
import { nextTick, queueMicrotask } from '../../../base/runtime.ts'

/** Collects items, and hands them over when the promises that settle in this tick have been followed. */
export class Batching<T> {
  readonly #send: (items: T[]) => void
  #items: T[] = []

  constructor(send: (items: T[]) => void) {
    this.#send = send
  }

  add(item: T): void {
    this.#items.push(item)
    if (this.#items.length > 1) return
    queueMicrotask(() => nextTick(() => this.flush()))
  }

  /** Hands over what there is now. */
  flush(): void {
    const items = this.#items
    if (items.length === 0) return
    this.#items = []
    this.#send(items)
  }
}
