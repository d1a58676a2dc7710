// A queue of numbers with a fixed room, in which a new one takes the place of the oldest when it is full.

/** What a queue gives that has nothing. */
export const NONE = -1

export class Fifo {
  readonly #items: Int32Array
  #head = 0
  length = 0

  /** @param room - how many it holds; 0: none is ever kept. */
  constructor(room: number) {
    this.#items = new Int32Array(room)
  }

  /** Whether it keeps anything. */
  get keeps(): boolean {
    return this.#items.length > 0
  }

  /** Puts one in; the oldest if that had to make room, or {@link NONE}. */
  push(item: number): number {
    const items = this.#items
    const oldest = this.length === items.length ? this.pop() : NONE
    let at = this.#head + this.length
    if (at >= items.length) at -= items.length
    items[at] = item
    this.length++
    return oldest
  }

  /** The oldest, which stays; {@link NONE} if there is none. */
  front(): number {
    return this.length === 0 ? NONE : this.#items[this.#head]!
  }

  /** Takes out the oldest; {@link NONE} if there is none. */
  pop(): number {
    if (this.length === 0) return NONE
    const oldest = this.#items[this.#head]!
    this.#head++
    if (this.#head === this.#items.length) this.#head = 0
    this.length--
    return oldest
  }
}
