// Cache handlers for Next.js, versions 15 and 16: one for each of its two options.
export {
  type CacheControl,
  createCacheHandler,
  type IncrementalContext,
  type IncrementalEntry,
  type IncrementalGetContext,
  type IncrementalHandler,
  type IncrementalSetContext,
} from './nextjs/incremental.ts'
export type { NextOptions } from './nextjs/options.ts'
export {
  createUseCacheHandler,
  type UseCacheEntry,
  type UseCacheHandler,
} from './nextjs/use-cache.ts'
