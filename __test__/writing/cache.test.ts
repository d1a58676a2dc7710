import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Cache, type Tier, type WriteEntry } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import type { TierSession } from '../../src/tier/contract.ts'

test('put writes the origin first and the cache then, remove as well', async t => {
  const origin = new Map<string, string>()
  const log: string[] = []
  const cache = new Cache<string, string>({
    max: 10,
    writer: async entry => {
      log.push(`${entry.kind} ${entry.key} ${cache.has(entry.key)}`)
      if (entry.kind === 'set') origin.set(entry.key, entry.value)
      else origin.delete(entry.key)
    },
  })
  await cache.put('a', '1', { ttl: '1h' })
  t.is(cache.get('a'), '1')
  t.true(cache.ttl('a')! > 3_500_000)
  await cache.remove('a')
  t.false(cache.has('a'))
  t.deepEqual(log, ['set a false', 'delete a true'])
  t.is(origin.size, 0)
})

test('what the origin did not take is not in the cache', async t => {
  const cache = new Cache<string, string>({
    max: 10,
    writer: () => {
      throw new Error('full')
    },
  })
  cache.set('a', 'before')
  const error = await t.throwsAsync(cache.put('a', 'after'), { code: 'ERR_WRITE_FAILED' })
  t.is((error!.cause as Error).message, 'full')
  t.false(cache.has('a'))
})

test('a load that began before a put does not undo it', async t => {
  let end = (_: string) => {}
  const cache = new Cache<string, string>({
    max: 10,
    loader: () => new Promise(resolve => (end = resolve)),
    writer: async () => {},
  })
  const loaded = cache.fetch('a')
  await cache.put('a', 'new')
  end('old')
  t.is(await loaded, 'old')
  t.is(cache.get('a'), 'new')
})

test('what is written behind is read here before the origin has it', async t => {
  const clock = new ManualClock()
  const batches: (readonly WriteEntry<string, string>[])[] = []
  const cache = new Cache<string, string>({
    max: 10,
    clock,
    loader: () => 'what the origin has',
    writeBehind: {
      writer: async entries => void batches.push(entries),
      maxDelay: '1s',
    },
  })
  await cache.put('a', '1')
  await cache.put('a', '2')
  await cache.put('b', '1')
  await cache.remove('b')
  t.is(cache.writeStats?.pending, 2)
  // It is evicted, and yet not asked of an origin that does not have it.
  cache.clear()
  t.is(await cache.fetch('a'), '2')
  t.is(await cache.fetch('b'), undefined)
  clock.advance('1s')
  await turn()
  t.deepEqual(batches, [
    [
      { kind: 'set', key: 'a', value: '2' },
      { kind: 'delete', key: 'b' },
    ],
  ])
  await cache.put('c', '3')
  const closed = cache.close()
  await closed
  t.deepEqual(batches[1], [{ kind: 'set', key: 'c', value: '3' }])
  await t.throwsAsync(cache.put('d', '4'), { code: 'ERR_CACHE_CLOSED' })
})

test('flush waits for what is pending', async t => {
  const written: string[] = []
  const cache = new Cache<string, string>({
    max: 10,
    writeBehind: { writer: async entries => void written.push(...entries.map(e => e.key)) },
  })
  await cache.put('a', '1')
  await cache.flush()
  t.deepEqual(written, ['a'])
  await cache.close()
})

test('invalidate forgets at once, and once more after a while', async t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 10, clock })
  cache.set('a', 'old')
  await cache.invalidate('a', { again: '500ms' })
  t.false(cache.has('a'))
  // Somebody read the origin before the write, and stores only now.
  cache.set('a', 'old')
  clock.advance(499)
  t.true(cache.has('a'))
  clock.advance(1)
  await turn()
  t.false(cache.has('a'))
})

for (const [name, options] of [
  ['writer', { writer: 'x' }],
  ['writeThrough.timeout', { writer: () => {}, writeThrough: { timeout: -1 } }],
  ['writeBehind.writer', { writeBehind: {} }],
  ['writeBehind.maxBatch', { writeBehind: { writer: () => {}, maxBatch: 0 } }],
  ['writeBehind', { writeBehind: 7 }],
] as const) {
  test(`an option of writing that cannot be is named: ${name}`, t => {
    const error = t.throws(() => new Cache({ max: 1, ...(options as object) }), {
      code: 'ERR_INVALID_OPTION',
    })
    t.true(error?.message.startsWith(name), error?.message)
  })
}

test('writing through and behind do not go together', t => {
  t.throws(() => new Cache({ max: 1, writer: () => {}, writeBehind: { writer: () => {} } }), {
    code: 'ERR_OPTION_COMBINATION',
  })
})

/** What the cache refuses: a write, and the code of its error. */
const refused: Record<string, [code: string, ...Parameters<Cache['put']>]> = {
  'no value': ['ERR_INVALID_VALUE', 'a', undefined],
  'a value that is lost': ['ERR_INVALID_VALUE', 'a', () => {}],
  'a key that is none': ['ERR_INVALID_KEY', null as never, 1],
  'a key that is an object': ['ERR_INVALID_KEY', {} as never, 1],
  'a key that is too long': ['ERR_KEY_TOO_LONG', 'x'.repeat(70_000), 1],
  'a ttl that is none': ['ERR_INVALID_OPTION', 'a', 1, { ttl: -1 }],
  'a jitter that is none': ['ERR_INVALID_OPTION', 'a', 1, { jitter: 5 }],
  'tags that are none': ['ERR_INVALID_OPTION', 'a', 1, { tags: [''] }],
  'a version that is none': ['ERR_INVALID_OPTION', 'a', 1, { version: 0.5 }],
  'an unknown option': ['ERR_INVALID_OPTION', 'a', 1, { tll: 1 } as never],
}

/** Of each codec a value that it does not take. */
const untaken: [codec: 'string' | 'number' | 'bytes' | 'json' | 'structured', value: unknown][] = [
  ['string', 1],
  ['string', Buffer.from('a')],
  ['number', 'a'],
  ['bytes', 'a'],
  ['json', 1n],
  ['json', undefined],
  ['structured', () => {}],
]

for (const behind of [false, true]) {
  test(`what the cache refuses the origin does not get, behind: ${behind}`, async t => {
    const clock = new ManualClock()
    const writes: unknown[] = []
    const writer = (written: unknown) => void writes.push(written)
    const origin = behind ? { writeBehind: { writer, maxDelay: 1 } } : { writer }
    const cache = new Cache<string, unknown>({ max: 10, clock, ...origin })
    cache.set('a', 'before')
    for (const [what, [code, ...write]] of Object.entries(refused)) {
      await t.throwsAsync(cache.put(...write), { code }, what)
      if (!code.includes('KEY')) continue
      await t.throwsAsync(cache.remove(write[0]), { code }, what)
      await t.throwsAsync(cache.invalidate(write[0], { again: 5 }), { code }, what)
    }
    for (const [codec, value] of untaken) {
      const typed = new Cache<string, unknown>({ max: 10, clock, codec, ...origin })
      await t.throwsAsync(typed.put('a', value), { code: 'ERR_INVALID_VALUE' }, codec)
      t.throws(() => typed.set('a', value), { code: 'ERR_INVALID_VALUE' }, codec)
    }
    clock.advance('1m')
    await cache.flush()
    t.deepEqual(writes, [])
    t.is(cache.get('a'), 'before', 'which is what the origin has')
    await cache.close()
  })
}

test('a key that cannot be reaches neither the cache nor its second tier', async t => {
  const reached: string[] = []
  const note = <T>(what: string, value: T) => {
    return async () => {
      reached.push(what)
      return value
    }
  }
  const session = {
    ...{ get: note('get', undefined), set: note('set', true), delete: note('delete', undefined) },
    ...{ invalidateTag: note('tag', undefined), clear: note('clear', undefined) },
    ...{ lease: async () => ({ release: async () => {} }), written: async () => {} },
    ...{ publishHot: async () => {}, fleetHot: async () => [], close: async () => {} },
    ready: Promise.resolve(),
  }
  const tier: Tier = { open: () => session as TierSession }
  const cache = new Cache<string, string>({ max: 10, name: 'bad keys', tier, loader: key => key })
  const spaces = cache.namespace('n')
  for (const key of [
    null,
    undefined,
    {},
    [],
    true,
    1n,
    Symbol('s'),
    'x'.repeat(70_000),
  ] as never[]) {
    const calls: (() => unknown)[] = [
      ...[cache, spaces].flatMap(on => [
        () => on.set(key, 'a'),
        () => on.delete(key),
        () => on.deleteMany(['a', key]),
        () => on.invalidate(key),
        () => on.put(key, 'a'),
        () => on.remove(key),
        () => on.fetch(key),
        () => on.fetchHas(key),
      ]),
      () => cache.setIfAbsent(key, 'a'),
      () => cache.update(key, () => 'a'),
    ]
    cache.set('a', 'kept')
    reached.length = 0
    for (const call of calls) {
      const error = await t.throwsAsync(async () => await call(), undefined, `${call}`)
      t.regex((error as Error & { code: string }).code, /^ERR_(INVALID_KEY|KEY_TOO_LONG)$/)
    }
    t.is(cache.get('a'), 'kept')
    t.deepEqual(reached, [], String(key).slice(0, 20))
  }
  await cache.close()
})
