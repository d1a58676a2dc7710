// A program that uses the drop-in alone, and has neither the types of Node.js nor of a browser.
import { LRUCache } from 'breakwater/lru-cache'

const cache = new LRUCache<string, number>({
  max: 5,
  fetchMethod: async (key, _stale, { signal }) => (signal === undefined ? 0 : key.length),
})
export const value: number | undefined = cache.set('a', 1).get('a')
export const fetched: Promise<number | undefined> = cache.fetch('a')

const options: LRUCache.Options<string, number, unknown> = { max: 5, ttl: 5 }
export class Small extends LRUCache<string, number> {
  constructor() {
    super(options)
  }
}
export const status: LRUCache.Status<string, number> = {}
export const same: LRUCache<string, number> | undefined = status.cache
new Small().close()
