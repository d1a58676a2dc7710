// How the class is imported, and what it says when it may grow without bound.
import { createRequire } from 'node:module'
import test from 'ava'
import { implementations } from './support/implementations.ts'

// Names in variables: the built package's types need not be there when this is compiled.
const packages: Record<string, string> = {
  'lru-cache': 'lru-cache',
  breakwater: 'breakwater/lru-cache',
}

for (const [name, specifier] of Object.entries(packages)) {
  test(`${name}: LRUCache is a named export, of ES modules and of CommonJS`, async t => {
    const module = await import(specifier)
    const required = createRequire(import.meta.url)(specifier)
    for (const { LRUCache } of [module, required]) {
      const cache = new LRUCache({ max: 2 }).set('a', 1).set('b', 2).set('c', 3)
      t.deepEqual(
        [...cache],
        [
          ['c', 3],
          ['b', 2],
        ],
      )
    }
    t.is(module.default?.LRUCache ?? module.LRUCache, module.LRUCache)
  })
}

for (const [name, LRUCache] of implementations) {
  test.serial(
    `${name}: a cache bounded by ttl alone that is not purged is warned of, once`,
    async t => {
      const warnings: (Error & { code?: string })[] = []
      const listen = (warning: Error) => void warnings.push(warning)
      process.on('warning', listen)
      const caches = [
        new LRUCache({ ttl: 5, ttlAutopurge: false }),
        new LRUCache({ ttl: 5, ttlAutopurge: false }),
      ]
      new LRUCache({ ttl: 5, ttlAutopurge: true })
      new LRUCache({ ttl: 5, max: 5 })
      await new Promise(resolve => setImmediate(resolve))
      process.off('warning', listen)
      t.is(caches.length, 2)
      t.deepEqual(
        warnings.map(({ name, code }) => [name, code]),
        [['UnboundedCacheWarning', 'LRU_CACHE_UNBOUNDED']],
      )
    },
  )
}
