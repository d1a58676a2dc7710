// The writes that the origin has not taken yet, in their order and within their bound.

import { type Identity, identityOf } from '../base/identity.ts'
import type { CacheKey } from '../base/types.ts'

/** One write. */
export type WriteEntry<K, V> =
  | { readonly kind: 'set'; readonly key: K; readonly value: V }
  | { readonly kind: 'delete'; readonly key: K; readonly value?: undefined }

/** A write in the queue. */
interface Queued<K, V> {
  readonly id: Identity
  entry: WriteEntry<K, V>
  /** When it came; of several that became one, the first. */
  readonly at: number
  /** In the order of coming. */
  readonly turn: number
}

/** A write for which there is no room yet. */
interface Waiting<K, V> extends Queued<K, V> {
  admit: () => void
}

/** Holds writes; what is taken of it stays in it until it is done with. */
export class WriteQueue<K extends CacheKey, V> {
  readonly #max: number
  readonly #keepsAll: boolean
  /** By identity, or by turn if all are kept; in the order of turns. */
  readonly #pending = new Map<Identity, Queued<K, V>>()
  readonly #waiting = new Set<Waiting<K, V>>()
  /** The last write of each key that is here. */
  readonly #latest = new Map<Identity, WriteEntry<K, V>>()
  #taken: Queued<K, V>[] = []
  #turn = 0

  constructor(max: number, keepsAll: boolean) {
    this.#max = max
    this.#keepsAll = keepsAll
  }

  /** How many writes there is room taken for. */
  get size(): number {
    return this.#taken.length + this.#pending.size
  }

  /** How many of them can be taken. */
  get pending(): number {
    return this.#pending.size
  }

  /** How many writes wait for room. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** The turn of the last write that came. */
  get turn(): number {
    return this.#turn
  }

  /** The write that is here longest. */
  get oldest(): { readonly at: number; readonly turn: number } | undefined {
    if (this.#taken.length > 0) return this.#taken[0]
    const [first] = this.#pending.values()
    return first
  }

  /** Whether the next write of the key would have to wait. */
  isFullFor(key: K): boolean {
    // Where some wait nobody goes before them: it might be a later write of the same key.
    return this.#waiting.size > 0 || (this.size >= this.#max && !this.#joins(identityOf(key)))
  }

  /** The last write of a key that the origin has not taken yet. */
  find(key: K): WriteEntry<K, V> | undefined {
    return this.#latest.get(identityOf(key))
  }

  /** Adds a write; the promise, if there is one, resolves when there is room for it. */
  add(entry: WriteEntry<K, V>, now: number): Promise<void> | undefined {
    const queued = { id: identityOf(entry.key), entry, at: now, turn: ++this.#turn }
    const waits = this.isFullFor(entry.key)
    this.#latest.set(queued.id, entry)
    if (waits) {
      return new Promise(admit => {
        this.#waiting.add({ ...queued, admit })
      })
    }
    this.#put(queued)
    return undefined
  }

  /** Takes the oldest writes: at most so many. Not before what was taken is done with. */
  take(most: number): WriteEntry<K, V>[] {
    for (const [place, queued] of this.#pending) {
      if (this.#taken.length === most) break
      this.#pending.delete(place)
      this.#taken.push(queued)
    }
    return this.#taken.map(({ entry }) => entry)
  }

  /** What was taken is done with. Those who wait get its room. */
  done(): void {
    for (const { id, entry } of this.#taken) {
      if (this.#latest.get(id) === entry) this.#latest.delete(id)
    }
    this.#taken = []
    for (const waiting of this.#waiting) {
      if (this.size >= this.#max && !this.#joins(waiting.id)) break
      this.#waiting.delete(waiting)
      this.#put(waiting)
      waiting.admit()
    }
  }

  /** Whether a write of the key becomes one with an earlier one, and needs no room. */
  #joins(id: Identity): boolean {
    return !this.#keepsAll && this.#pending.has(id)
  }

  #put({ id, entry, at, turn }: Queued<K, V>): void {
    const earlier = this.#keepsAll ? undefined : this.#pending.get(id)
    if (earlier) earlier.entry = entry
    else this.#pending.set(this.#keepsAll ? turn : id, { id, entry, at, turn })
  }
}
