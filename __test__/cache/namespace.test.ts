import test from 'ava'
import { BreakwaterError, InvalidOptionError } from '../../src/base/errors.ts'
import { Namespace, type NamespaceHost } from '../../src/cache/namespace.ts'
import { Cache } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

function setUp(options: { loader?: NamespaceHost<string>['loader'] } = {}) {
  const clock = new ManualClock()
  const { loader } = options
  const cache = new Cache<string, string>({ max: 1000, clock, ...(loader && { loader }) })
  const host: NamespaceHost<string> = cache
  return { clock, cache, host, v2: new Namespace(host, 'v2') }
}

test('keys of a namespace are those of the cache that begin with its name', async t => {
  const { cache, v2, clock } = setUp()
  v2.set('a', '1', { ttl: '1s' }).setMany([
    ['b', '2'],
    ['c', '3'],
  ])
  cache.set('a', 'other').set('v3:a', 'other')
  t.is(cache.get('v2:a'), '1')
  t.is(v2.get('a'), '1')
  t.is(v2.peek('b'), '2')
  t.true(v2.has('c'))
  t.false(v2.has('v2:a'))
  t.is(v2.ttl('a'), 1000)
  t.true(v2.expire('b', 500))
  t.deepEqual(v2.getMany(['a', 'b', 'z']), ['1', '2', undefined])
  t.deepEqual([...v2.keys()].toSorted(), ['a', 'b', 'c'])
  clock.advance(500)
  t.is(v2.get('b'), undefined)
  t.true(v2.delete('a'))
  t.is(v2.deleteMany(['a', 'c']), 1)
  t.deepEqual([...v2.keys()], [])
  t.deepEqual([...cache.keys()].toSorted(), ['a', 'v3:a'])
})

test('clear removes what was stored through the namespace, and nothing else', async t => {
  const { cache, host, v2 } = setUp()
  cache.set('a', 'kept')
  new Namespace(host, 'v3').set('a', 'kept')
  v2.set('a', '1')
  v2.set('b', '2', { tags: ['mine'] })
  await v2.getOrSet('c', () => '3')
  new Namespace(host, 'v2').clear()
  t.deepEqual([...v2.keys()], [])
  t.is(v2.get('c'), undefined)
  t.deepEqual([...cache.keys()].toSorted(), ['a', 'v3:a'])
  v2.set('a', 'new')
  t.is(v2.get('a'), 'new')
})

test('loaders of a call are given keys as they are in the namespace, that of the cache whole ones', async t => {
  const { v2 } = setUp({ loader: key => `cache ${key}` })
  t.is(await v2.fetch('a'), 'cache v2:a')
  t.is(await v2.fetch('b', { loader: key => `call ${key}` }), 'call b')
  t.is(await v2.getOrSet('c', async key => `factory ${key}`), 'factory c')
  t.is(await v2.fetch('c'), 'factory c')
})

test('many keys of a namespace are loaded together and go with it', async t => {
  const { cache, host, v2 } = setUp()
  const asked: (readonly string[])[] = []
  const batchLoader = (keys: readonly string[]) => {
    asked.push(keys)
    return new Map(keys.filter(key => key !== 'none').map(key => [key, `value ${key}`]))
  }
  v2.set('known', 'set')
  const [some, more] = await Promise.all([
    v2.fetchMany(['a', 'known', 'none', 'a'], batchLoader),
    v2.fetchMany(['b', 'a'], batchLoader),
  ])
  t.deepEqual(some, ['value a', 'set', undefined, 'value a'])
  t.deepEqual(more, ['value b', 'value a'])
  t.deepEqual(asked, [['a', 'none', 'b']])
  t.is(cache.get('v2:b'), 'value b')
  t.deepEqual(await v2.fetchMany(['c'], keys => keys.map(key => key.toUpperCase())), ['C'])
  new Namespace(host, 'v2').clear()
  t.deepEqual([...cache.keys()], [])
  await t.throwsAsync(v2.fetchMany('ab' as never), { code: 'ERR_INVALID_OPTION' })
  await t.throwsAsync(v2.fetchMany(['a'], 7 as never), { code: 'ERR_INVALID_OPTION' })
  await t.throwsAsync(v2.fetchMany([7 as never]), { code: 'ERR_INVALID_KEY' })
})

test("the cache's own loaders load many keys of a namespace, by whole keys", async t => {
  const single = setUp({
    loader: (key, load) => {
      load.tags = ['own']
      return `one ${key}`
    },
  })
  t.deepEqual(await single.v2.fetchMany(['a', 'b']), ['one v2:a', 'one v2:b'])
  single.v2.clear()
  t.deepEqual([...single.cache.keys()], [])
  const asked: (readonly string[])[] = []
  const cache = new Cache<string, string>({
    max: 10,
    batchLoader: keys => {
      asked.push(keys)
      return keys.map(key => `many ${key}`)
    },
  })
  t.deepEqual(await cache.namespace('v2').fetchMany(['a', 'b']), ['many v2:a', 'many v2:b'])
  t.deepEqual(asked, [['v2:a', 'v2:b']])
})

test('what is put into a namespace goes to the writer by its whole key, and with the namespace', async t => {
  const written: string[] = []
  const cache = new Cache<string, string>({
    max: 10,
    writer: ({ kind, key }) => void written.push(`${kind} ${key}`),
  })
  const v2 = cache.namespace('v2')
  await v2.put('a', '1', { tags: ['mine'] })
  await v2.put('b', '2')
  await v2.remove('b')
  t.deepEqual(written, ['set v2:a', 'set v2:b', 'delete v2:b'])
  t.deepEqual([...cache.keys()], ['v2:a'])
  v2.clear()
  t.deepEqual([...cache.keys()], [])
  v2.set('c', '3')
  await v2.invalidate('c')
  t.false(cache.has('v2:c'))
})

test('tags that a loader sets add to those of the namespace', async t => {
  const { v2, cache } = setUp({
    loader: async (key, load) => {
      load.tags = ['loaded']
      return key
    },
  })
  await v2.fetch('a')
  await v2.fetch('b')
  const tags = { tags: ['call'] }
  await v2.getOrSet(
    'c',
    (_, load) => {
      t.true(load.tags?.includes('call'))
      return 'c'
    },
    tags,
  )
  cache.invalidateTag('call')
  t.is(v2.get('c'), undefined)
  v2.invalidateTag('loaded')
  t.is(v2.get('a'), undefined)
  await v2.fetch('a')
  v2.clear()
  t.is(v2.get('a'), undefined)
})

test('a load that was under way at a clear gives its value and stores nothing', async t => {
  const { v2 } = setUp()
  let finish = (_: string) => {}
  const loaded = v2.getOrSet(
    'a',
    () =>
      new Promise<string>(resolve => {
        finish = resolve
      }),
  )
  await null
  v2.clear()
  finish('old')
  t.is(await loaded, 'old')
  t.is(v2.get('a'), undefined)
})

test('namespaces can be nested, and go with the one that they are in', t => {
  const { cache, v2 } = setUp()
  const [users, pages] = [v2.namespace('users'), v2.namespace('pages')]
  users.set('1', 'Alice')
  pages.set('/', 'home')
  v2.set('a', '1')
  t.is(users.path, 'v2:users')
  t.is(cache.get('v2:users:1'), 'Alice')
  t.deepEqual([...v2.keys()].toSorted(), ['a', 'pages:/', 'users:1'])
  t.deepEqual([...users.keys()], ['1'])
  users.clear()
  t.deepEqual([users.get('1'), pages.get('/'), v2.get('a')], [undefined, 'home', '1'])
  users.set('1', 'Bob')
  v2.clear()
  t.deepEqual([users.get('1'), pages.get('/'), v2.get('a')], [undefined, undefined, undefined])
})

test('names that cannot be are errors', t => {
  const { host, v2 } = setUp()
  for (const name of ['', 'a:b', ':', 'x'.repeat(129), 1, null, undefined]) {
    const error = t.throws(() => new Namespace(host, name as string), {
      instanceOf: InvalidOptionError,
    })
    t.is(error.option, 'namespace')
  }
  const long = new Namespace(host, 'x'.repeat(128))
  t.throws(() => long.namespace('y'.repeat(72)), { code: 'ERR_INVALID_OPTION' })
  long.namespace('y'.repeat(71)).set('a', '1')
  let deep = v2
  for (let i = 1; i < 8; i++) deep = deep.namespace('n')
  deep.set('a', '1')
  t.throws(() => deep.namespace('n'), { code: 'ERR_INVALID_OPTION' })
  const strange = new Namespace(host, '__proto__').set('constructor', '1')
  t.is(strange.get('constructor'), '1')
  t.is(strange.get('toString'), undefined)
})

test('keys that are no strings are errors that say so', async t => {
  const { v2 } = setUp()
  const message = 'a key must be a string in a namespace, not a number'
  t.throws(() => v2.get(1 as never), { instanceOf: BreakwaterError, message })
  t.throws(() => v2.set(1 as never, '1'), { code: 'ERR_INVALID_KEY', message })
  t.throws(() => v2.getMany([1 as never]), { message })
  t.throws(() => v2.deleteMany('ab' as never), { code: 'ERR_INVALID_OPTION' })
  t.throws(() => v2.setMany([[1 as never, '1']]), { message })
  await t.throwsAsync(v2.fetch(1 as never), { message })
  await t.throwsAsync(
    v2.getOrSet(1 as never, () => '1'),
    { message },
  )
  t.throws(() => v2.set('a', '1', { tags: 'abc' as never }), { code: 'ERR_INVALID_OPTION' })
  await t.throwsAsync(v2.getOrSet('a', 'b' as never), { code: 'ERR_INVALID_OPTION' })
})
