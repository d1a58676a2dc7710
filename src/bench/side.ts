// The sides of `breakwater bench`: what each is, and how one is made.
import type { Cache as AnyCache } from '../cache/cache.ts'
import type * as dropIn from '../lru-cache/index.ts'

/** What is measured of a side. */
export interface MapLike {
  get(key: string): unknown
  set(key: string, value: string): unknown
}

/** The sides, in the order in which they are shown. Those of a package are measured if it is installed. */
export const sides = {
  'breakwater/lru-cache': { package: undefined },
  Cache: { package: undefined },
  'lru-cache': { package: 'lru-cache' },
  'quick-lru': { package: 'quick-lru' },
} as const satisfies Record<string, { package: string | undefined }>
/** The name of a side. */
export type SideName = keyof typeof sides

/** Makes a side that holds so many entries. `url` is that of the package's file, if it is one's. */
export async function made(name: SideName, entries: number, url: string): Promise<MapLike> {
  switch (name) {
    case 'breakwater/lru-cache': {
      const { LRUCache } = (await import(name)) as typeof dropIn
      return new LRUCache<string, string>({ max: entries })
    }
    case 'Cache': {
      const own: string = 'breakwater'
      const { Cache } = (await import(own)) as { Cache: typeof AnyCache }
      return new Cache<string, string>({ max: entries })
    }
    case 'lru-cache': {
      const { LRUCache } = (await import(url)) as { LRUCache: Constructor }
      return new LRUCache({ max: entries })
    }
    case 'quick-lru': {
      const { default: QuickLRU } = (await import(url)) as { default: Constructor }
      return new QuickLRU({ maxSize: entries })
    }
  }
}

type Constructor = new (options: object) => MapLike
