// Which slots wait for fetches that are under way.

/** A fetch that is under way. */
export interface Pending<V> {
  /** What it replaces. */
  readonly stale: V | undefined
  /** What becomes of it. */
  readonly promise: Promise<V | undefined>
  /** Whether somebody waits for it, who must hear of its failure. */
  awaited: boolean
  /** Tells the fetch method that nobody needs its result. */
  abort(reason: string): void
}

/** The fetches of a cache, by the slots that wait for them. */
export class Flights<V> {
  readonly #flights = new Map<number, Pending<V>>()

  /** The fetch that a slot waits for. */
  at(slot: number): Pending<V> | undefined {
    return this.#flights.size === 0 ? undefined : this.#flights.get(slot)
  }

  /** A slot waits for a fetch. */
  begin(slot: number, flight: Pending<V>): void {
    this.#flights.set(slot, flight)
  }

  /** A slot waits no more. */
  end(slot: number): void {
    if (this.#flights.size > 0) this.#flights.delete(slot)
  }

  /** No slot waits. */
  clear(): void {
    this.#flights.clear()
  }
}
