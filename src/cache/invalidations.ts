// Invalidations that come as events, from a stream or a log of changes of what values are made of.
import { InvalidOptionError } from '../base/errors.ts'
import type { CacheKey } from '../base/types.ts'
import { checkNamespace } from './namespace.ts'

/** Something changed where values come from. */
export interface Invalidation<K extends CacheKey = CacheKey> {
  /** Of this namespace, if there is one: its name, or those of nested ones with colons between. */
  readonly namespace?: string | undefined
  /** What changed. */
  readonly keys: readonly K[]
  /**
   * The version that it has now: values of that version and of higher ones stay, and older ones are
   * not stored any more for a while. Without it all values of these keys go.
   */
  readonly version?: number | undefined
}

/** What invalidations do to a cache. */
export interface Invalidated<K extends CacheKey> {
  forget(keys: readonly K[]): void
  /** Removes what is older than a version, and keeps it from coming back. */
  deleteOlder(key: K, version: number): void
}

/** Checks an invalidation and does it. */
export function apply<K extends CacheKey>(event: Invalidation<K>, cache: Invalidated<K>): void {
  if (typeof event !== 'object' || event === null || !Array.isArray(event.keys)) {
    throw new InvalidOptionError('event', event, 'an object { namespace, keys, version }')
  }
  const { version } = event
  if (version !== undefined && !(Number.isSafeInteger(version) && version >= 0)) {
    throw new InvalidOptionError('event.version', version, 'a whole number from 0 to 2^53 - 1')
  }
  const keys = fullKeys(event)
  if (version === undefined) cache.forget(keys)
  else for (const key of keys) cache.deleteOlder(key, version)
}

function fullKeys<K extends CacheKey>({ namespace, keys }: Invalidation<K>): readonly K[] {
  if (namespace === undefined) return keys
  if (typeof namespace !== 'string') {
    throw new InvalidOptionError('event.namespace', namespace, 'a text')
  }
  for (const name of namespace.split(':')) checkNamespace(name)
  return keys.map(key => `${namespace}:${key}` as unknown as K)
}
