// After close nothing but a few names answers, and nothing outside is touched.
import test from 'ava'
import { Cache, Namespace } from '../../src/index.ts'

type Closed = Cache<string, string>
type View = Namespace<string>

/** What still answers. */
const answers: Record<string, (cache: Closed) => unknown> = {
  close: cache => cache.close(),
  closed: cache => cache.closed,
  name: cache => cache.name,
  off: cache => cache.off('hit', () => {}),
}

const set = { ttl: 5 }
const load = () => 'loaded'

/** A call of each method. */
const calls: Record<string, (cache: Closed) => unknown> = {
  get: cache => cache.get('a'),
  peek: cache => cache.peek('a'),
  has: cache => cache.has('a'),
  set: cache => cache.set('a', '1', set),
  delete: cache => cache.delete('a'),
  clear: cache => cache.clear(),
  getMany: cache => cache.getMany(['a']),
  setMany: cache => cache.setMany([['a', '1']]),
  deleteMany: cache => cache.deleteMany(['a']),
  getInto: cache => cache.getInto('a', Buffer.alloc(1)),
  ttl: cache => cache.ttl('a'),
  expire: cache => cache.expire('a', 5),
  touch: cache => cache.touch('a'),
  info: cache => cache.info('a'),
  increment: cache => (cache as never as Cache<string, number>).increment('a'),
  setIfAbsent: cache => cache.setIfAbsent('b', '1'),
  update: cache => cache.update('a', () => '2'),
  size: cache => cache.size,
  bytes: cache => cache.bytes,
  bounds: cache => cache.bounds,
  keys: cache => [...cache.keys()],
  values: cache => [...cache.values()],
  entries: cache => [...cache.entries()],
  forEach: cache => cache.forEach(() => {}),
  iterator: cache => [...cache],
  stats: cache => cache.stats(),
  resetStats: cache => cache.resetStats(),
  hotKeys: cache => cache.hotKeys(),
  skew: cache => cache.skew(),
  resize: cache => cache.resize({ max: 5 }),
  save: cache => cache.save('/tmp/breakwater-never-written'),
  load: cache => cache.load('/tmp/breakwater-never-read'),
  onRemoval: cache => cache.onRemoval(() => {}),
  handle: cache => cache.handle,
  fetch: cache => cache.fetch('a', { loader: load }),
  fetchSync: cache => cache.fetchSync('a', { loader: load }),
  getOrSet: cache => cache.getOrSet('a', load),
  getOrSetSync: cache => cache.getOrSetSync('a', load),
  fetchHas: cache => cache.fetchHas('a'),
  fetchMany: cache => cache.fetchMany(['a'], keys => [...keys]),
  invalidateTag: cache => cache.invalidateTag('tag'),
  put: cache => cache.put('a', '1'),
  remove: cache => cache.remove('a'),
  invalidate: cache => cache.invalidate('a', { again: 5 }),
  flush: cache => cache.flush(),
  writeStats: cache => cache.writeStats,
  on: cache => cache.on('hit', () => {}),
  once: cache => cache.once('evict', () => {}),
  ready: cache => cache.ready,
  consume: cache => cache.consume([{ keys: ['a'] }]),
  namespace: cache => cache.namespace('n'),
}

/** What a view has that the cache has not, or otherwise. */
const views: Record<string, (view: View) => unknown> = {
  namespace: view => view.namespace('n').get('a'),
}

const own = (type: { prototype: object }) =>
  Object.entries(Object.getOwnPropertyDescriptors(type.prototype))
    .filter(([name]) => name !== 'constructor')
    .map(([name]) => name)

/** All that a cache offers; what is internal is not in the types that are published. */
const internal = [
  'at',
  'loader',
  'codecName',
  'needOpen',
  'stored',
  'lives',
  'near',
  'second',
  'listeners',
  'readsEach',
  'writesEach',
  'endless',
  'prepare',
  'send',
  'nearCopy',
  'nearHit',
  'clearHere',
  'attachSecond',
  'loadingHost',
  'storeReady',
  'makeReady',
  'needKey',
  'forgetAll',
  'deleteOlder',
  'options',
  'timers',
  'events',
  'loading',
  'pendingWrite',
  'endLoads',
]

function methods(): string[] {
  const names = new Set<string>()
  for (let type = Cache as { prototype: object }; type !== Function.prototype; ) {
    for (const name of own(type)) names.add(name)
    type = Object.getPrototypeOf(type)
  }
  return [...names].filter(name => !internal.includes(name)).sort()
}

/** A closed cache whose outside counts what reaches it. */
async function closed(options: object = {}) {
  const reached: string[] = []
  const cache = new Cache<string, string>({
    max: 10,
    loader: key => {
      reached.push(`load ${key}`)
      return key
    },
    writer: ({ key }) => void reached.push(`write ${key}`),
    ...options,
  })
  cache.set('a', '1')
  const view = cache.namespace('v')
  view.set('a', '1')
  await cache.close()
  return { cache, view, reached }
}

/** What a call comes to. */
async function code(call: () => unknown): Promise<unknown> {
  try {
    await call()
    return 'an answer'
  } catch (error) {
    return (error as { code?: unknown }).code ?? error
  }
}

test('every method is in one of the tables', t => {
  const tables = [...Object.keys(answers), ...Object.keys(calls)]
  t.deepEqual(methods(), tables.filter(name => name !== 'iterator').sort())
})

for (const [name, call] of Object.entries(answers)) {
  test(`${name} answers after close`, async t => {
    const { cache } = await closed()
    await t.notThrowsAsync(async () => call(cache))
  })
}

for (const [name, call] of Object.entries(calls)) {
  test(`${name} is refused after close, and reaches nothing outside`, async t => {
    for (const options of [
      {},
      { writer: undefined, writeBehind: { writer: () => t.fail() } },
      { near: false, loader: undefined, writer: undefined },
    ]) {
      const { cache, reached } = await closed(options)
      t.is(await code(() => call(cache)), 'ERR_CACHE_CLOSED')
      t.deepEqual(reached, [])
    }
  })
}

test('every method of a view is refused after close, and reaches nothing outside', async t => {
  for (const name of own(Namespace)) {
    if (name === 'path') continue
    const { view, reached } = await closed()
    const call = views[name] ?? (calls[name] as unknown as (view: View) => unknown)
    t.is(typeof call, 'function', name)
    t.is(await code(() => call(view)), 'ERR_CACHE_CLOSED', name)
    t.deepEqual(reached, [], name)
  }
})

test('what began before the close ends by it, and does not reach the outside again', async t => {
  const { cache } = await closed()
  t.is(cache.close(), cache.close())
  const consuming = new Cache<string, string>({ max: 10 })
  async function* events() {
    yield { keys: ['a'] }
    void consuming.close()
    yield { keys: ['b'] }
    yield { keys: ['c'] }
  }
  t.is(await consuming.consume(events()), 1)
})

/** An outside that is slow until it is let go, and what reached it. */
function slowly() {
  let letGo = () => {}
  const gone = new Promise<void>(resolve => (letGo = resolve))
  const reached: string[] = []
  const slow = (what: string, value?: unknown) => {
    reached.push(what)
    return gone.then(() => value) as Promise<never>
  }
  const session = {
    ready: Promise.resolve(),
    get: () => slow('get'),
    set: () => slow('set', true),
    delete: () => slow('delete'),
    invalidateTag: () => slow('invalidateTag'),
    clear: () => slow('clear'),
    lease: async () => ({ release: async () => {} }),
    written: async () => {},
    publishHot: async () => {},
    fleetHot: async () => [],
    close: async () => void reached.push('close'),
  }
  return { letGo, reached, slow, tier: { open: () => session } }
}

/** How a cache may have an outside. */
const outsides = ['none', 'writer', 'writeBehind', 'tier', 'tier, writer', 'tier, writeBehind']

/** What is refused if the second tier has not answered when the cache closes. */
const loads = ['fetch', 'fetchSync', 'getOrSet', 'getOrSetSync', 'fetchMany']

for (const kind of outsides) {
  test(`what is under way at a close ends, and what the outside took has not failed: ${kind}`, async t => {
    t.timeout(120_000)
    const { save: _, load: __, ...others } = calls
    for (const [name, call] of Object.entries(others)) {
      const { letGo, reached, slow, tier } = slowly()
      const [isTiered, isWriter] = [kind.includes('tier'), kind.endsWith('writer')]
      const cache = new Cache<string, string>({
        max: 10,
        name: `under way: ${kind} ${name}`,
        tier: isTiered ? tier : undefined,
        writer: isWriter ? () => slow('write') : undefined,
        writeBehind: kind.endsWith('writeBehind') ? { writer: () => slow('write') } : undefined,
      })
      const began = code(() => call(cache))
      const closing = cache.close()
      letGo()
      const isRefused = isTiered && loads.includes(name)
      t.is(await began, isRefused ? 'ERR_CACHE_CLOSED' : 'an answer', name)
      await closing
      // The second tier must not keep what is older than the origin.
      if (name === 'put' && isTiered) t.regex(reached.join(), /(set|delete).*close$/)
    }
  })
}
