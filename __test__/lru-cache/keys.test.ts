// Any key and any value, told apart as a Map tells keys apart, and given back as they are.
import { type Any, contract } from './support/implementations.ts'

const symbol = Symbol('s')
const object = { a: 1 }
const keys: [string, unknown][] = [
  ['a string', 'key'],
  ['the empty string', ''],
  ['a string of more than 64 characters', 'x'.repeat(1000)],
  ['a string of 100,000 characters', 'y'.repeat(100_000)],
  ['a wide string', 'ключ 鍵 मुख्य'],
  ['an astral string', '😀👩‍👩‍👧'],
  ['a lone surrogate', '\ud800'],
  ['another lone surrogate', '\udfff'],
  ['a string with NUL', 'a\0b'],
  ['__proto__', '__proto__'],
  ['constructor', 'constructor'],
  ['toString', 'toString'],
  ['hasOwnProperty', 'hasOwnProperty'],
  ['a decimal string', '1'],
  ['the text NaN', 'NaN'],
  ['the text undefined', 'undefined'],
  ['the text null', 'null'],
  ['an integer', 1],
  ['a negative integer', -1],
  ['zero', 0],
  ['a float', 1.5],
  ['a large number', 2 ** 53],
  ['2^31', 2 ** 31],
  ['2^32', 2 ** 32],
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['minus infinity', Number.NEGATIVE_INFINITY],
  ['the smallest number', Number.MIN_VALUE],
  ['true', true],
  ['false', false],
  ['a bigint', 1n],
  ['a large bigint', 2n ** 70n],
  ['a symbol', symbol],
  ['a registered symbol', Symbol.for('breakwater.test')],
  ['an object', object],
  ['an equal object', { a: 1 }],
  ['an array', [1]],
  ['a function', () => 1],
  ['a date', new Date(0)],
  ['a Buffer', Buffer.from('key')],
  ['null', null],
]

contract('every kind of key is a key of its own', (t, LRUCache) => {
  const cache = new LRUCache<Any, number>({ max: 100 })
  for (const [i, [, key]] of keys.entries()) cache.set(key as Any, i)
  t.is(cache.size, keys.length)
  for (const [i, [name, key]] of keys.entries()) {
    t.is(cache.peek(key as Any), i, name)
    t.true(cache.has(key as Any), name)
    t.is(cache.get(key as Any), i, name)
  }
  t.deepEqual(
    [...cache.rkeys()],
    keys.map(([, key]) => key as Any),
  )
  for (const [name, key] of keys) t.true(cache.delete(key as Any), name)
  t.is(cache.size, 0)
})

for (const [name, key] of keys) {
  contract(`${name} is a key`, (t, LRUCache) => {
    const cache = new LRUCache<Any, string>({ max: 2 })
    t.is(cache.get(key as Any), undefined)
    t.false(cache.has(key as Any))
    t.false(cache.delete(key as Any))
    cache.set(key as Any, 'value')
    t.is(cache.get(key as Any), 'value')
    t.is([...cache.keys()][0], key as Any)
    cache.set(1234, 'other').set(5678, 'another')
    t.false(cache.has(key as Any))
  })
}

contract('an object is a key by identity', (t, LRUCache) => {
  const cache = new LRUCache<object, number>({ max: 5 })
  const key = {}
  cache.set(key, 1)
  t.is(cache.get({}), undefined)
  t.is(cache.get(key), 1)
})

contract('-0 and 0 are one key, and it is 0', (t, LRUCache) => {
  const cache = new LRUCache<number, string>({ max: 5 })
  cache.set(0, 'zero').set(-0, 'minus')
  t.is(cache.size, 1)
  t.is(cache.get(0), 'minus')
})

contract('NaN is one key', (t, LRUCache) => {
  const cache = new LRUCache<number, string>({ max: 5 })
  cache.set(Number.NaN, 'a').set(0 / 0, 'b')
  t.is(cache.size, 1)
  t.is(cache.get(Number.NaN), 'b')
})

contract('equal strings made in different ways are one key', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5 })
  for (const text of ['user:1234567890123456', 'ключ:12345678', 'x'.repeat(500)]) {
    cache.set(text, 1)
    const halves = text.slice(0, 5) + text.slice(5)
    const fresh = [...text].join('')
    const cut = `__${text}__`.slice(2, -2)
    const decoded = Buffer.from(text).toString()
    for (const same of [halves, fresh, cut, decoded]) t.is(cache.get(same), 1)
    t.is(cache.get(`${text} `), undefined)
  }
})

contract('strings that differ in one late character are different', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 500 })
  for (let i = 0; i < 200; i++) cache.set(`${'p'.repeat(i)}q`, i)
  for (let i = 0; i < 200; i++) t.is(cache.get(`${'p'.repeat(i)}q`), i)
  t.is(cache.get('p'.repeat(50)), undefined)
})

contract('a narrow and a wide string that share bytes are different', (t, LRUCache) => {
  const cache = new LRUCache<string, number>({ max: 5 })
  cache.set('\u4161', 1).set('aA', 2).set('\u0161', 3).set('a', 4)
  t.deepEqual(
    ['\u4161', 'aA', '\u0161', 'a'].map(key => cache.get(key)),
    [1, 2, 3, 4],
  )
})

const values: [string, unknown][] = [
  ['null', null],
  ['0', 0],
  ['-0', -0],
  ['NaN', Number.NaN],
  ['the empty string', ''],
  ['false', false],
  ['a bigint', 0n],
  ['a symbol', symbol],
  ['an object', object],
  ['a function', () => 1],
  ['a promise', Promise.resolve(1)],
  ['a Buffer', Buffer.from('v')],
  ['a map', new Map([[1, 2]])],
  ['a long string', 'z'.repeat(10_000)],
]

for (const [name, value] of values) {
  contract(`${name} is stored and comes back as it is`, (t, LRUCache) => {
    const cache = new LRUCache<string, Any>({ max: 2 })
    cache.set('k', value as Any)
    t.is(cache.get('k'), value as Any)
    t.is(cache.peek('k'), value as Any)
    t.true(cache.has('k'))
    t.is([...cache.values()][0], value as Any)
    t.is(cache.info('k')?.value, value as Any)
    t.is(cache.dump()[0]?.[1].value, value as Any)
    t.is(cache.pop(), value as Any)
  })
}

contract('set of undefined deletes and fires delete', (t, LRUCache) => {
  const left: unknown[] = []
  const cache = new LRUCache<string, number>({
    max: 5,
    dispose: (value, key, reason) => left.push([value, key, reason]),
  })
  cache.set('a', 1)
  t.is(cache.set('a', undefined), cache)
  t.false(cache.has('a'))
  t.is(cache.size, 0)
  t.deepEqual(left, [[1, 'a', 'delete']])
  cache.set('never', undefined)
  t.is(cache.size, 0)
  t.is(left.length, 1)
})
