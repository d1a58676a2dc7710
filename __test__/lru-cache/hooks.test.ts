// dispose, disposeAfter and onInsert: when, in which order, with what.

import { recorder } from './support/hooks.ts'
import { type Any, contract, type LRUCacheClass } from './support/implementations.ts'
import { Clock, timed } from './support/time.ts'

function hooked(LRUCache: LRUCacheClass, options: object = {}) {
  const { hooks, taken } = recorder<string, number>()
  const cache = new LRUCache<string, number>({ max: 2, ...hooks, ...options })
  return { cache, taken }
}

contract('a new entry fires onInsert add', (t, LRUCache) => {
  const { cache, taken } = hooked(LRUCache)
  cache.set('a', 1)
  t.deepEqual(taken(), [['onInsert', 'a', 1, 'add']])
})

contract('the identical value fires onInsert update and no dispose', (t, LRUCache) => {
  const { cache, taken } = hooked(LRUCache)
  cache.set('a', 1)
  taken()
  cache.set('a', 1)
  t.deepEqual(taken(), [['onInsert', 'a', 1, 'update']])
})

contract('NaN is not identical to itself, and 0 is to -0', (t, LRUCache) => {
  const { cache, taken } = hooked(LRUCache)
  cache.set('a', Number.NaN).set('b', 0)
  taken()
  cache.set('b', -0)
  t.deepEqual(
    taken().map(([hook, , , reason]) => `${hook} ${reason}`),
    ['onInsert update'],
  )
  cache.set('a', Number.NaN)
  t.deepEqual(
    taken().map(([hook, , , reason]) => `${hook} ${reason}`),
    ['dispose set', 'onInsert replace', 'disposeAfter set'],
  )
})

contract(
  'a changed value fires dispose set, then onInsert replace, then disposeAfter',
  (t, LRUCache) => {
    const { cache, taken } = hooked(LRUCache)
    cache.set('a', 1)
    taken()
    cache.set('a', 2)
    t.deepEqual(taken(), [
      ['dispose', 'a', 1, 'set'],
      ['onInsert', 'a', 2, 'replace'],
      ['disposeAfter', 'a', 1, 'set'],
    ])
  },
)

contract('evicting fires dispose, onInsert, disposeAfter', (t, LRUCache) => {
  const { cache, taken } = hooked(LRUCache)
  cache.set('a', 1).set('b', 2)
  taken()
  cache.set('c', 3)
  t.deepEqual(taken(), [
    ['dispose', 'a', 1, 'evict'],
    ['onInsert', 'c', 3, 'add'],
    ['disposeAfter', 'a', 1, 'evict'],
  ])
})

contract(
  'evicting many by size fires all disposes, then onInsert, then all disposeAfter',
  (t, LRUCache) => {
    const { cache, taken } = hooked(LRUCache, {
      max: 0,
      maxSize: 6,
      sizeCalculation: (v: number) => v,
    })
    cache.set('a', 1).set('b', 2).set('c', 3)
    taken()
    cache.set('d', 5)
    t.deepEqual(taken(), [
      ['dispose', 'a', 1, 'evict'],
      ['dispose', 'b', 2, 'evict'],
      ['dispose', 'c', 3, 'evict'],
      ['onInsert', 'd', 5, 'add'],
      ['disposeAfter', 'a', 1, 'evict'],
      ['disposeAfter', 'b', 2, 'evict'],
      ['disposeAfter', 'c', 3, 'evict'],
    ])
  },
)

contract('a growing update fires its own dispose before those of what it evicts', (t, LRUCache) => {
  const { cache, taken } = hooked(LRUCache, {
    max: 0,
    maxSize: 6,
    sizeCalculation: (v: number) => v,
  })
  cache.set('a', 1).set('b', 2).set('c', 3)
  taken()
  cache.set('a', 4)
  t.deepEqual(taken(), [
    ['dispose', 'a', 1, 'set'],
    ['dispose', 'b', 2, 'evict'],
    ['dispose', 'c', 3, 'evict'],
    ['onInsert', 'a', 4, 'replace'],
    ['disposeAfter', 'a', 1, 'set'],
    ['disposeAfter', 'b', 2, 'evict'],
    ['disposeAfter', 'c', 3, 'evict'],
  ])
})

contract('delete fires dispose and disposeAfter with delete', (t, LRUCache) => {
  const { cache, taken } = hooked(LRUCache)
  cache.set('a', 1).set('b', 2)
  taken()
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    cache.delete(key)
    t.deepEqual(taken(), [
      ['dispose', key, value, 'delete'],
      ['disposeAfter', key, value, 'delete'],
    ])
  }
  cache.delete('a')
  t.deepEqual(taken(), [])
})

contract('clear fires delete from least to most recent, disposeAfter at the end', (t, LRUCache) => {
  const { cache, taken } = hooked(LRUCache)
  cache.set('a', 1).set('b', 2)
  cache.get('a')
  taken()
  cache.clear()
  t.deepEqual(taken(), [
    ['dispose', 'b', 2, 'delete'],
    ['dispose', 'a', 1, 'delete'],
    ['disposeAfter', 'b', 2, 'delete'],
    ['disposeAfter', 'a', 1, 'delete'],
  ])
})

contract('pop fires evict', (t, LRUCache) => {
  const { cache, taken } = hooked(LRUCache)
  cache.set('a', 1)
  taken()
  cache.pop()
  t.deepEqual(taken(), [
    ['dispose', 'a', 1, 'evict'],
    ['disposeAfter', 'a', 1, 'evict'],
  ])
})

contract('a stale get fires expire', (t, LRUCache) => {
  const clock = new Clock()
  const { cache, taken } = hooked(LRUCache, { ttl: 10, ...timed(clock) })
  cache.set('a', 1)
  clock.advance(11)
  taken()
  cache.get('a')
  t.deepEqual(taken(), [
    ['dispose', 'a', 1, 'expire'],
    ['disposeAfter', 'a', 1, 'expire'],
  ])
})

contract(
  'with noDisposeOnSet a changed value fires neither dispose nor disposeAfter',
  (t, LRUCache) => {
    const { cache, taken } = hooked(LRUCache, { noDisposeOnSet: true })
    cache.set('a', 1).set('b', 2)
    taken()
    cache.set('a', 3)
    t.deepEqual(taken(), [['onInsert', 'a', 3, 'replace']])
    cache.set('a', 4, { noDisposeOnSet: false })
    t.deepEqual(
      taken().map(([hook]) => hook),
      ['dispose', 'onInsert', 'disposeAfter'],
    )
  },
)

contract('noDisposeOnSet of a set holds for that set', (t, LRUCache) => {
  const { cache, taken } = hooked(LRUCache)
  cache.set('a', 1)
  taken()
  cache.set('a', 2, { noDisposeOnSet: true })
  t.deepEqual(taken(), [['onInsert', 'a', 2, 'replace']])
})

contract('noDisposeOnSet still lets an eviction fire dispose at once', (t, LRUCache) => {
  const { cache, taken } = hooked(LRUCache, { noDisposeOnSet: true })
  cache.set('a', 1).set('b', 2)
  taken()
  cache.set('c', 3)
  t.deepEqual(taken()[0], ['dispose', 'a', 1, 'evict'])
})

contract(
  'dispose runs while the entry is still to be changed, disposeAfter when it is',
  (t, LRUCache) => {
    const seen: unknown[] = []
    const cache: InstanceType<LRUCacheClass> = new LRUCache<Any, Any>({
      max: 2,
      disposeAfter: (_value, key) => seen.push(['after', cache.peek(key)]),
    })
    cache.set('a', 1)
    cache.set('a', 2)
    t.deepEqual(seen, [['after', 2]])
    cache.delete('a')
    t.deepEqual(seen, [
      ['after', 2],
      ['after', undefined],
    ])
  },
)

contract('disposeAfter may set the key again', (t, LRUCache) => {
  const cache: InstanceType<LRUCacheClass> = new LRUCache<Any, Any>({
    max: 2,
    disposeAfter: (value, key, reason) => {
      if (reason === 'delete') cache.set(key, `again ${String(value)}`)
    },
  })
  cache.set('a', 1).set('b', 2)
  cache.delete('a')
  t.is(cache.get('a'), 'again 1')
})

contract('the hooks may read the cache', (t, LRUCache) => {
  const sizes: number[] = []
  const cache: InstanceType<LRUCacheClass> = new LRUCache<Any, Any>({
    max: 2,
    onInsert: () => sizes.push(cache.size),
  })
  cache.set('a', 1).set('b', 2).set('c', 3)
  t.deepEqual(sizes, [1, 2, 2])
})

contract('an error of a hook reaches the caller', (t, LRUCache) => {
  const error = new Error('mine')
  const fail = () => {
    throw error
  }
  const disposing = new LRUCache<string, number>({ max: 2, disposeAfter: fail })
  disposing.set('a', 1)
  t.is(
    t.throws(() => disposing.delete('a')),
    error,
  )
  t.false(disposing.has('a'))
  const inserting = new LRUCache<string, number>({ max: 2, onInsert: fail })
  t.is(
    t.throws(() => inserting.set('a', 1)),
    error,
  )
  t.is(inserting.get('a'), 1)
})

contract('the hooks work each without the others', (t, LRUCache) => {
  for (const hook of ['dispose', 'disposeAfter', 'onInsert'] as const) {
    const calls: unknown[] = []
    const cache = new LRUCache<string, number>({
      max: 1,
      [hook]: (value: number, key: string, reason: string) => calls.push([key, value, reason]),
    })
    cache.set('a', 1).set('a', 1).set('a', 2).set('b', 3)
    cache.delete('b')
    const expected =
      hook === 'onInsert'
        ? [
            ['a', 1, 'add'],
            ['a', 1, 'update'],
            ['a', 2, 'replace'],
            ['b', 3, 'add'],
          ]
        : [
            ['a', 1, 'set'],
            ['a', 2, 'evict'],
            ['b', 3, 'delete'],
          ]
    t.deepEqual(calls, expected)
  }
})

contract('null and 0 are disposed of as any value', (t, LRUCache) => {
  const left: unknown[] = []
  const cache = new LRUCache<string, Any>({ max: 5, dispose: value => left.push(value) })
  cache
    .set('a', 0)
    .set('b', null as never)
    .set('c', '')
  cache.set('a', 1)
  cache.delete('b')
  cache.clear()
  t.deepEqual(left, [0, null, '', 1])
})
