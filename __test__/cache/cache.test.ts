import test from 'ava'
import { Cache, type CacheKey } from '../../src/index.ts'

test('a value is read as it was set, until it is deleted', t => {
  const cache = new Cache({ max: 10 })
  t.is(cache.get('a'), undefined)
  t.is(cache.set('a', '1'), cache)
  t.is(cache.get('a'), '1')
  cache.set('a', '2')
  t.is(cache.get('a'), '2')
  t.true(cache.has('a'))
  t.true(cache.delete('a'))
  t.false(cache.delete('a'))
  t.false(cache.has('a'))
  t.is(cache.get('a'), undefined)
})

const texts = {
  empty: '',
  'one byte a unit': 'h\u00fcllo',
  'two bytes a unit': 'h\u20acllo',
  'a lone surrogate': 'a\ud800b',
  'another lone surrogate': 'a\udc00b',
  'a replacement character': 'a\ufffdb',
  'an astral character': '\u{1f600}',
  'a zero character': 'a\0b',
  'units with equal low bytes': '\u0141',
  'their low byte': 'A',
  '255 units': 'x'.repeat(255),
  '254 units': 'x'.repeat(254),
  '1023 units': 'y'.repeat(1023),
  '4096 wide units': '\u20ac'.repeat(4096),
  'a mebibyte': 'z'.repeat(1 << 20),
  'a wide mebibyte': '\u20ac'.repeat(1 << 20),
}

for (const [what, text] of Object.entries(texts)) {
  test(`a string comes back unit for unit: ${what}`, t => {
    const cache = new Cache({ max: 10 })
    cache.set('key', text)
    t.true(cache.get('key') === text)
    t.true(cache.peek('key') === text)
    t.true(cache.getMany(['key'])[0] === text)
  })
}

test('keys that look alike are different keys', t => {
  const keys: CacheKey[] = [
    ...Object.values(texts).filter(text => text.length < 5000),
    ...[0, 1, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, Number.MIN_VALUE],
    ...['0', '1', 'NaN', 'AC', '\u20ac', '\u00ac'],
    ...[Buffer.from(''), Buffer.from('1'), Buffer.from('\u20ac', 'utf16le'), new Uint8Array(8)],
  ]
  const cache = new Cache<CacheKey>({ max: 100 })
  for (const [i, key] of keys.entries()) cache.set(key, `value ${i}`)
  t.is(cache.size, keys.length)
  t.deepEqual(
    keys.map(key => cache.get(key)),
    keys.map((_, i) => `value ${i}`),
  )
})

test('numbers are the same key as in a Map, and bytes are by what they hold', t => {
  const cache = new Cache<CacheKey>({ max: 100 })
  cache.set(-0, 'zero').set(Number.NaN, 'nan').set(Buffer.from('ab'), 'bytes')
  t.is(cache.get(0), 'zero')
  t.is(cache.get(0 / 0), 'nan')
  t.is(cache.get(new Uint8Array([97, 98])), 'bytes')
  t.is(cache.get(new Uint8Array(new ArrayBuffer(8), 2, 0)), undefined)
})

test('the name of a property is an ordinary key', t => {
  const cache = new Cache({ max: 100 })
  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    t.is(cache.get(key), undefined)
    cache.set(key, key)
    t.is(cache.get(key), key)
  }
})

for (const key of [undefined, null, true, 1n, Symbol('s'), {}, [], () => 1, new Uint16Array(2)]) {
  test(`a key of another type is refused: ${typeof key} ${String(key)}`, t => {
    const cache = new Cache<never>({ max: 10 })
    const wrong = { code: 'ERR_INVALID_KEY', message: /string, a number, a Buffer or a Uint8Array/ }
    const calls = [
      () => cache.get(key as never),
      () => cache.peek(key as never),
      () => cache.has(key as never),
      () => cache.set(key as never, 'v'),
      () => cache.delete(key as never),
      () => cache.ttl(key as never),
      () => cache.expire(key as never, 1),
      () => cache.getMany([key as never]),
      () => cache.setMany([[key as never, 'v']]),
      () => cache.deleteMany([key as never]),
    ]
    for (const call of calls) t.throws(call, wrong)
    t.is(cache.size, 0)
  })
}

test('a key may have 65,535 bytes and no more', t => {
  const cache = new Cache<CacheKey>({ max: 10 })
  const most: CacheKey[] = ['x'.repeat(65_535), '\u20ac'.repeat(32_767), Buffer.alloc(65_535)]
  for (const key of most) t.is(cache.set(key, 'v').get(key), 'v')
  const tooLong: [CacheKey, number][] = [
    ['x'.repeat(65_536), 65_536],
    ['\u20ac'.repeat(32_768), 65_536],
    [Buffer.alloc(65_536), 65_536],
  ]
  for (const [key, length] of tooLong) {
    t.throws(() => cache.set(key, 'v'), { code: 'ERR_KEY_TOO_LONG', message: /65535 bytes/ })
    t.like(
      t.throws(() => cache.get(key)),
      { length },
    )
  }
})

test('many keys are read, written and removed in one call', t => {
  const cache = new Cache({ max: 1000 })
  cache
    .setMany(
      new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    )
    .setMany([['c', '3']])
  t.deepEqual(cache.getMany(['a', 'nothing', 'c', 'a']), ['1', undefined, '3', '1'])
  t.is(cache.deleteMany(['a', 'nothing', 'b', 'a']), 2)
  t.deepEqual([...cache], [['c', '3']])
  t.deepEqual(cache.getMany([]), [])
  t.is(cache.deleteMany([]), 0)
  cache.setMany([])
  t.throws(() => cache.getMany('abc' as never), {
    code: 'ERR_INVALID_OPTION',
    message: /keys must/,
  })
  t.throws(() => cache.deleteMany(null as never), { code: 'ERR_INVALID_OPTION' })
})

test('of many values those before the one that is refused are stored', t => {
  for (const codec of ['any', 'string', 'json'] as const) {
    const cache = new Cache({ max: 10, codec })
    const pairs: [string, unknown][] = [
      ['a', '1'],
      ['b', codec === 'string' ? 2 : 2n],
      ['c', '3'],
    ]
    if (codec === 'any') pairs[1] = ['b', Symbol('b')]
    t.throws(() => cache.setMany(pairs as [string, never][]), { code: 'ERR_INVALID_VALUE' })
    t.deepEqual(cache.getMany(['a', 'b', 'c']), ['1', undefined, undefined] as never[])
  }
})

test('a getter that closes the cache in the middle of a call harms nobody', t => {
  const cache = new Cache({ max: 10 })
  cache.set('a', '1')
  const keys = ['a', 'b']
  Object.defineProperty(keys, 0, {
    get() {
      cache.close()
      return 'a'
    },
  })
  t.deepEqual(cache.getMany(keys), ['1', undefined])
  t.throws(() => cache.get('a'), { code: 'ERR_CACHE_CLOSED' })
})

test('what a getter throws in the middle of a call reaches the caller', t => {
  const cache = new Cache({ max: 10 })
  const keys = new Proxy(['a'], {
    get: (target, name) => {
      if (name === '0') throw new RangeError('mine')
      return Reflect.get(target, name)
    },
  })
  t.throws(() => cache.deleteMany(keys), { instanceOf: RangeError, message: 'mine' })
  t.is(cache.set('a', '1').get('a'), '1')
})

test('clear removes everything', t => {
  const cache = new Cache({ max: 1000 })
  for (let i = 0; i < 500; i++) cache.set(`key ${i}`, 'v')
  t.is(cache.size, 500)
  cache.clear()
  t.is(cache.size, 0)
  t.is(cache.get('key 1'), undefined)
})

test('a closed cache says so, and closing twice does nothing', t => {
  const cache = new Cache({ max: 10 })
  cache.set('a', '1')
  t.false(cache.closed)
  cache.close()
  cache.close()
  t.true(cache.closed)
  const calls = [
    () => cache.get('a'),
    () => cache.peek('a'),
    () => cache.has('a'),
    () => cache.set('a', '1'),
    () => cache.delete('a'),
    () => cache.clear(),
    () => cache.getMany(['a']),
    () => cache.setMany([['a', '1']]),
    () => cache.deleteMany(['a']),
    () => cache.getInto('a', Buffer.alloc(1)),
    () => cache.ttl('a'),
    () => cache.expire('a', 1),
    () => cache.size,
    () => cache.bytes,
    () => [...cache],
    () => [...cache.keys()],
    () => cache.stats(),
    () => cache.resetStats(),
    () => cache.hotKeys(),
    () => cache.resize({ max: 1 }),
    () => cache.handle,
    () => cache.onRemoval(() => {}),
  ]
  for (const call of calls) t.throws(call, { code: 'ERR_CACHE_CLOSED', name: 'CacheClosedError' })
})

test('a cache is closed at the end of its `using` block', t => {
  const cache = new Cache({ max: 10 })
  cache[Symbol.dispose]()
  t.true(cache.closed)
})
