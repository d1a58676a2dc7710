// A small round trip that every runtime must make with the installed package.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { bytes, Cache, json } from 'breakwater'
import { createStore } from 'breakwater/cache-manager'
import { KeyvStore } from 'breakwater/keyv'
import { LRUCache } from 'breakwater/lru-cache'
import { memoize } from 'breakwater/memoize'
import { createCacheHandler, createUseCacheHandler } from 'breakwater/nextjs'

const texts = new Cache({ max: 1000, maxBytes: '1mb' })
texts.set('a', '1')
texts.set('ü€😀', 'é€😀')
assert.equal(texts.get('a'), '1')
assert.equal(texts.get('ü€😀'), 'é€😀')
assert.deepEqual([...texts.getMany(['a', 'none'])], ['1', undefined])
assert.equal(texts.delete('a'), true)
assert.equal(texts.has('a'), false)

const blobs = new Cache({ max: 10, codec: bytes() })
blobs.set(7, Buffer.from([0, 1, 255]))
assert.deepEqual([...blobs.get(7)], [0, 1, 255])

const users = new Cache({ codec: json(), max: 10 })
users.set('1', { name: 'Alice' })
const worker = new Worker(new URL('worker.mjs', import.meta.url), { workerData: users.handle })
const [seen] = await once(worker, 'message')
assert.equal(seen, 'Alice')
assert.deepEqual(users.get('2'), { name: 'Bob' })

// The near cache: a reader that does nothing but wait for a change sees it, however well its loop
// is compiled.
assert.equal(users.get('2'), users.get('2'))
assert.ok(users.stats().nearHits > 0)
users.set('round', { n: 0 })
worker.postMessage(1000)
for (let n = 0; n < 1000; ) n = users.get('round').n
await worker.terminate()

const local = new LRUCache({ max: 2 }).set('a', users).set('b', 2)
assert.equal(local.get('a'), users)
assert.deepEqual([...local.set('c', 3).keys()], ['c', 'a'])
const shared = new LRUCache({ shared: 'round trip', max: 10, ttl: 60_000 })
shared.set('a', { name: 'Alice' })
assert.deepEqual(new LRUCache({ shared: 'round trip' }).get('a'), { name: 'Alice' })
assert.ok(shared instanceof LRUCache)

assert.throws(() => new Cache({ max: -1 }), { code: 'ERR_INVALID_OPTION' })
// The adapters, without what they adapt to.
for (const store of [new KeyvStore({ max: 10 }), createStore({ max: 10 })]) {
  await store.set('a', '1', 60_000)
  assert.equal(await store.get('a'), '1')
  await store.disconnect()
}
const square = memoize(async n => n * n)
assert.deepEqual(await Promise.all([square(2), square(2)]), [4, 4])
square.cache.close()
const handler = new (createCacheHandler({ max: 10 }))()
await handler.set('a', { kind: 'FETCH' }, { tags: ['tag'] })
assert.equal((await handler.get('a')).value.kind, 'FETCH')
await createUseCacheHandler({ max: 10 }).updateTags(['tag'])
assert.equal(await handler.get('a'), null)

for (const cache of [texts, blobs, users]) cache.close()
console.log('round trip')
