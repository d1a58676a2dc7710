// What loading sees of the cache that it loads for.

import type { Lifetimes } from '../base/lifetimes.ts'
import type { Timers } from '../base/timers.ts'
import type { CacheKey } from '../base/types.ts'
import type { Values } from '../codec/values.ts'
import type { Events } from '../events/events.ts'
import type { Stored } from '../native/native.ts'
import type { WriteEntry } from '../writing/queue.ts'
import type { LoadingPolicy } from './options.ts'

/** The inside of a cache. */
export interface Inside<K extends CacheKey, V> {
  readonly name: string | undefined
  /** The instance's number. */
  readonly at: number
  /** Fields that the native side fills in: see port.ts. */
  readonly port: Float64Array
  readonly values: Values<V>
  readonly lives: Lifetimes<K, V>
  readonly timers: Timers
  readonly policy: LoadingPolicy
  readonly events: Events<K>
  /** Whether the codec takes `null`. */
  readonly takesNull: boolean
  isClosed(): boolean
  /** The write of a key that its origin has not taken yet. */
  pending?: ((key: K) => WriteEntry<K, V> | undefined) | undefined
  /** What a copy gives for a key, if there is one that is good. */
  copyOf(key: K): V | undefined
  /** What the engine has for a key; the port says what that is. */
  lookup(key: K): Stored | undefined
  /** Decodes what `lookup` has just found and keeps a copy if it is worth that. */
  keep(key: K, stored: Stored): V
}
