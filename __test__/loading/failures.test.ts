// What a loader throws, as callers get it who were not there: in other threads, and under `errorTtl`.
import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { fromText, toText } from '../../src/base/failure.ts'
import { Cache } from '../../src/index.ts'
import { chance, random } from '../helpers/random.ts'

/** What comes back when it is remembered. */
async function remembered(error: unknown): Promise<unknown> {
  const cache = new Cache<string, string>({ max: 10, errorTtl: '1m' })
  const fail = () => Promise.reject(error)
  const caught = (value: unknown) => ({ value })
  const first = await cache.getOrSet('a', fail).catch(caught)
  const again = await cache.getOrSet('a', () => 'not remembered').catch(caught)
  cache.close()
  if (!Object.is((first as { value: unknown }).value, error)) throw new Error('another one')
  return (again as { value: unknown }).value
}

const values = [
  ...['', 'text', 0, -0, 1.5, 1e21, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...[true, false, null, undefined, 0n, -(2n ** 70n), [1, 'a'], { code: 'E', list: [1] }],
]

for (const value of values) {
  test(`a thrown value comes back as what it was: ${inspect(value)}`, async t => {
    t.deepEqual(await remembered(value), value)
    t.true(Object.is(await remembered(value), value) || typeof value === 'object')
  })
}

const { proxy, revoke } = Proxy.revocable({}, {})
revoke()
const hidden = new Proxy(new Error('hidden'), {
  getPrototypeOf: () => {
    throw new Error('no')
  },
  get: () => {
    throw new Error('no')
  },
})

/** Of these only what kind they are can be told. */
const unspeakable: Record<string, unknown> = {
  'a symbol': Symbol('a'),
  'a function': () => 1,
  'a revoked proxy': proxy,
  'a proxy that throws': hidden,
  'what throws when it is written': {
    toJSON: () => {
      throw new Error('no')
    },
  },
  'a circle': (() => {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    return circle
  })(),
  'too large a text': 'x'.repeat(100_000),
}

for (const [what, value] of Object.entries(unspeakable)) {
  test(`a thrown value that cannot be told comes back as an error that says so: ${what}`, async t => {
    const again = await remembered(value)
    t.true(again instanceof Error)
    t.true((again as Error).name.length > 0)
  })
}

test('causes come back, and their causes, as what they were', async t => {
  const lowest = Object.assign(new TypeError('refused'), { code: 'ECONNREFUSED', errno: -111 })
  const middle = new Error('no database', { cause: lowest })
  const again = (await remembered(new RangeError('no user', { cause: middle }))) as Error
  t.true(again instanceof RangeError)
  const cause = again.cause as Error
  t.deepEqual([cause.constructor, cause.message], [Error, 'no database'])
  const root = cause.cause as typeof lowest
  t.deepEqual([root.constructor, root.code, root.errno], [TypeError, 'ECONNREFUSED', -111])
  t.is(root.stack, lowest.stack)
  t.deepEqual(Object.keys(again), [], 'as with those of the language, no loop shows a cause')
  const spoken = (await remembered(new Error('a', { cause: 'b' }))) as Error
  t.is(spoken.cause, 'b')
})

test('an AggregateError comes back with its errors, and any field that is an error with it', async t => {
  const errors = [new TypeError('a'), 'b', undefined, Object.assign(new Error('c'), { code: 'C' })]
  const given = Object.assign(new AggregateError(errors, 'all failed'), {
    inner: new RangeError('inner'),
    tried: [new Error('first')],
  })
  const again = (await remembered(given)) as typeof given
  t.true(again instanceof AggregateError)
  const [a, b, none, c] = again.errors
  t.true(a instanceof TypeError)
  t.deepEqual([b, none, c.code], ['b', undefined, 'C'])
  t.true(again.inner instanceof RangeError)
  t.is(again.tried[0]?.message, 'first')
})

test('an error that is within itself comes back, but for that', async t => {
  const error = new Error('outer') as Error & { inner?: unknown; others?: unknown }
  error.cause = error
  error.inner = Object.assign(new Error('inner'), { outer: error, code: 'I' })
  error.others = [error, new Error('other')]
  const again = (await remembered(error)) as typeof error
  t.is(again.cause, undefined)
  t.is((again.inner as { code: string }).code, 'I')
  t.deepEqual(
    (again.others as Error[]).map(({ message }) => message),
    ['other'],
  )
})

test('what classes give by getters is kept as well', async t => {
  class NotFound extends Error {
    get status() {
      return 404
    }
    get code(): string {
      return 'E_NOT_FOUND'
    }
  }
  const again = (await remembered(new NotFound('gone'))) as NotFound
  t.deepEqual([again.status, again.code], [404, 'E_NOT_FOUND'])
  const aborted = (await remembered(new DOMException('late', 'TimeoutError'))) as DOMException
  t.deepEqual([aborted.name, aborted.message, aborted.code], ['TimeoutError', 'late', 23])
})

test('an error of another realm comes back as one of this', async t => {
  const error = runInNewContext(
    "Object.assign(new TypeError('far', { cause: new RangeError('further') }), { code: 'FAR' })",
  )
  const again = (await remembered(error)) as TypeError & { code: string }
  t.true(again instanceof TypeError)
  t.is(again.code, 'FAR')
  t.true(again.cause instanceof RangeError)
})

test('whatever is thrown, the text is bounded and comes back', t => {
  const seed = Date.now() % 2 ** 31
  const [next, pick] = [random(seed), chance(seed + 1)]
  const below = (n: number) => Math.floor(next() * n)
  const make = (depth: number): unknown => {
    const message = pick(['', 'message', 'x'.repeat(below(40_000))])
    const error = pick([
      () => new Error(message),
      () => new TypeError(message),
      () => new AggregateError([new Error('one')], message),
    ])() as unknown as Record<string, unknown>
    for (let i = below(8); i > 0; i--) {
      const long = 'y'.repeat(below(30_000))
      const value = pick<unknown>([1, 'text', long, 1n, () => 1, undefined, Symbol.iterator])
      error[`field ${i}`] = depth > 0 && below(2) === 0 ? make(depth - 1) : value
    }
    if (below(2) === 0) error.cause = depth > 0 ? make(depth - 1) : error
    if (below(3) === 0) error.errors = Array.from({ length: below(100) }, () => new Error('one'))
    return error
  }
  for (let i = 0; i < 300; i++) {
    const text = toText(make(below(5)))
    t.true(text.length <= 32_768, `seed ${seed}`)
    t.true(fromText(text) instanceof Error, `seed ${seed}`)
  }
})
