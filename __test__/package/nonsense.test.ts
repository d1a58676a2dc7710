import test from 'ava'
import { Redis } from 'ioredis'
import { createStore } from '../../src/adapters/cache-manager.ts'
import { KeyvStore } from '../../src/adapters/keyv.ts'
import { memoize } from '../../src/adapters/memoize.ts'
import { createCacheHandler, createUseCacheHandler } from '../../src/adapters/nextjs.ts'
import { createAdmin } from '../../src/admin/index.ts'
import { dashboard } from '../../src/dashboard/index.ts'
import { Cache, isBreakwaterError } from '../../src/index.ts'
import { registerSpans } from '../../src/opentelemetry/index.ts'
import { createRouter, type Router } from '../../src/router/index.ts'
import { createPool, Ring } from '../../src/routing/index.ts'
import { redis } from '../../src/tier/redis/index.ts'
import { entries, fieldsOf, membersOf, reached, typesOf } from '../docs/code.ts'
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

/** Who takes options of an exported interface. */
interface Taker {
  readonly entry: string
  readonly options: string
  /** What else an option needs, so that it is looked at. */
  readonly needs?: Record<string, unknown>
  /** What is not tried: it would reach beyond this machine. */
  readonly never?: (path: string, value: unknown) => boolean
  /** Takes them. */
  take(given: never): unknown
}

/** Sets what is at a path, and leaves what is around it as it is. */
function withAt(
  all: Record<string, unknown>,
  path: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const [name = '', ...rest] = path
  const around = all[name]
  const isObject = typeof around === 'object' && around !== null && !(around instanceof URL)
  const inner = isObject ? (around as Record<string, unknown>) : {}
  return { ...all, [name]: rest.length === 0 ? value : withAt(inner, rest, value) }
}

/** What an option needs beside it: what is said for what it is a part of. */
function around(path: string, needs: Record<string, unknown> = {}): Record<string, unknown> {
  let all: Record<string, unknown> = {}
  for (const [name, needed] of Object.entries(needs)) {
    if (name === '') Object.assign(all, needed)
    else if (path.startsWith(`${name}.`)) all = withAt(all, name.split('.'), needed)
  }
  return all
}

/** Collects what is wrong with nonsense as any of the options, however deep. */
async function faultsOf({ entry, options, needs, never, take }: Taker): Promise<string[]> {
  const faults: string[] = []
  for (const path of [...fieldsOf(entry, options), 'nonsense']) {
    for (const value of nonsense()) {
      if (never?.(path, value)) continue
      const given = withAt(around(path, needs), path.split('.'), value)
      const wrong = await call(() => take(given as never))
      if (wrong !== undefined) faults.push(`${options}.${path} ${shown(value)}: ${wrong}`)
    }
  }
  return faults
}

/** Waits no longer than a turn. */
const briefly = (result: unknown): Promise<unknown> => {
  Promise.resolve(result).catch(() => {})
  return Promise.race([result, new Promise(resolve => setImmediate(resolve))])
}

let keys = 0

/** Loads a key that nobody has, in some way; whoever asks for it then is answered. */
async function leavingNothing(load: (key: string) => unknown, space?: string): Promise<unknown> {
  const key = `key ${keys++}`
  const asked = space === undefined ? cache : cache.namespace(space)
  try {
    return await briefly(load(key))
  } finally {
    await asked.getOrSet(key, () => 1)
  }
}

const nothing = () => {}
const tasks = new URL('../routing/tasks/idle.mjs', import.meta.url)

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

const client = new Redis({ lazyConnect: true })
client.on('error', nothing)
test.after.always(() => client.disconnect())
const cache = new Cache<string, unknown>({ max: 10 })
const pool = createPool({ file: tasks, route: () => 'a', workers: 1 })
test.after.always(() => pool.close())

/** Everything that takes options. */
const takers: Taker[] = [
  {
    entry: 'breakwater',
    options: 'CacheOptions',
    needs: {
      '': { max: 10 },
      batch: { maxBatch: 1 },
      'origin.rate': { limit: 1, per: 1 },
      'origin.retry': { retries: 1 },
      writeThrough: {},
      writeBehind: { writer: nothing },
      warm: { from: 'hot' },
    },
    take: given => new Cache(given),
  },
  { entry: 'breakwater', options: 'SetOptions', take: given => cache.set('a', 1, given) },
  {
    entry: 'breakwater',
    options: 'IncrementOptions',
    take: given => cache.namespace('n').increment('a', given),
  },
  {
    entry: 'breakwater',
    options: 'FetchOptions',
    needs: { '': { loader: () => 1 } },
    take: given => leavingNothing(key => cache.fetch(key, given)),
  },
  {
    entry: 'breakwater',
    options: 'FetchOptions',
    take: given => leavingNothing(key => cache.fetchMany([key], keys => [...keys], given)),
  },
  {
    entry: 'breakwater',
    options: 'FetchOptions',
    take: given => leavingNothing(key => cache.namespace('n').getOrSet(key, () => 1, given), 'n'),
  },
  {
    entry: 'breakwater',
    options: 'InvalidateOptions',
    take: given => cache.invalidate('a', given),
  },
  {
    entry: 'breakwater/redis',
    options: 'RedisTierOptions',
    take: given => void redis(client, given),
  },
  {
    entry: 'breakwater/router',
    options: 'RouterOptions',
    needs: {
      tls: { cert: 'cert.pem', key: 'key.pem' },
      warm: { from: 'hot' },
      storeTls: { ca: 'cert.pem' },
    },
    take: given => createRouter(given),
  },
  {
    entry: 'breakwater/router',
    options: 'RouterUser',
    needs: { '': { name: 'user' } },
    take: given => createRouter({ users: [given] }),
  },
  {
    entry: 'breakwater/router',
    options: 'RouterRoute',
    needs: { '': { match: '*' } },
    take: given => createRouter({ store: 'redis://127.0.0.1:1', routes: [given] }),
  },
  {
    entry: 'breakwater/router',
    options: 'ListenOptions',
    // Where neither is given, it listens on a port that may be taken.
    needs: { '': { unix: 'socket', port: 0 } },
    // A name may be of any machine, and no name of all.
    never: (path, value) => path === 'host' && typeof value === 'string',
    take: given => listened(createRouter({ threads: 0, maxBytes: '16mb' }), given),
  },
  {
    entry: 'breakwater/admin',
    options: 'AdminOptions',
    needs: { '': { listen: '127.0.0.1:0' } },
    take: given => void createAdmin(createRouter({ threads: 0, maxBytes: '16mb' }), given),
  },
  {
    entry: 'breakwater/dashboard',
    options: 'DashboardOptions',
    take: given => void dashboard(cache, given),
  },
  {
    entry: 'breakwater/routing',
    options: 'RingOptions',
    needs: { envoy: { minimumSize: 16 } },
    take: given => void new Ring([], given),
  },
  {
    entry: 'breakwater/routing',
    options: 'PoolOptions',
    needs: { '': { file: tasks, route: () => 'a', workers: 1 }, hot: { share: 0.5 } },
    take: given => createPool(given),
  },
  {
    entry: 'breakwater/routing',
    options: 'RunOptions',
    take: given => briefly(pool.run({}, given)),
  },
  {
    entry: 'breakwater/memoize',
    options: 'MemoizeOptions',
    needs: { '': { max: 10 } },
    take: given => void memoize(async () => 1, given),
  },
  {
    entry: 'breakwater/nextjs',
    options: 'NextOptions',
    take: given => void createCacheHandler(given),
  },
  {
    entry: 'breakwater/nextjs',
    options: 'NextOptions',
    take: given => void createUseCacheHandler(given),
  },
  {
    entry: 'breakwater/opentelemetry',
    options: 'SpansOptions',
    take: given => registerSpans({ startActiveSpan: () => undefined }, given)(),
  },
]

/** Listens, and stops. */
async function listened(router: Router, given: never): Promise<void> {
  try {
    await router.listen(given)
  } finally {
    await router.close()
  }
}

for (const [i, taker] of takers.entries()) {
  test.serial(`${taker.options} of ${taker.entry}, ${i}`, async t => {
    t.timeout(240_000)
    t.deepEqual(await faultsOf(taker), [])
  })
}

test('every type of options is taken by somebody', t => {
  for (const { entry, options } of takers) fieldsOf(entry, options)
  // The drop-in's are those of lru-cache, and are tried beside it; parts are in the others.
  const parts = ['GateOptions']
  const missing = [...entries.keys()]
    .filter(entry => entry !== 'breakwater/lru-cache')
    .flatMap(entry => typesOf(entry).map(name => [entry, name] as const))
    .filter(([, name]) => /Options$/.test(name) && !reached.has(name) && !parts.includes(name))
    .filter(([entry, name]) => {
      const fields = [...fieldsOf(entry, name)]
      return !takers.some(({ entry, options }) => {
        const known = fieldsOf(entry, options)
        return fields.every(field => known.has(field))
      })
    })
  t.deepEqual(missing, [])
})

test.serial('adapters, and what is no options at all', async t => {
  t.timeout(120_000)
  const adapters: [string, (given: never) => unknown][] = [
    ['keyv', given => void new KeyvStore(given)],
    ['cache-manager', given => void createStore(given)],
  ]
  for (const [name, take] of adapters) {
    const options = 'CacheOptions'
    const faults = await faultsOf({
      entry: 'breakwater',
      options,
      needs: { '': { max: 10 } },
      take,
    })
    t.deepEqual(faults, [], name)
  }
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

const plain = () => new Cache<string, unknown>({ max: 100 })
const makes = {
  Cache: plain,
  Namespace: plain,
  'Cache whose second tier is away': () =>
    new Cache<string, unknown>({ name: 'nonsense', max: 100, tier: redis(client) }),
}

for (const [name, make] of Object.entries(makes)) {
  test.serial(`every method of ${name}, whether the key has a value or not`, async t => {
    t.timeout(240_000)
    const cache = make()
    const type = name === 'Namespace' ? 'Namespace' : 'Cache'
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
          for (const isHeld of [true, false]) {
            if (isHeld) methodOf(on, 'set')('a', 1)
            else methodOf(on, 'delete')('a')
            const wrong = await call(() => walked(methodOf(on, method)(...args)))
            if (wrong !== undefined) {
              faults.push(`${method}(${args.map(shown).join(', ')}), ${isHeld}: ${wrong}`)
            }
          }
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
