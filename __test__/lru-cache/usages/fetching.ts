// fetch and memo, with and without a context.
import { LRUCache } from 'lru-cache'

interface Page {
  url: string
  body: string
}

interface Context {
  user: string
  trace?: string
}

export const pages = new LRUCache<string, Page>({
  max: 100,
  ttl: 1000,
  allowStaleOnFetchRejection: true,
  fetchMethod: async (url, stale, { signal, options }) => {
    const response = await fetch(url, { signal })
    if (response.status === 304) return stale
    if (!response.ok) return undefined
    options.ttl = 5
    return { url, body: await response.text() }
  },
})

export async function read(url: string): Promise<string | undefined> {
  const page = await pages.fetch(url)
  const forced: Page = await pages.forceFetch(url, { forceRefresh: true })
  const controller = new AbortController()
  await pages.fetch(url, { signal: controller.signal, allowStale: true, ttl: 5, size: 1 })
  return page?.body ?? forced.body
}

export const contextual = new LRUCache<string, Page, Context>({
  max: 10,
  fetchMethod: async (url, _stale, { context }) => ({ url, body: context.user }),
  memoMethod: (url, stale, { context, options }) => {
    options.ttl = 5
    return { url: stale?.url ?? url, body: context.trace ?? context.user }
  },
})
export const withContext: Promise<Page | undefined> = contextual.fetch('a', {
  context: { user: 'b' },
})
export const memoWithContext: Page = contextual.memo('a', { context: { user: 'b' }, ttl: 5 })

export const noContext = new LRUCache<string, Page, void>({
  max: 10,
  fetchMethod: async url => ({ url, body: '' }),
  memoMethod: url => ({ url, body: '' }),
})
void noContext.fetch('a')
void noContext.fetch('a', { context: undefined })
void noContext.forceFetch('a', {})
noContext.memo('a')

export const undefinedContext = new LRUCache<string, Page, undefined>({ max: 10 })
void undefinedContext.fetch('a')

// A fetcher of its own, typed.
const fetcher: LRUCache.Fetcher<string, Page> = async (url, _stale, { signal }) => {
  signal.throwIfAborted()
  return { url, body: '' }
}
export const withFetcher = new LRUCache({ max: 10, fetchMethod: fetcher })
export const inferredPage: Promise<Page | undefined> = withFetcher.fetch('a')

const memoizer: LRUCache.Memoizer<string, Page, Context> = (url, _stale, { context }) => ({
  url,
  body: context.user,
})
export const withMemoizer = new LRUCache<string, Page, Context>({ max: 10, memoMethod: memoizer })

// Key and value follow from the method.
export const inferred = new LRUCache({
  max: 10,
  fetchMethod: async (key: string) => ({ length: key.length }),
})
export const length = inferred.fetch('a').then(value => value?.length.toFixed())

export const synchronous = new LRUCache<string, number>({
  max: 10,
  fetchMethod: key => key.length,
  dispose: (value, key, reason) => {
    const reasons: LRUCache.DisposeReason[] = ['evict', 'set', 'delete', 'expire', 'fetch']
    console.log(value.toFixed(), key.length, reasons.includes(reason))
  },
})

export const status: LRUCache.Status<string, Page> = {}
void pages
  .fetch('a', { status })
  .then(() => status.fetchDispatched === true && status.fetch === 'miss')

/** Options of a fetch, handed on. */
export function load(url: string, options: LRUCache.FetchOptions<string, Page, unknown> = {}) {
  return pages.fetch(url, { ...options, allowStale: true })
}

/** A function around a cache, generic in all. */
export function cached<K extends {}, V extends {}>(
  load: (key: K, signal: AbortSignal) => Promise<V>,
  options: LRUCache.OptionsMaxLimit<K, V, unknown>,
): (key: K) => Promise<V | undefined> {
  const cache = new LRUCache<K, V>({
    ...options,
    fetchMethod: (key, _stale, { signal }) => load(key, signal),
  })
  return key => cache.fetch(key)
}
export const sized = cached(async (key: string) => key.length, { max: 10, ttl: 50 })
