// The fetches of one worker that are under way in a shared cache: one for each key.
import type { CacheKey } from '../../base/types.ts'

/** One fetch. */
export interface Flight<V> {
  readonly controller: AbortController
  /** What becomes of it. */
  readonly promise: Promise<V | undefined>
}

/** By key. Bytes are the same key if they are equal. */
export class Flights<V> {
  readonly #flights = new Map<string | number, Flight<V>>()

  /** The fetch of a key. */
  of(key: CacheKey): Flight<V> | undefined {
    return this.#flights.size === 0 ? undefined : this.#flights.get(placeOf(key))
  }

  /** A fetch of a key begins; it is forgotten when it ends. */
  begin(key: CacheKey, flight: Flight<V>): void {
    const place = placeOf(key)
    this.#flights.set(place, flight)
    const end = () => {
      if (this.#flights.get(place) === flight) this.#flights.delete(place)
    }
    flight.promise.then(end, end)
  }

  /** Nobody needs the fetch of a key any more. */
  abort(key: CacheKey, reason: string): void {
    const flight = this.of(key)
    if (flight === undefined) return
    this.#flights.delete(placeOf(key))
    flight.controller.abort(new Error(reason))
  }

  /** Nobody needs any fetch any more. */
  clear(reason: string): void {
    const all = [...this.#flights.values()]
    this.#flights.clear()
    for (const { controller } of all) controller.abort(new Error(reason))
  }
}

/** Keys of different types are different. */
function placeOf(key: CacheKey): string | number {
  if (typeof key === 'string') return `s${key}`
  if (typeof key === 'number') return key
  return `b${Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')}`
}
