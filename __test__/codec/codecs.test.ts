import { inspect } from 'node:util'
import test from 'ava'
import {
  bytes,
  Cache,
  type Codec,
  DecodeError,
  InvalidValueError,
  json,
  number,
  structured,
} from '../../src/index.ts'

test('numbers come back as they are', t => {
  const cache = new Cache({ max: 100, codec: number() })
  const numbers = [0, -0, 1.5, -1, 2 ** 53, Number.NaN, Number.NEGATIVE_INFINITY, Number.MIN_VALUE]
  cache.setMany(numbers.map((n, i) => [`${i}`, n]))
  t.deepEqual(
    numbers.map((_, i) => cache.get(`${i}`)),
    numbers,
  )
  t.deepEqual(cache.getMany(numbers.map((_, i) => `${i}`)), numbers)
})

for (const size of [0, 1, 64, 1024, 65_536, 65_537, 1 << 20]) {
  test(`bytes come back in a Buffer of their own: ${size}`, t => {
    const cache = new Cache({ max: 10, codec: bytes() })
    const value = Buffer.alloc(size, 'abc')
    cache.set('a', value).set('b', Buffer.from('other'))
    const got = cache.get('a')
    t.true(Buffer.isBuffer(got))
    t.true(got?.equals(value))
    got?.fill(0)
    t.true(cache.get('a')?.equals(value))
    t.true(cache.peek('a')?.equals(value))
    t.deepEqual(cache.getMany(['b', 'x', 'a', 'b']), [
      Buffer.from('other'),
      undefined,
      value,
      Buffer.from('other'),
    ])
    const pairs = [...cache].sort(([a], [b]) => a.localeCompare(b))
    t.deepEqual(
      pairs.map(([key]) => key),
      ['a', 'b'],
    )
    t.true(pairs[0]?.[1].equals(value))
    t.true(pairs[1]?.[1].equals(Buffer.from('other')))
  })
}

test('a part of a larger buffer is stored as that part', t => {
  const cache = new Cache({ max: 10, codec: bytes<Uint8Array>() })
  const whole = new Uint8Array([1, 2, 3, 4, 5])
  cache.set('a', whole.subarray(1, 3)).set('b', new Uint8Array(new SharedArrayBuffer(2)))
  t.deepEqual(cache.get('a'), Buffer.from([2, 3]))
  t.deepEqual(cache.get('b'), Buffer.from([0, 0]))
})

test('getInto copies bytes that fit, and says how long they are either way', t => {
  const cache = new Cache({ max: 10, codec: bytes() })
  cache.set('a', Buffer.from('hello'))
  const room = Buffer.alloc(8, '.')
  t.is(cache.getInto('a', room), 5)
  t.is(room.toString(), 'hello...')
  const tight = Buffer.alloc(4, '.')
  t.is(cache.getInto('a', tight), 5)
  t.is(tight.toString(), '....')
  t.is(cache.getInto('nothing', room), undefined)
  t.like(cache.stats(), { hits: 2, misses: 1 })
})

test('getInto of a codec without bytes is refused', t => {
  const cache = new Cache({ max: 10 })
  cache.set('a', 'text')
  t.throws(() => cache.getInto('a', Buffer.alloc(8)), { code: 'ERR_CODEC_MISMATCH' })
})

test('json gives a new object each time where there is no near cache', t => {
  interface User {
    name: string
    tags: string[]
  }
  const cache = new Cache({ max: 10, codec: json<User>(), near: false })
  const user = { name: 'Zo\u00eb \u20ac', tags: ['a'] }
  cache.set('a', user)
  t.deepEqual(cache.get('a'), user)
  t.not(cache.get('a'), cache.get('a'))
  cache.get('a')?.tags.push('b')
  t.deepEqual(cache.getMany(['a', 'b']), [user, undefined])
})

test('structured keeps what JSON loses', t => {
  const cache = new Cache({ max: 10, codec: structured<unknown>() })
  const cyclic: Record<string, unknown> = { when: new Date(5), set: new Set([1]), big: 10n }
  cyclic.self = cyclic
  cache.set('a', cyclic).set('b', new Map([[1, new Uint8Array([7])]]))
  t.deepEqual(cache.get('a'), cyclic)
  t.deepEqual(cache.get('b'), new Map([[1, new Uint8Array([7])]]))
  t.deepEqual(cache.getMany(['b', 'c']), [new Map([[1, new Uint8Array([7])]]), undefined])
})

test('a codec of your own may write text or bytes', t => {
  const either: Codec<string | number> = {
    name: 'either',
    encode: value => (typeof value === 'string' ? value : new Uint8Array([value])),
    decode: stored => (typeof stored === 'string' ? stored : Number(stored[0])),
  }
  const cache = new Cache({ max: 10, codec: either })
  cache.set('a', 'text').set('b', 200).set('c', '')
  t.deepEqual(cache.getMany(['a', 'b', 'c', 'd']), ['text', 200, '', undefined])
  t.deepEqual([cache.get('a'), cache.get('b')], ['text', 200])
  t.deepEqual([...cache].sort(), [
    ['a', 'text'],
    ['b', 200],
    ['c', ''],
  ])
})

const refused: [string, Codec<unknown> | 'string' | 'number' | 'bytes' | 'json', unknown][] = [
  ['a number', 'string', 1],
  ['undefined', 'string', undefined],
  ['null', 'string', null],
  ['an object', 'string', {}],
  ['a string', 'number', '1'],
  ['a bigint', 'number', 1n],
  ['a string', 'bytes', 'secret'],
  ['an object', 'bytes', new ArrayBuffer(8)],
  ['an object', 'bytes', new Uint16Array(4)],
  ['undefined', 'json', undefined],
  ['a symbol', 'string', Symbol('s')],
  ['a number', { encode: () => 5 as never, decode: () => 0 }, 'x'],
]

for (const [what, codec, value] of refused) {
  const name = typeof codec === 'string' ? codec : 'custom'
  test(`a value that the codec ${name} does not take is refused: ${what} ${inspect(value)}`, t => {
    const cache = new Cache<string, unknown>({ max: 10, codec: codec as Codec<unknown> })
    const refusal = {
      instanceOf: InvalidValueError,
      code: 'ERR_INVALID_VALUE',
      message: new RegExp(`'${name}' cannot store ${what}`),
    }
    t.throws(() => cache.set('a', value), refusal)
    t.throws(() => cache.setMany([['a', value]]), refusal)
    t.false(cache.has('a'))
  })
}

test('what a codec throws is the cause of a clear error without the value', t => {
  const cyclic: Record<string, unknown> = { secret: 'hunter2' }
  cyclic.self = cyclic
  const cache = new Cache<string, unknown>({ max: 10, codec: json<unknown>() })
  const refusal = t.throws(() => cache.set('a', cyclic), { code: 'ERR_INVALID_VALUE' })
  t.true(refusal?.cause instanceof TypeError)
  t.notRegex(refusal?.message ?? '', /hunter2/)

  const broken = new Cache<string, string>({
    max: 10,
    codec: {
      encode: value => value,
      decode: () => {
        throw new RangeError('no')
      },
    },
  })
  broken.set('a', 'hunter2')
  const unread = t.throws(() => broken.get('a'), { instanceOf: DecodeError, code: 'ERR_DECODE' })
  t.true(unread?.cause instanceof RangeError)
  t.notRegex(unread?.message ?? '', /hunter2/)
})

test('a codec of your own cannot take the name of another', t => {
  const codec = { name: 'json', encode: String, decode: String }
  t.throws(() => new Cache({ max: 1, codec }), {
    code: 'ERR_INVALID_OPTION',
    message: /codec.name/,
  })
})
