import test from 'ava'
import { bytes, Cache, CacheFullError, EntryTooLargeError } from '../../src/index.ts'

test('max bounds the entries, and lru evicts the one not used for longest', t => {
  const cache = new Cache({ max: 3, policy: 'lru' })
  cache.set('a', '1').set('b', '2').set('c', '3')
  cache.get('a')
  cache.set('d', '4')
  t.deepEqual(cache.getMany(['a', 'b', 'c', 'd']), ['1', undefined, '3', '4'])
  t.is(cache.size, 3)
})

for (const policy of ['lru', 'lfu', 'auto', 'random'] as const) {
  test(`a value just set is there, and no bound is exceeded: ${policy}`, t => {
    const cache = new Cache({ max: 100, maxBytes: '64kb', policy, codec: bytes() })
    for (let i = 0; i < 5000; i++) {
      cache.set(`${i}`, Buffer.alloc(i % 2000, i))
      if (i % 50 === 0) t.deepEqual(cache.get(`${i}`), Buffer.alloc(i % 2000, i))
      if (cache.size > 100 || cache.bytes > 65_536) t.fail(`${cache.size} ${cache.bytes}`)
    }
    t.true(cache.size > 0)
  })
}

test('a full cache that evicts nothing refuses, and keeps what it has', t => {
  const cache = new Cache({ max: 2, policy: 'none' })
  cache.set('a', '1').set('b', '2')
  t.throws(() => cache.set('c', '3'), { instanceOf: CacheFullError, code: 'ERR_CACHE_FULL' })
  t.throws(() => cache.setMany([['d', '4']]), { code: 'ERR_CACHE_FULL' })
  t.deepEqual(cache.getMany(['a', 'b', 'c']), ['1', '2', undefined])
  cache.set('a', 'new')
  t.is(cache.get('a'), 'new')
  cache.delete('b')
  t.is(cache.set('c', '3').get('c'), '3')
  t.is(cache.stats().rejected, 2)
})

test('an entry larger than the cache is refused with both sizes', t => {
  const cache = new Cache({ maxBytes: '64kb', codec: bytes() })
  cache.set('a', Buffer.from('kept'))
  const error = t.throws(() => cache.set('b', Buffer.alloc(100_000)), {
    instanceOf: EntryTooLargeError,
    code: 'ERR_ENTRY_TOO_LARGE',
  })
  t.true(error !== undefined && error.size > 100_000 && error.max <= 65_536)
  t.deepEqual(cache.get('a'), Buffer.from('kept'))
  t.is(cache.stats().rejected, 1)
})

test('resize changes one bound or both, at once', t => {
  const cache = new Cache({ max: 1000, maxBytes: '10mb', policy: 'lru' })
  for (let i = 0; i < 1000; i++) cache.set(`${i}`, 'v')
  cache.resize({ max: 10 })
  t.is(cache.size, 10)
  t.true(cache.has('999'))
  cache.resize({ maxBytes: '64kb' })
  t.true(cache.bytes <= 65_536)
  cache.resize({ max: 5000, maxBytes: '20mb' })
  for (let i = 0; i < 4000; i++) cache.set(`${i}`, 'v')
  t.is(cache.size, 4000)
})

test('a bound below what cannot be evicted is refused, and nothing changes', t => {
  const cache = new Cache({ max: 10, policy: 'none' })
  for (let i = 0; i < 10; i++) cache.set(`${i}`, 'v')
  t.throws(() => cache.resize({ max: 5 }), {
    code: 'ERR_INVALID_OPTION',
    message: /max must be.*5/,
  })
  t.is(cache.size, 10)
  t.throws(() => cache.set('more', 'v'), { code: 'ERR_CACHE_FULL' })
})
