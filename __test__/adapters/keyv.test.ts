import test from 'ava'
import { Keyv } from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import { KeyvStore } from '../../src/adapters/keyv.ts'
import { Cache } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

// Both versions, where they agree. What Keyv's own suite checks is not checked again here.
const versions: [string, typeof Keyv][] = [
  ['5', Keyv],
  ['6', Keyv6 as unknown as typeof Keyv],
]

for (const [version, Class] of versions) {
  const say = (what: string) => `Keyv ${version}: ${what}`

  test(say('namespaces share a cache through a store each, and are cleared apart'), async t => {
    const cache = new Cache({ max: 100 })
    const a = new Class({ store: new KeyvStore(cache), namespace: 'a' })
    const b = new Class({ store: new KeyvStore(cache), namespace: 'b' })
    const ab = new Class({ store: new KeyvStore(cache), namespace: 'ab' })
    for (const keyv of [a, b, ab]) await keyv.set('key', keyv.namespace)
    t.is(cache.size, 3)
    await a.clear()
    t.deepEqual(await Promise.all([a, b, ab].map(keyv => keyv.get('key'))), [undefined, 'b', 'ab'])
  })

  test(say('an entry ends when its ttl has passed, and its room is given back'), async t => {
    const clock = new ManualClock()
    const store = new KeyvStore({ max: 100, clock })
    const keyv = new Class({ store, ttl: 1000 })
    await keyv.set('default', 1)
    await keyv.set('longer', 2, 60_000)
    await keyv.set('forever', 3, 0)
    t.true(store.cache.size === 3)
    clock.advance(2000)
    t.is(await keyv.get('default'), undefined)
    t.is(await keyv.get('longer'), 2)
    clock.advance(60_000)
    t.deepEqual(await keyv.getMany(['default', 'longer', 'forever']), [undefined, undefined, 3])
    t.is(store.cache.size, 1)
  })

  test(say('many keys are set, read, looked for and deleted'), async t => {
    const keyv = new Class({ store: new KeyvStore({ max: 100 }), namespace: 'many' })
    const entries = ['a', 'b', 'c'].map(key => ({ key, value: key.toUpperCase() }))
    t.deepEqual((await keyv.setMany(entries)) as unknown, [true, true, true])
    t.deepEqual(await keyv.getMany(['a', 'x', 'c']), ['A', undefined, 'C'])
    t.deepEqual(await keyv.hasMany(['a', 'x', 'c']), [true, false, true])
    // Keyv 5 tells whether all were deleted, Keyv 6 of each.
    const deleted: unknown = await keyv.deleteMany(['a', 'x'])
    t.deepEqual(deleted, version === '5' ? false : [true, false])
    t.deepEqual(await keyv.getMany(['a', 'b']), [undefined, 'B'])
  })

  test(
    say('iteration gives the entries of its namespace by the keys they were set by'),
    async t => {
      const cache = new Cache({ max: 100 })
      const keyvs = ['a', 'ab'].map(
        namespace => new Class({ store: new KeyvStore(cache), namespace }),
      )
      const keys = ['plain', 'with:colon', '::', 'a', 'ab:x', '__proto__']
      for (const keyv of keyvs)
        for (const key of keys) await keyv.set(key, `${keyv.namespace} ${key}`)
      const [a] = keyvs
      const seen = new Map<string, string>()
      for await (const [key, value] of a?.iterator?.(undefined) ?? []) seen.set(key, value)
      t.deepEqual([...seen.keys()].sort(), [...keys].sort())
      for (const key of keys) t.is(seen.get(key), `a ${key}`)
    },
  )

  test(say('what Keyv does not turn into text is kept by the codec'), async t => {
    const store = new KeyvStore<unknown>({ max: 100, codec: 'structured' })
    const off = { serialize: undefined, deserialize: undefined, serialization: false }
    const keyv = new Class({ store, ...off } as never)
    const value = { at: new Date(0), tags: new Set(['a']), bytes: Buffer.from('b') }
    await keyv.set('key', value)
    t.deepEqual(await keyv.get('key'), value)
  })

  test(say('what the cache refuses is an error of Keyv'), async t => {
    const keyv = new Class({ store: new KeyvStore({ maxBytes: '64kb' }) })
    const errors: unknown[] = []
    keyv.on('error', error => errors.push(error))
    t.false(await keyv.set('key', 'x'.repeat(1 << 20)))
    t.like(errors[0], { code: 'ERR_ENTRY_TOO_LARGE' })
  })
}

test('Keyv 6: two Keyvs on one store are apart', async t => {
  const store = new KeyvStore({ max: 100 })
  const [a, b] = ['a', 'b'].map(namespace => new Keyv6({ store, namespace }))
  for (const keyv of [a, b]) await keyv?.set('key', keyv.namespace)
  await a?.clear()
  t.deepEqual([await a?.get('key'), await b?.get('key')], [undefined, 'b'])
})

test('Keyv 5: without prefix and namespace, the store is one', async t => {
  const store = new KeyvStore({ max: 100 })
  const keyv = new Keyv({ store, useKeyPrefix: false, namespace: '' })
  await keyv.set('key', 1)
  t.true(store.cache.has('key'))
  await keyv.clear()
  t.is(store.cache.size, 0)
})

test('disconnecting closes the cache that the store opened, and no other', async t => {
  const cache = new Cache({ max: 10 })
  const shared = new KeyvStore(cache)
  await new Keyv({ store: shared }).disconnect()
  t.false(cache.closed)
  const own = new KeyvStore({ max: 10 })
  await new Keyv({ store: own }).disconnect()
  t.true(own.cache.closed)
})

test('stores of one name share their entries', async t => {
  const [a, b] = [1, 2].map(
    () => new Keyv({ store: new KeyvStore({ name: 'keyv test', max: 10 }) }),
  )
  await a?.set('key', 'value')
  t.is(await b?.get('key'), 'value')
})

test('a value that is undefined or ended before now is none, and one with a ttl of 0 does not end', async t => {
  const clock = new ManualClock()
  const store = new KeyvStore<string>({ max: 10, ttl: 10, clock })
  await store.set('key', 'value')
  t.true(await store.set('key', 'value', -1))
  t.is(await store.get('key'), undefined)
  t.true(await store.set('key', 'value', 0))
  clock.advance('1h')
  t.is(await store.get('key'), 'value')
  await store.set('key', 'value')
  await store.set('key', undefined as never)
  t.false(await store.has('key'))
})

test('a store takes a cache or the options of one', t => {
  const wrong = { code: 'ERR_INVALID_OPTION', message: /^options must be a Cache, or the options/ }
  for (const given of [null, 1, 'redis://', () => 1]) {
    t.throws(() => new KeyvStore(given as never), wrong)
  }
  t.throws(() => new KeyvStore({ size: 1 } as never), { message: /^unknown option 'size'/ })
})
