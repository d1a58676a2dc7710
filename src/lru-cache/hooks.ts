// The functions that are told of values that come and go.
import type { DisposeReason, Disposer, DisposeTask, Inserter, InsertReason } from './types.ts'

/** What the options say. */
export interface Listening<K, V> {
  readonly dispose: Disposer<K, V> | undefined
  readonly disposeAfter: Disposer<K, V> | undefined
  readonly onInsert: Inserter<K, V> | undefined
}

/** Calls them, with the cache as `this`. */
export class Hooks<K, V> {
  readonly dispose: Disposer<K, V> | undefined
  readonly disposeAfter: Disposer<K, V> | undefined
  readonly onInsert: Inserter<K, V> | undefined
  /** Whether any is told of what leaves. */
  readonly leaving: boolean
  /** Whether there is any. */
  readonly some: boolean
  readonly #cache: Listening<K, V>
  #waiting: DisposeTask<K, V>[] = []

  /** @param cache - says whom to tell. */
  constructor(cache: Listening<K, V>) {
    this.#cache = cache
    this.dispose = cache.dispose
    this.disposeAfter = cache.disposeAfter
    this.onInsert = cache.onInsert
    this.leaving = this.dispose !== undefined || this.disposeAfter !== undefined
    this.some = this.leaving || this.onInsert !== undefined
  }

  /** A value is about to leave. */
  leaves(value: V, key: K, reason: DisposeReason): void {
    this.dispose?.call(this.#cache, value, key, reason)
    if (this.disposeAfter !== undefined) this.#waiting.push([value, key, reason])
  }

  /** A value has come. */
  came(value: V, key: K, reason: InsertReason): void {
    this.onInsert?.call(this.#cache, value, key, reason)
  }

  /** Calls `disposeAfter` for all that left. What it does to the cache may add to them. */
  settle(): void {
    if (this.#waiting.length === 0) return
    for (let task = this.#waiting.shift(); task !== undefined; task = this.#waiting.shift()) {
      this.disposeAfter?.apply(this.#cache, task)
    }
  }
}
