import test from 'ava'
import { Redis } from 'ioredis'
import { createStore } from '../../src/adapters/cache-manager.ts'
import { KeyvStore } from '../../src/adapters/keyv.ts'
import { memoize } from '../../src/adapters/memoize.ts'
import { createCacheHandler, createUseCacheHandler } from '../../src/adapters/nextjs.ts'
import { Cache, isBreakwaterError } from '../../src/index.ts'
import { createRouter } from '../../src/router/index.ts'
import { redis } from '../../src/tier/redis/index.ts'
import { membersOf } from '../docs/code.ts'
import { newFolder, removeFolder } from '../helpers/folders.ts'

/** What nobody means. */
const nonsense = () => [
  ...[0, -0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...[1e21, 2 ** 31, 2 ** 32, 2 ** 53, Number.MAX_VALUE, '', 'x', '0', '1e30d', 'Infinity'],
  ...[undefined, null, true, [], [[]], [1], {}, () => {}, 1n, Symbol('s')],
  ...[new Date(Number.NaN), Object.create(null), new Map([[1, 2]]), new Proxy({}, {})],
]

const shown = (value: unknown): string =>
  typeof value === 'object' && value !== null ? `an object ${Object.keys(value)}` : String(value)

/** What is wrong with an error. */
function fault(error: unknown): string | undefined {
  if (!isBreakwaterError(error)) return String((error as Error)?.stack ?? error)
  return error.code === 'ERR_INTERNAL' ? error.message : undefined
}

/** Calls, and closes what comes of it. */
async function call(f: () => unknown): Promise<string | undefined> {
  try {
    const made = await f()
    await (made as { close?: () => unknown } | undefined)?.close?.()
  } catch (error) {
    return fault(error)
  }
  return undefined
}

/** Collects what is wrong with calls of `make` with options of these names. */
async function options(
  path: string,
  names: readonly string[],
  make: (given: object) => unknown,
): Promise<string[]> {
  const faults: string[] = []
  for (const name of names) {
    for (const value of nonsense()) {
      const wrong = await call(() => make({ [name]: value }))
      if (wrong !== undefined) faults.push(`${path}${name} ${shown(value)}: ${wrong}`)
    }
  }
  return faults
}

const cacheOptions = {
  '': [
    ...['max', 'maxBytes', 'ttl', 'jitter', 'shards', 'policy', 'codec', 'clock', 'near', 'random'],
    ...['name', 'touch', 'staleIfError', 'staleWhileRevalidate', 'refreshAhead', 'timeout'],
    ...['softTimeout', 'lockTimeout', 'negativeTtl', 'errorTtl', 'retryAfter', 'leaderError'],
    ...[
      'origin',
      'loader',
      'batchLoader',
      'batch',
      'writer',
      'writeThrough',
      'writeBehind',
      'warm',
    ],
    ...['tier', 'onTierLoss', 'localTtl', 'uncoveredTtl', 'tierLease', 'nonsense'],
  ],
  'origin.': ['concurrency', 'rate', 'queue', 'retry', 'breaker'],
  'near.': ['max', 'maxBytes'],
  'writeBehind.': ['writer', 'maxDelay', 'maxBatch', 'retries', 'concurrency'],
  'writeThrough.': ['timeout'],
  'warm.': ['from', 'every', 'keys'],
  'batch.': ['max', 'delay', 'maxSize', 'maxDelay'],
  'origin.breaker.': ['failures', 'halfOpenAfter'],
  'origin.retry.': ['retries', 'delay', 'maxDelay', 'factor'],
  'origin.rate.': ['limit', 'per'],
}

/** `{ a: { b: given } }` of a path. */
const at = (path: string, given: object): object =>
  path
    .split('.')
    .slice(0, -1)
    .reduceRight((inner, name) => ({ [name]: inner }), given)

let home = ''
test.before(() => {
  home = process.cwd()
  // A text is a path for some.
  process.chdir(newFolder('nonsense'))
})
test.after.always(() => {
  const folder = process.cwd()
  process.chdir(home)
  return removeFolder(folder)
})

for (const [path, names] of Object.entries(cacheOptions)) {
  test.serial(`options of a cache: ${path}`, async t => {
    t.timeout(120_000)
    const make = (given: object) => new Cache({ max: 10, ...at(path, given) })
    t.deepEqual(await options(path, names, make), [])
  })
}

test.serial('options of routers, tiers and adapters', async t => {
  t.timeout(120_000)
  const client = new Redis({ lazyConnect: true })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  const makers: [string, string[], (given: object) => unknown][] = [
    [
      'router.',
      [
        ...['threads', 'maxBytes', 'policy', 'maxClients', 'password', 'users', 'driver', 'store'],
        ...['tls', 'routes', 'storeTls'],
      ],
      given => createRouter(given),
    ],
    [
      'redis.',
      ['ttl', 'timeout', 'maxValueSize', 'compression', 'invalidation', 'breaker', 'prefix'],
      given => void redis(client, given),
    ],
    ['memoize.', ['ttl', 'max', 'key', 'errorTtl'], given => void memoize(async () => 1, given)],
    ['keyv.', ['max', 'ttl', 'codec'], given => void new KeyvStore(given)],
    ['cache-manager.', ['max', 'ttl', 'codec'], given => void createStore(given)],
    ['nextjs.', ['max', 'name', 'maxTags', 'clock'], given => void createCacheHandler(given)],
    ["'use cache'.", ['max', 'name', 'maxTags'], given => void createUseCacheHandler(given)],
  ]
  for (const [path, names, make] of makers) t.deepEqual(await options(path, names, make), [])
  const wholes: Record<string, (value: never) => unknown> = {
    Cache: value => new Cache(value),
    createRouter: value => createRouter(value),
    redis: value => void redis(value),
    'redis(client)': value => void redis(client, value),
    memoize: value => void memoize(value, { max: 1 }),
    'memoize(f)': value => void memoize(() => 1, value),
    KeyvStore: value => void new KeyvStore(value),
    createStore: value => void createStore(value),
    createCacheHandler: value => void createCacheHandler(value),
    createUseCacheHandler: value => void createUseCacheHandler(value),
  }
  for (const [name, make] of Object.entries(wholes)) {
    for (const value of nonsense()) {
      t.is(await call(() => make(value as never)), undefined, `${name} ${shown(value)}`)
    }
  }
})

for (const type of ['Cache', 'Namespace'] as const) {
  test.serial(`every method of ${type}`, async t => {
    t.timeout(240_000)
    const cache = new Cache<string, unknown>({ max: 100 })
    const on = (type === 'Cache' ? cache : cache.namespace('space')) as never as Record<
      string,
      unknown
    >
    const methods = membersOf('breakwater', type).filter(
      name => name !== 'close' && typeof on[name] === 'function',
    )
    t.true(methods.length > 25)
    const faults: string[] = []
    for (const method of methods) {
      for (const value of nonsense()) {
        for (const args of argumentLists(value)) {
          const wrong = await call(() => walked(methodOf(on, method)(...args)))
          if (wrong !== undefined) faults.push(`${method}(${args.map(shown).join(', ')}): ${wrong}`)
        }
      }
    }
    t.deepEqual(faults, [])
    await cache.close()
  })
}

/** A method, which takes anything. */
const methodOf =
  (on: Record<string, unknown>, name: string) =>
  (...args: unknown[]): unknown =>
    (on[name] as (...args: unknown[]) => unknown).apply(on, args)

/** Calls with a value in each place, beside arguments that are meant. */
const argumentLists = (value: unknown): unknown[][] => [
  [value],
  ['a', value],
  ['a', 'b', value],
  ['a', () => 'x', value],
  [['a', 'b'], value],
  ['a', 1, { ttl: value }],
  ['a', 1, { tags: value }],
  ['a', 1, { version: value }],
  ['a', () => 'x', { ttl: value }],
  ['a', () => 'x', { timeout: value, staleIfError: value, jitter: value, fresh: value }],
  ['a', { loader: value }],
]

/** Walks through what can be walked through; of what is waited for, no longer than a turn. */
async function walked(result: unknown): Promise<undefined> {
  const turn = new Promise(resolve => setImmediate(resolve))
  const settled = await Promise.race([result, turn])
  if (typeof settled === 'object' && settled !== null && Symbol.iterator in settled) {
    for (const _ of settled as Iterable<unknown>);
  }
  // What is late must not reject unheard either.
  Promise.resolve(result).catch(() => {})
}
