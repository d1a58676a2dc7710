// The handler of the option `cacheHandlers`: what 'use cache' keeps.
import { EntryTooLargeError } from '../../base/errors.ts'
import { Pending } from '../../base/pending.ts'
import { shortKey } from '../short-key.ts'
import { type NextOptions, openStore, type Store } from './options.ts'

/** An entry as Next.js gives and takes it. */
export interface UseCacheEntry {
  /** What was cached, to be read once. */
  value: ReadableStream<Uint8Array>
  /** Its tags, without those of the path. */
  tags: string[]
  /** Seconds that a client may use it. */
  stale: number
  /** When it was made: milliseconds since 1970. */
  timestamp: number
  /** Seconds that it may be used at all. */
  expire: number
  /** Seconds after which it is made anew while it is served. */
  revalidate: number
}

/** What Next.js wants of the files that its option `cacheHandlers` names. */
export interface UseCacheHandler {
  /** The entry of a key, if none of its tags and of those of the path was revalidated. */
  get(cacheKey: string, softTags: string[]): Promise<UseCacheEntry | undefined>
  /** Stores an entry, once its stream has ended. */
  set(cacheKey: string, pendingEntry: Promise<UseCacheEntry>): Promise<void>
  /** Does nothing: tags are read where they are kept. */
  refreshTags(): Promise<void>
  /** When the last of the tags expired. Next.js 16 gives an array, 15 the tags themselves. */
  getExpiration(...tags: (string | string[])[]): Promise<number>
  /** What has one of the tags is not served any more, or, with `expire`, so many seconds longer. */
  updateTags(tags: string[], durations?: { expire?: number }): Promise<void>
  /** What Next.js 15 calls instead of `updateTags`. */
  expireTags(...tags: string[]): Promise<void>
}

interface Kept extends Omit<UseCacheEntry, 'value'> {
  value: Uint8Array
}

/** Next.js in development uses every entry so many seconds, however short its `expire`. */
const least = () => (process.env.__NEXT_DEV_SERVER ? 300 : 0)

/**
 * The handler that Next.js wants of a file that its option `cacheHandlers` names.
 *
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that cannot be.
 *
 * @example The file use-cache.mjs, which the option cacheHandlers of next.config names
 * ```ts
 * import { createUseCacheHandler } from 'breakwater/nextjs'
 *
 * export default createUseCacheHandler({ maxBytes: '256mb' })
 * ```
 */
export function createUseCacheHandler(options: NextOptions = {}): UseCacheHandler {
  return new UseCache(openStore<Kept>('use cache', options))
}

class UseCache implements UseCacheHandler {
  readonly #store: Store<Kept>
  /** Entries that are being stored, which a `get` waits for. */
  readonly #pending = new Pending<string, Promise<void>>()

  constructor(store: Store<Kept>) {
    this.#store = store
  }

  async get(cacheKey: string, softTags: string[]): Promise<UseCacheEntry | undefined> {
    const key = shortKey(cacheKey)
    await this.#pending.of(key)
    const kept = this.#store.entries.get(key)
    if (kept === undefined) return undefined
    const state = this.#store.tags.judge([...kept.tags, ...(softTags ?? [])], kept.timestamp)
    if (state === 'expired') return undefined
    const revalidate = state === 'stale' ? -1 : kept.revalidate
    return { ...kept, revalidate, value: streamOf(kept.value) }
  }

  async set(cacheKey: string, pendingEntry: Promise<UseCacheEntry>): Promise<void> {
    const key = shortKey(cacheKey)
    const storing = this.#keep(key, pendingEntry)
    this.#pending.begin(key, storing)
    try {
      await storing
    } finally {
      this.#pending.end(key, storing)
    }
  }

  async #keep(key: string, pendingEntry: Promise<UseCacheEntry>): Promise<void> {
    const kept = await bufferedEntry(pendingEntry)
    if (kept === undefined) return
    const { entries, now } = this.#store
    const seconds = Math.max(kept.expire, least())
    const ttl = kept.timestamp + seconds * 1000 - now()
    // By an entry that expired before it was made Next.js takes away the one before it.
    if (kept.expire < 0 || (seconds > 0 && ttl <= 0)) return void entries.delete(key)
    // What does not live at all is made for each request anew.
    if (seconds === 0) return
    try {
      entries.set(key, kept, { ttl: Number.isFinite(ttl) ? ttl : undefined })
    } catch (error) {
      // It is made again for the next request, as if it had been evicted.
      if (!(error instanceof EntryTooLargeError)) throw error
    }
  }

  async refreshTags(): Promise<void> {}

  async getExpiration(...tags: (string | string[])[]): Promise<number> {
    return this.#store.tags.lastExpired(tags.flat())
  }

  async updateTags(tags: string[], durations?: { expire?: number }): Promise<void> {
    if (durations === undefined) this.#store.tags.expire(tags)
    else this.#store.tags.markStale(tags, durations.expire)
  }

  async expireTags(...tags: string[]): Promise<void> {
    this.#store.tags.expire(tags.flat())
  }
}

/** The entry with its stream read to the end; `undefined` if it broke off, which Next.js reports. */
async function bufferedEntry(pendingEntry: Promise<UseCacheEntry>): Promise<Kept | undefined> {
  try {
    const { value, tags, stale, timestamp, expire, revalidate } = await pendingEntry
    const bytes = new Uint8Array(await new Response(value).arrayBuffer())
    return { value: bytes, tags, stale, timestamp, expire, revalidate }
  } catch {
    return undefined
  }
}

/** A stream of a copy: who reads a stream may do with its bytes what they like. */
function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(bytes))
      controller.close()
    },
  })
}
