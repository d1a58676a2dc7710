// What loading needs of the cache that it loads for.

import type { Lifetimes } from '../base/lifetimes.ts'
import type { Timers } from '../base/timers.ts'
import type { CacheKey } from '../base/types.ts'
import type { Values } from '../codec/values.ts'
import type { Events } from '../events/events.ts'
import type { Stored } from '../native/native.ts'
import type { WriteEntry } from '../writing/queue.ts'
import type { LoadingPolicy } from './options.ts'

/** A cache, as its loads see it. */
export interface LoadingHost<K extends CacheKey, V> {
  readonly name: string | undefined
  /** The instance's number. */
  readonly at: number
  /** Fields that the native side fills in: see port.ts. */
  readonly port: Float64Array
  readonly values: Values<V>
  readonly lives: Lifetimes<K, V>
  readonly timers: Timers
  readonly policy: LoadingPolicy
  /** Milliseconds that the cache keeps values after their end. */
  readonly grace: number
  /** Whether a read starts the life of an entry anew. */
  readonly touches: boolean
  /** Whether the cache is to know what loading each value took. */
  readonly weighsCost: boolean
  readonly events: Events<K>
  /** Whether the codec takes `null`. */
  readonly takesNull: boolean
  isClosed(): boolean
  /** The write of a key that its origin has not taken yet. */
  pending?: ((key: K) => WriteEntry<K, V> | undefined) | undefined
  /** The near copy of a key's value, if there is one that is good. Asked before each `find`. */
  nearCopy(key: K): V | undefined
  /** What the cache has for a key, stale or not; the port says what that is. */
  find(key: K): Stored | undefined
  /** The value of what `find` has just found; a near copy is kept if it is worth that. */
  take(key: K, stored: Stored): V
}
