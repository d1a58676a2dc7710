import test from 'ava'
import { Cache } from '../../src/index.ts'

test('keys that are missed in one tick are loaded together, each once', async t => {
  const batches: string[][] = []
  const cache = new Cache<string, string>({
    max: 100,
    batchLoader: async keys => {
      batches.push([...keys])
      return keys.map(key => key.toUpperCase())
    },
  })
  cache.set('a', 'known')
  const all = await Promise.all([
    cache.fetchMany(['a', 'b', 'c', 'b']),
    cache.fetchMany(['c', 'd']),
    cache.fetch('e'),
  ])
  t.deepEqual(all, [['known', 'B', 'C', 'B'], ['C', 'D'], 'E'])
  t.deepEqual(batches, [['b', 'c', 'd', 'e']])
  t.deepEqual(await cache.fetchMany(['e', 'd']), ['E', 'D'])
  t.is(batches.length, 1)
})

test('a batch has at most as many keys as it may', async t => {
  const sizes: number[] = []
  const cache = new Cache<number, number>({ max: 1000, codec: 'number', batch: { maxBatch: 30 } })
  const keys = Array.from({ length: 100 }, (_, i) => i)
  const values = await cache.fetchMany(keys, async keys => {
    sizes.push(keys.length)
    return new Map(keys.map(key => [key, key * 2]))
  })
  t.deepEqual(
    values,
    keys.map(key => key * 2),
  )
  t.deepEqual(sizes, [30, 30, 30, 10])
})

test('an error fails its key alone, and the others are kept', async t => {
  const cache = new Cache<string, string>({ max: 10 })
  const loader = async (keys: readonly string[]) =>
    keys.map(key => (key === 'b' ? new RangeError('no b') : key))
  await t.throwsAsync(cache.fetchMany(['a', 'b', 'c'], loader), { message: 'no b' })
  t.deepEqual([cache.get('a'), cache.get('b'), cache.get('c')], ['a', undefined, 'c'])
})

test('a batch loader that gives something else than a value for each key is told so', async t => {
  const cache = new Cache<string, string>({ max: 10 })
  for (const result of [['a'], 'ab', undefined, null, {}]) {
    await t.throwsAsync(
      cache.fetchMany(['a', 'b'], async () => result as never),
      {
        code: 'ERR_BATCH_RESULT',
      },
    )
  }
  await t.throwsAsync(cache.fetchMany('a' as never), {
    code: 'ERR_INVALID_OPTION',
    message: /keys/,
  })
  await t.throwsAsync(cache.fetchMany(['a'], 'x' as never), { code: 'ERR_INVALID_OPTION' })
  t.throws(() => new Cache({ max: 1, loader: () => 'x', batchLoader: async () => [] }), {
    code: 'ERR_OPTION_COMBINATION',
  })
})
