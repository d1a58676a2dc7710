// A small site that keeps everything in Breakwater.
import { fileURLToPath } from 'node:url'

const path = name => fileURLToPath(new URL(name, import.meta.url))

export default {
  cacheComponents: true,
  partialPrefetching: true,
  // What Next.js itself would keep.
  cacheMaxMemorySize: 0,
  cacheHandler: path('cache-handler.mjs'),
  cacheHandlers: { default: path('use-cache.mjs') },
}
