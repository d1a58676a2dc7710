// Defaults, the fields that may be changed, those that may not, and a cache given as the options.
import { contract } from './support/implementations.ts'
import { Clock, timed } from './support/time.ts'

const flags = [
  'updateAgeOnGet',
  'updateAgeOnHas',
  'allowStale',
  'noDisposeOnSet',
  'noUpdateTTL',
  'noDeleteOnFetchRejection',
  'noDeleteOnStaleGet',
  'allowStaleOnFetchAbort',
  'allowStaleOnFetchRejection',
  'ignoreFetchAbort',
  'ttlAutopurge',
] as const

for (const flag of flags) {
  contract(`${flag} is false by default, and a boolean whatever was given`, (t, LRUCache) => {
    t.is(new LRUCache({ max: 5 })[flag], false)
    t.is(new LRUCache({ max: 5, [flag]: true })[flag], true)
    t.is(new LRUCache({ max: 5, [flag]: 1 } as never)[flag], true)
    t.is(new LRUCache({ max: 5, [flag]: 0 } as never)[flag], false)
    t.is(new LRUCache({ max: 5, [flag]: undefined } as never)[flag], false)
  })

  contract(`${flag} is a field that may be changed`, (t, LRUCache) => {
    const cache = new LRUCache({ max: 5 })
    cache[flag] = true
    t.is(cache[flag], true)
  })
}

contract('the defaults of what is no flag', (t, LRUCache) => {
  const cache = new LRUCache({ max: 5 })
  t.is(cache.max, 5)
  t.is(cache.maxSize, 0)
  t.is(cache.maxEntrySize, 0)
  t.is(cache.ttl, 0)
  t.is(cache.ttlResolution, 1)
  t.is(cache.backgroundFetchSize, 1)
  t.is(cache.size, 0)
  t.is(cache.calculatedSize, 0)
  t.is(cache.sizeCalculation, undefined)
  t.is(cache.fetchMethod, undefined)
  t.is(cache.memoMethod, undefined)
  t.is(cache.dispose, undefined)
  t.is(cache.disposeAfter, undefined)
  t.is(cache.onInsert, undefined)
  t.is(cache.perf, performance)
})

contract('what was given can be read', (t, LRUCache) => {
  const f = () => 1
  const perf = { now: () => 1 }
  const cache = new LRUCache<string, number>({
    max: 5,
    maxSize: 100,
    maxEntrySize: 10,
    sizeCalculation: f,
    ttl: 1000,
    ttlResolution: 50,
    dispose: f,
    disposeAfter: f,
    onInsert: f,
    fetchMethod: f,
    memoMethod: f,
    backgroundFetchSize: 3,
    perf,
  })
  t.is(cache.max, 5)
  t.is(cache.maxSize, 100)
  t.is(cache.maxEntrySize, 10)
  t.is(cache.sizeCalculation, f)
  t.is(cache.ttl, 1000)
  t.is(cache.ttlResolution, 50)
  t.is(cache.dispose, f)
  t.is(cache.disposeAfter, f)
  t.is(cache.onInsert, f)
  t.is(cache.fetchMethod, f)
  t.is(cache.memoMethod, f)
  t.is(cache.backgroundFetchSize, 3)
  t.is(cache.perf, perf)
})

contract('ttlResolution is 1 unless it is a whole number from 0', (t, LRUCache) => {
  const of = (ttlResolution: unknown) =>
    new LRUCache({ max: 5, ttlResolution } as never).ttlResolution
  t.is(of(0), 0)
  t.is(of(7), 7)
  for (const odd of [-1, 1.5, Number.NaN, '5', null, undefined, Number.POSITIVE_INFINITY])
    t.is(of(odd), 1)
})

for (const name of [
  'max',
  'maxSize',
  'size',
  'calculatedSize',
  'fetchMethod',
  'memoMethod',
  'dispose',
  'disposeAfter',
  'onInsert',
  'perf',
] as const) {
  contract(`${name} cannot be changed`, (t, LRUCache) => {
    const cache = new LRUCache({ max: 5 })
    const before = cache[name]
    t.throws(() => Object.assign(cache, { [name]: 17 }), { instanceOf: TypeError })
    t.is(cache[name], before)
  })
}

contract('a changed ttl holds for what is set from then on', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 100, ...timed(clock) })
  cache.set('a', 1)
  cache.ttl = 1000
  cache.set('b', 1)
  t.is(cache.getRemainingTTL('a'), 100)
  t.is(cache.getRemainingTTL('b'), 1000)
  cache.ttl = 0
  cache.set('c', 1)
  t.is(cache.getRemainingTTL('c'), Number.POSITIVE_INFINITY)
})

contract('a ttl given to a cache that had none holds', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ...timed(clock) })
  cache.set('a', 1)
  cache.ttl = 100
  cache.set('b', 1)
  clock.advance(101)
  t.is(cache.get('a'), 1)
  t.is(cache.get('b'), undefined)
})

contract('a changed allowStale holds for the next get', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 10, ...timed(clock) })
  cache.set('a', 1).set('b', 2)
  clock.advance(11)
  cache.allowStale = true
  t.is(cache.get('a'), 1)
  t.deepEqual([...cache.keys()], ['b'])
  cache.allowStale = false
  t.deepEqual([...cache.keys()], [])
  t.is(cache.get('b'), undefined)
})

contract('a changed noDeleteOnStaleGet holds for the next get', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 10, ...timed(clock) })
  cache.set('a', 1)
  clock.advance(11)
  cache.noDeleteOnStaleGet = true
  t.is(cache.get('a'), undefined)
  t.is(cache.size, 1)
  cache.noDeleteOnStaleGet = false
  t.is(cache.get('a'), undefined)
  t.is(cache.size, 0)
})

contract('changed updateAgeOnGet, updateAgeOnHas and noUpdateTTL hold', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 100, ...timed(clock) })
  cache.set('a', 1)
  clock.advance(40)
  cache.updateAgeOnGet = true
  cache.get('a')
  t.is(cache.getRemainingTTL('a'), 100)
  clock.advance(40)
  cache.has('a')
  t.is(cache.getRemainingTTL('a'), 60)
  cache.updateAgeOnHas = true
  cache.has('a')
  t.is(cache.getRemainingTTL('a'), 100)
  clock.advance(30)
  cache.noUpdateTTL = true
  cache.set('a', 2)
  t.is(cache.getRemainingTTL('a'), 70)
})

contract('a changed maxEntrySize and sizeCalculation hold for the next set', (t, LRUCache) => {
  const cache = new LRUCache<string, string>({ maxSize: 10, sizeCalculation: v => v.length })
  cache.set('a', 'xxx')
  cache.maxEntrySize = 2
  cache.set('b', 'xxx')
  t.deepEqual([...cache.keys()], ['a'])
  cache.sizeCalculation = () => 1
  cache.set('c', 'xxxxxx')
  t.is(cache.calculatedSize, 4)
})

contract('a changed noDisposeOnSet holds for the next set', (t, LRUCache) => {
  const left: number[] = []
  const cache = new LRUCache<string, number>({ max: 5, dispose: value => left.push(value) })
  cache.set('a', 1)
  cache.noDisposeOnSet = true
  cache.set('a', 2)
  t.deepEqual(left, [])
  cache.noDisposeOnSet = false
  cache.set('a', 3)
  t.deepEqual(left, [2])
})

contract('a cache may be given as the options of another', (t, LRUCache) => {
  const clock = new Clock()
  const f = () => 1
  const first = new LRUCache<string, number>({
    max: 5,
    maxSize: 50,
    maxEntrySize: 20,
    sizeCalculation: f,
    ttl: 100,
    allowStale: true,
    noDeleteOnStaleGet: true,
    updateAgeOnGet: true,
    noUpdateTTL: true,
    backgroundFetchSize: 2,
    dispose: f,
    disposeAfter: f,
    onInsert: f,
    fetchMethod: f,
    memoMethod: f,
    ...timed(clock),
  })
  first.set('a', 1)
  const second = new LRUCache<string, number>(first)
  t.is(second.size, 0)
  for (const name of [
    'max',
    'maxSize',
    'maxEntrySize',
    'sizeCalculation',
    'ttl',
    'ttlResolution',
    'perf',
    'dispose',
    'disposeAfter',
    'onInsert',
    'fetchMethod',
    'memoMethod',
    'backgroundFetchSize',
    ...flags,
  ] as const) {
    t.is(second[name], first[name], name)
  }
})

contract('a cache made of another takes its fields as they are now', (t, LRUCache) => {
  const first = new LRUCache<string, number>({ max: 5 })
  first.ttl = 500
  first.allowStale = true
  const second = new LRUCache<string, number>(first)
  t.is(second.ttl, 500)
  t.true(second.allowStale)
})

contract('an option object is read and not kept', (t, LRUCache) => {
  const options = { max: 5, ttl: 100, allowStale: false }
  const cache = new LRUCache<string, number>(options)
  options.allowStale = true
  options.ttl = 7
  t.false(cache.allowStale)
  t.is(cache.ttl, 100)
  t.deepEqual(options, { max: 5, ttl: 7, allowStale: true })
})

contract('options may come by inheritance', (t, LRUCache) => {
  const cache = new LRUCache<string, number>(Object.create({ max: 2 }))
  t.is(cache.max, 2)
})

contract('an option that is undefined in a call is as one left out', (t, LRUCache) => {
  const clock = new Clock()
  const cache = new LRUCache<string, number>({ max: 5, ttl: 10, allowStale: true, ...timed(clock) })
  cache.set('a', 1, { ttl: undefined } as never)
  clock.advance(11)
  t.is(cache.peek('a', { allowStale: undefined } as never), 1)
  t.is(cache.get('a', { allowStale: undefined } as never), 1)
})
