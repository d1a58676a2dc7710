// What a cache that workers share is given beside what any cache is.
import type { ManualClock } from '../base/clock.ts'
import type { NearOptions } from '../base/types.ts'

/** How values are stored, by name. */
export type SharedCodec = 'any' | 'string' | 'bytes' | 'number' | 'json' | 'structured'

/** How values are stored: a `Codec` of `breakwater` is one. */
export interface ValueCodec<V> {
  /** Under this name workers that share a cache agree on the codec. */
  readonly name?: string
  /** The value as text or bytes. */
  encode(value: V): string | Uint8Array
  /** The value again, of what `encode` gave. */
  decode(stored: string | Uint8Array): V
}

/** The cache that workers share. */
export interface SharedStore<V> {
  /**
   * The cache's name: the same name in any worker of the process is the same cache. Options that
   * are given must be those of the cache that exists; those left out are taken from it.
   */
  shared: string
  /** The most bytes, or text as `'256mb'`. Without `max` and this, the cache must exist already. */
  maxBytes?: number | string
  /** How values are stored, so that all workers can read them; `'structured'` if left out. */
  codec?: ValueCodec<V> | SharedCodec
  /**
   * What this worker keeps decoded, so that it need not be decoded again: on by default. Its
   * objects are shared by all who read them in this worker; `{ freeze: true }` lets a change of one
   * throw, `false` gives each reader a copy of its own.
   */
  near?: boolean | NearOptions
  /** Time that stands still until a test moves it, from `breakwater/testing`. */
  clock?: ManualClock
}
