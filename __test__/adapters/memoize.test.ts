import test from 'ava'
import { type Memoized, memoize } from '../../src/adapters/memoize.ts'
import { json } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

/** A function that counts its calls, and gives them. */
function counter() {
  let calls = 0
  return { call: (..._: unknown[]) => ++calls, calls: () => calls }
}

const argumentLists: unknown[][] = [
  [],
  [undefined],
  [undefined, undefined],
  [null],
  [null, null],
  ...[0, -0, 1, Number.NaN, Number.POSITIVE_INFINITY, 1n, 0n, true, false].map(value => [value]),
  ...['', '1', '0', 'true', 'null', 'undefined', 'NaN', '\0', '\0s1:a', '1n'].map(value => [value]),
  [1, '2'],
  ['1', 2],
  ['a', 'b'],
  ['ab'],
  ['ab', ''],
  ['', 'ab'],
  ['a', '', 'b'],
  ['s1:a', 's1:b'],
  ['a;b', 'c'],
  ['a', ';b', 'c'],
  [1, 2],
  [12],
  [12, ''],
  [true, false],
  [false, true],
  ['\ud800'],
  ['\ufffd'],
  ['x'.repeat(100_000)],
  [`${'x'.repeat(99_999)}y`],
  [`${'x'.repeat(99_999)}\ud800`],
  [`${'x'.repeat(99_999)}\udc00`],
  ['x'.repeat(50_000), 'x'.repeat(50_000)],
]

test('different arguments have different results, the same arguments the same', t => {
  const { call, calls } = counter()
  const memoized = memoize(call)
  const results = argumentLists.map(args => memoized(...args))
  t.is(new Set(results).size, argumentLists.length)
  t.deepEqual(
    argumentLists.map(args => memoized(...args)),
    results,
  )
  t.is(calls(), argumentLists.length)
})

test('arguments that are objects need a key, and the error says so', t => {
  const memoized = memoize((..._: unknown[]) => 1)
  for (const [what, value] of [
    ['an object', {}],
    ['an object', []],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
  ] as const) {
    t.throws(() => memoized('a', value), {
      code: 'ERR_INVALID_OPTION',
      message: new RegExp(`^key must be a function .*argument 2 is ${what}`),
    })
  }
  const keyed = memoize((user: { id: number }) => user.id * 2, { key: user => user.id })
  t.is(keyed({ id: 2 }), 4)
  t.is(keyed.peek({ id: 2 }), 4)
  const bad = memoize((_: object) => 1, { key: object => object as never })
  t.throws(() => bad({}), { message: /^key must be a function that gives a text or a number/ })
})

test('a result is remembered whatever it is, undefined included', t => {
  const heap = [undefined, null, 0, '', false, Number.NaN, { a: 1 }, [], Symbol('s'), () => 1]
  for (const value of heap) {
    let calls = 0
    const memoized = memoize(() => {
      calls += 1
      return value
    })
    t.is(memoized(), value)
    t.is(memoized(), value)
    t.is(calls, 1)
  }
})

for (const codec of ['any', 'json', 'structured', json<unknown>()] as const) {
  const name = typeof codec === 'string' ? codec : 'of an object'
  test(`results pass the codec ${name}, promised or not, undefined included`, async t => {
    for (const value of [undefined, null, 0, 'text', { a: [1, { b: '\u20ac' }] }]) {
      let calls = 0
      const f = (_: number): unknown => {
        calls += 1
        return value
      }
      const sync = memoize(f, { codec })
      const later = memoize(async (n: number) => f(n), { codec })
      for (const _ of [1, 2]) t.deepEqual(sync(1), value)
      const first = later(1)
      t.deepEqual(await first, value)
      const second = later(1)
      t.true(second instanceof Promise)
      t.deepEqual(await second, value)
      t.is(calls, 2)
    }
  })
}

test('results of text and of bytes pass their codecs', t => {
  const text = memoize((n: number) => 'x'.repeat(n), { codec: 'string' })
  for (const n of [0, 1, 1, 0]) t.is(text(n), 'x'.repeat(n))
  const bytes = memoize((n: number) => Buffer.alloc(n, 1), { codec: 'bytes' })
  for (const n of [0, 3, 3, 0]) t.deepEqual(bytes(n), Buffer.alloc(n, 1))
})

test('concurrent calls of one key share one promise', async t => {
  const { call, calls } = counter()
  const memoized = memoize(async (_: string) => {
    await new Promise(resolve => setImmediate(resolve))
    return call()
  })
  const [a, b, c] = [memoized('a'), memoized('a'), memoized('b')]
  t.is(a, b)
  t.deepEqual(await Promise.all([a, b, c, memoized('a')]), [1, 1, 2, 1])
  t.is(calls(), 2)
})

test('a rejection reaches all who wait and is not kept', async t => {
  let fail = true
  const memoized = memoize(async (_: string) => {
    await null
    if (fail) throw new Error('down')
    return 'up'
  })
  const both = await Promise.allSettled([memoized('a'), memoized('a')])
  t.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  t.is(memoized.cache.size, 0)
  fail = false
  t.is(await memoized('a'), 'up')
})

test('what a function throws is not kept', t => {
  let fail = true
  const memoized = memoize((_: string) => {
    if (fail) throw new Error('down')
    return 'up'
  })
  t.throws(() => memoized('a'), { message: 'down' })
  t.throws(() => memoized('a'), { message: 'down' })
  fail = false
  t.is(memoized('a'), 'up')
})

test('results are forgotten by delete, clear, time and room', t => {
  const clock = new ManualClock()
  const { call, calls } = counter()
  const memoized = memoize((_: number) => call(), { max: 2, ttl: '1m', policy: 'lru', clock })
  memoized(1)
  t.is(memoized.peek(1), 1)
  t.true(memoized.delete(1))
  t.false(memoized.delete(1))
  t.is(memoized.peek(1), undefined)
  t.is(memoized(1), 2)
  clock.advance('1m')
  t.is(memoized(1), 3)
  memoized.clear()
  t.is(memoized(1), 4)
  memoized(2)
  memoized(3)
  t.is(memoized.peek(1), undefined)
  t.is(calls(), 6)
})

test('what is forgotten while it is made is given to those who wait and not kept', async t => {
  for (const forget of ['delete', 'clear'] as const) {
    const { call } = counter()
    const memoized = memoize(async (_: string) => {
      await new Promise(resolve => setImmediate(resolve))
      return call()
    })
    const old = memoized('a')
    memoized[forget]('a')
    const young = memoized('a')
    t.not(old, young)
    t.deepEqual(await Promise.all([old, young]), [1, 2])
    t.is(await memoized('a'), 2)
  }
})

test('a result that does not fit is given and not kept', async t => {
  const big = memoize((n: number) => 'x'.repeat(n), { maxBytes: '64kb', codec: 'string' })
  t.is(big(1 << 20).length, 1 << 20)
  t.is(big.peek(1 << 20), undefined)
  const full = memoize(async (n: number) => n, { max: 1, policy: 'none' })
  t.deepEqual([await full(1), await full(2), await full(1)], [1, 2, 1])
  t.is(full.cache.size, 1)
})

test('a result that the codec refuses is an error', async t => {
  const code = 'ERR_INVALID_VALUE'
  t.throws(() => memoize(() => 1n, { codec: 'json' })(), { code })
  await t.throwsAsync(memoize(async () => 1n, { codec: 'json' })(), { code })
})

test('this, the name and the length are those of the function', t => {
  class Account {
    constructor(readonly factor: number) {}
    times = memoize(function times(this: Account, n: number) {
      return this.factor * n
    })
  }
  const account = new Account(3)
  t.is(account.times(2), 6)
  t.is(account.times.name, 'times')
  t.is(account.times.length, 1)
})

test('a recursive function calls itself through its memory', t => {
  const { call, calls } = counter()
  const fib: Memoized<(n: number) => bigint> = memoize(n => {
    call()
    return n < 2 ? BigInt(n) : fib(n - 1) + fib(n - 2)
  })
  t.is(fib(90), 2880067194370816120n)
  t.is(calls(), 91)
})

test('a recursive function of promises does as well', async t => {
  const { call, calls } = counter()
  const sum: Memoized<(n: number) => Promise<number>> = memoize(async n => {
    call()
    return n === 0 ? 0 : n + (await sum(n - 1))
  })
  t.is(await sum(50), 1275)
  t.is(await sum(49), 1225)
  t.is(calls(), 51)
})

test('memoizers of one name share what they remember', async t => {
  const { call, calls } = counter()
  const make = () =>
    memoize(async (_: string) => call(), { name: 'memoize test', max: 10, codec: 'json' })
  const [a, b] = [make(), make()]
  t.is(await a('x'), 1)
  const shared = b('x')
  t.true(shared instanceof Promise)
  t.is(await shared, 1)
  t.is(calls(), 1)
})

test('signatures stay what they were', async t => {
  const identity = memoize(<T extends string | number>(value: T): T => value)
  const one: 1 = identity(1)
  const text: 'a' = identity('a')
  t.deepEqual([one, text], [1, 'a'])
  const load = memoize(async (id: number, name?: string) => ({ id, name }))
  const loaded: { id: number; name: string | undefined } = await load(1)
  const peeked: { id: number } | undefined = load.peek(1)
  t.deepEqual([loaded.id, peeked?.id], [1, 1])
  // @ts-expect-error an argument of another type
  t.is(load.peek('1'), undefined)
  // @ts-expect-error an argument is missing
  t.notThrows(() => load.delete())
})

test('bad options are refused by name', t => {
  const code = 'ERR_INVALID_OPTION'
  const f = () => 1
  t.throws(() => memoize('f' as never), { code, message: /^fn must be a function/ })
  t.throws(() => memoize(f, null as never), { code, message: /^options must be an object/ })
  t.throws(() => memoize(f, { key: 'id' as never }), { code, message: /^key must be a function/ })
  t.throws(() => memoize(f, { max: 0 }), { code, message: /^max must be/ })
  t.throws(() => memoize(f, { size: 1 } as never), {
    code,
    message: /^unknown option 'size'/,
  })
  t.throws(() => memoize(f, { name: 'm' }), { code, message: /^codec must be given with a name/ })
  const codecs = [1, 'number', 'xml', {}, null]
  for (const codec of codecs) {
    t.throws(() => memoize(f, { codec: codec as never }), {
      code,
      message: /^codec must be one of heap, any, json, structured, string, bytes, or an object/,
    })
  }
  t.throws(() => memoize(f, { name: 'm', codec: 'heap' }), { code, message: /^name must be left/ })
})
