// The objects of a `heap` cache. The engine holds a number for each and decides how long it stays.

/** Objects by number. A number is used once. */
export class HeapObjects {
  #last = 0
  readonly #objects = new Map<number, unknown>()

  /** Keeps an object until its number is freed. */
  put(object: unknown): number {
    this.#objects.set(++this.#last, object)
    return this.#last
  }

  /** The object of a number. */
  at(slot: number): unknown {
    return this.#objects.get(slot)
  }

  /** Lets an object go. */
  free(slot: number): void {
    this.#objects.delete(slot)
  }

  /** Lets all objects go. */
  clear(): void {
    this.#objects.clear()
  }

  /** How many objects are kept. */
  get size(): number {
    return this.#objects.size
  }
}
