// The handler of the option `cacheHandler`: pages, routes and fetches.
import { shortKey } from '../short-key.ts'
import { type NextOptions, openStore, type Store } from './options.ts'
import type { State } from './tags.ts'

/** How long a page may be used, in seconds. */
export interface CacheControl {
  /** After how long it is made anew while it is served; `false`: never. */
  revalidate: number | false
  /** After how long it is not served. */
  expire: number | undefined
}

/** An entry as Next.js takes it; `value` is of a type of its own. */
export interface IncrementalEntry<V = never> {
  /** Milliseconds since 1970; -1: to be made anew before it is served. */
  lastModified: number
  /** What Next.js stored: a page, a response, a result of `fetch`. */
  value: V
  /** How long it may be served. */
  cacheControl?: CacheControl
}

/** What Next.js says of the entry that it wants. */
export interface IncrementalGetContext {
  /** What the entry is: `FETCH`, `APP_PAGE`, `APP_ROUTE` and others. */
  kind?: string
  /** Tags that the caller gave. */
  tags?: string[]
  /** Tags of the path that is being rendered. */
  softTags?: string[]
}

/** What Next.js says of the entry that it stores. */
export interface IncrementalSetContext {
  /** What the entry is. */
  kind?: string
  /** Tags of the entry. */
  tags?: string[]
  /** How long it may be served. */
  cacheControl?: CacheControl | undefined
}

/** What Next.js makes a handler with, for a request each. */
export interface IncrementalContext {
  /** Tags that this very request revalidates. */
  revalidatedTags?: string[]
}

/** The handler of one request. */
export interface IncrementalHandler {
  /** The entry of a key, or `null` if there is none or one of its tags was revalidated. */
  get(key: string, context?: IncrementalGetContext): Promise<IncrementalEntry | null>
  /** Stores an entry; `null`: that there is nothing. */
  set(key: string, value: unknown, context?: IncrementalSetContext): Promise<void>
  /** What has one of the tags is not served any more, or, with `expire`, so many seconds longer. */
  revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>
  /** Called for each request; does nothing. */
  resetRequestCache(): void
}

/** What is kept of an entry. */
interface Kept extends IncrementalEntry<unknown> {
  tags: readonly string[]
}

/**
 * Of a fetch that is out of date: Next.js makes it anew at every age, even where it keeps fetches for
 * 2 ** 32 seconds.
 */
const LONG_AGO = -1e15

/** The header by which a page tells its tags. */
const TAGS_HEADER = 'x-next-cache-tags'

/**
 * The class that Next.js wants of the file that its option `cacheHandler` names.
 *
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that cannot be.
 *
 * @example The file cache-handler.mjs, which the option cacheHandler of next.config names
 * ```ts
 * import { createCacheHandler } from 'breakwater/nextjs'
 *
 * export default createCacheHandler({ maxBytes: '256mb' })
 * ```
 */
export function createCacheHandler(
  options: NextOptions = {},
): new (
  context?: IncrementalContext,
) => IncrementalHandler {
  const store = openStore<Kept>('incremental', options)
  return class BreakwaterCacheHandler extends Incremental {
    constructor(context?: IncrementalContext) {
      super(store, context?.revalidatedTags ?? [])
    }
  }
}

class Incremental implements IncrementalHandler {
  readonly #store: Store<Kept>
  readonly #revalidated: readonly string[]

  constructor(store: Store<Kept>, revalidated: readonly string[]) {
    this.#store = store
    this.#revalidated = revalidated
  }

  async get(key: string, context: IncrementalGetContext = {}): Promise<IncrementalEntry | null> {
    const kept = this.#store.entries.get(shortKey(key))
    if (kept === undefined) return null
    const tags = [...kept.tags, ...(context.tags ?? []), ...(context.softTags ?? [])]
    const state = this.#judge(tags, kept.lastModified)
    if (state === 'expired') return null
    const { tags: _, ...entry } = kept
    if (state === 'stale') entry.lastModified = this.#outdated(kept)
    return entry as IncrementalEntry
  }

  async set(key: string, value: unknown, context: IncrementalSetContext = {}): Promise<void> {
    const { cacheControl } = context
    const kept: Kept = {
      lastModified: this.#store.now(),
      value,
      tags: [...new Set([...tagsOf(value), ...(context.tags ?? [])])],
      ...(cacheControl && { cacheControl }),
    }
    const expire = cacheControl?.expire ?? 0
    const ttl = expire > 0 ? expire * 1000 : undefined
    this.#store.entries.set(shortKey(key), kept, { ttl })
  }

  async revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void> {
    const list = [tags].flat()
    if (durations === undefined) this.#store.tags.expire(list)
    else this.#store.tags.markStale(list, durations.expire)
  }

  resetRequestCache(): void {}

  #judge(tags: readonly string[], timestamp: number): State {
    const now = tags.some(tag => this.#revalidated.includes(tag))
    return now ? 'expired' : this.#store.tags.judge(tags, timestamp)
  }

  /**
   * When to have been modified, so that Next.js serves an entry and makes it anew meanwhile: just
   * too long ago. Where Next.js makes nothing anew by age, it makes it anew first.
   */
  #outdated({ value, cacheControl }: Kept): number {
    if (propertyOf(value, 'kind') === 'FETCH') return LONG_AGO
    const revalidate = cacheControl?.revalidate
    return typeof revalidate === 'number' ? this.#store.now() - revalidate * 1000 - 1 : -1
  }
}

/** The tags that a value brings along. */
function tagsOf(value: unknown): readonly string[] {
  const header = propertyOf(propertyOf(value, 'headers'), TAGS_HEADER)
  if (typeof header === 'string') return header.split(',')
  const tags = propertyOf(value, 'tags')
  return Array.isArray(tags) ? tags : []
}

function propertyOf(value: unknown, name: string): unknown {
  const has = typeof value === 'object' && value !== null && Object.hasOwn(value, name)
  return has ? (value as Record<string, unknown>)[name] : undefined
}
