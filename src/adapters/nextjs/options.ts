// The options of the Next.js handlers, and the caches that they open.

import { InvalidOptionError, NoSuchCacheError } from '../../base/errors.ts'
import { now as monotonic, timeOrigin } from '../../base/runtime.ts'
import { Cache } from '../../cache/cache.ts'
import type { CacheOptions, StoreOptions } from '../../cache/options.ts'
import { Tags } from './tags.ts'

/**
 * How a handler keeps entries. In a process, handlers of the same `name` share them, and what is
 * known of tags, in all threads. Without `max` and `maxBytes` the first of them takes `maxBytes: '25%'`.
 */
export interface NextOptions
  extends Pick<StoreOptions, 'max' | 'maxBytes' | 'policy' | 'ttl' | 'jitter' | 'near' | 'clock'> {
  /**
   * Whether a process keeps decoded entries: `false` if left out, so that each request gets an entry
   * of its own. With it requests share entries, and none may write into them.
   */
  near?: StoreOptions['near']
  /** `'next'` if left out. */
  name?: string | undefined
  /**
   * How many revalidated tags are remembered: 100,000 if left out. When there are more, all entries
   * that have tags are taken to be out of date.
   */
  maxTags?: number | undefined
}

/** What a handler works with. */
export interface Store<V> {
  readonly entries: Cache<string, V>
  readonly tags: Tags
  /** The time in milliseconds, as Next.js stamps its entries, or of the clock that was given. */
  now(): number
}

/** Opens the caches of a handler of this kind. */
export function openStore<V>(kind: string, options: NextOptions): Store<V> {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError('options', options, 'an object')
  }
  const { name = 'next', maxTags = 100_000, ...rest } = options
  if (typeof name !== 'string' || name === '' || name.length > 200) {
    throw new InvalidOptionError('name', name, 'a text of 1 to 200 characters')
  }
  if (!Number.isSafeInteger(maxTags) || maxTags < 1) {
    throw new InvalidOptionError('maxTags', maxTags, 'a whole number of tags above 0')
  }
  const { clock } = rest
  const now = clock ? () => clock.now : () => timeOrigin + monotonic()
  return {
    entries: open({ near: false, ...rest, name: `${name} ${kind}` }),
    tags: new Tags(name, maxTags, now),
    now,
  }
}

/** The cache of this name as others bounded it; or else a new one, bounded by what is usual here. */
function open<V>(options: CacheOptions<V, string>): Cache<string, V> {
  try {
    return new Cache<string, V>(options)
  } catch (error) {
    if (!(error instanceof NoSuchCacheError)) throw error
    return new Cache<string, V>({ ...options, maxBytes: '25%' })
  }
}
