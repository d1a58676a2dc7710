// Next.js's own stores and its cache over them, with the time of the test. Imported before either.
import { createRequire } from 'node:module'
import type * as Incremental from 'next/dist/server/lib/incremental-cache/index.js'
import { ManualClock } from '../../src/testing.ts'

/** The time of both sides: milliseconds since 1970. */
export const clock = new ManualClock()
clock.advance(1.7e12)

Date.now = () => clock.now
Object.defineProperty(performance, 'timeOrigin', { value: 0 })
Object.defineProperty(performance, 'now', { value: () => clock.now })

const require = createRequire(import.meta.url)

/** A copy of Next.js's modules of caches, which know of no tags that another copy revalidated. */
export function nextModules() {
  for (const path of Object.keys(require.cache)) {
    if (path.includes('/next/dist/server/lib/')) delete require.cache[path]
  }
  const lib = 'next/dist/server/lib'
  return {
    ...(require(`${lib}/incremental-cache`) as typeof Incremental),
    ...(require(`${lib}/cache-handlers/default`) as {
      createDefaultCacheHandler(size: number): import('next/cache.js').CacheHandler
    }),
  }
}

export type NextModules = ReturnType<typeof nextModules>
export type IncrementalCache = Incremental.IncrementalCache

/** The file system of a server on which nothing is. */
const nothing = {
  existsSync: () => false,
  readFileSync: () => absent(),
  readFile: async () => absent(),
  stat: async () => absent(),
}

function absent(): never {
  throw Object.assign(new Error('there is no such file'), { code: 'ENOENT' })
}

/** The cache of one request, over Next.js's store in memory or over a handler. */
export function incrementalCache(
  { IncrementalCache }: NextModules,
  handler?: unknown,
): IncrementalCache {
  return new IncrementalCache({
    dev: false,
    minimalMode: false,
    requestHeaders: {},
    maxMemoryCacheSize: 50 * 1024 * 1024,
    previewProps: { previewModeId: 'preview' },
    prerenderManifest: { routes: {}, dynamicRoutes: {}, notFoundRoutes: [] },
    flushToDisk: false,
    ...(handler ? { CurCacheHandler: handler } : { fs: nothing, serverDistDir: '/nowhere' }),
  } as never)
}
