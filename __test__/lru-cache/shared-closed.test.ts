// A shared cache after its close, and after the end of the thread that made it: what is in the table of
// a cache holds for the drop-in.
import { once } from 'node:events'
import test from 'ava'
import { LRUCache } from '../../src/lru-cache/index.ts'
import { SharedCache } from '../../src/lru-cache/shared/index.ts'
import { Unshared } from '../../src/lru-cache/shared/unshared.ts'
import { inWorker, start } from '../helpers/worker.ts'
import { unused } from './support/shared.ts'

type Shared = SharedCache<string, number>

/** A call of each method, which is refused. */
const refused: Record<string, (cache: Shared) => unknown> = {
  get: cache => cache.get('a'),
  peek: cache => cache.peek('a'),
  has: cache => cache.has('a'),
  set: cache => cache.set('a', 1),
  delete: cache => cache.delete('a'),
  clear: cache => cache.clear(),
  getMany: cache => cache.getMany([]),
  setMany: cache => cache.setMany([['a', 1]]),
  fetch: cache => cache.fetch('a'),
  forceFetch: cache => cache.forceFetch('a', { forceRefresh: true }),
  memo: cache => cache.memo('a', { forceRefresh: true }),
  find: cache => cache.find(() => true),
  forEach: cache => cache.forEach(() => {}),
  rforEach: cache => cache.rforEach(() => {}),
  keys: cache => [...cache.keys()],
  values: cache => [...cache.values()],
  entries: cache => [...cache.entries()],
  rkeys: cache => [...cache.rkeys()],
  rvalues: cache => [...cache.rvalues()],
  rentries: cache => [...cache.rentries()],
  [Symbol.iterator.toString()]: cache => [...cache],
  info: cache => cache.info('a'),
  dump: cache => cache.dump(),
  load: cache => cache.load([]),
  getRemainingTTL: cache => cache.getRemainingTTL('a'),
  stats: cache => cache.stats(),
  resetStats: cache => cache.resetStats(),
  resize: cache => cache.resize({}),
  size: cache => cache.size,
  calculatedSize: cache => cache.calculatedSize,
}

/** What ends it, does nothing or is never there. */
const methods: Record<string, (cache: Shared) => unknown> = {
  close: cache => cache.close(),
  [Symbol.dispose.toString()]: cache => cache[Symbol.dispose](),
  purgeStale: cache => cache.purgeStale(),
}

/** The options that it was made of. */
const options = [
  ...['shared', 'codec', 'near', 'maxBytes', 'max', 'policy', 'jitter', 'random', 'fetchMethod'],
  ...['memoMethod', 'Symbol(breakwater.lru-cache.shared)'],
]

const own = (type: { prototype: object }) => Reflect.ownKeys(type.prototype).map(String)

const kinds: Record<string, object> = {
  plain: { memoMethod: () => 1 },
  'near copies': { near: { max: 5 }, memoMethod: () => 1 },
  'a fetch method': { fetchMethod: async () => 1, memoMethod: () => 1 },
}

function closed(kind: string): Shared {
  const given = { shared: unused(), max: 10, ...kinds[kind] }
  const cache = new LRUCache<string, number>(given) as never as Shared
  cache.set('a', 1)
  for (let i = 0; i < 3; i++) cache.get('a')
  cache.close()
  return cache
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
  const known = [...Object.keys(refused), ...Object.keys(methods), ...options, 'pop', 'constructor']
  t.deepEqual(own(SharedCache).sort(), known.sort())
})

for (const kind of Object.keys(kinds)) {
  test(`after close nothing but a few names answers: ${kind}`, async t => {
    for (const [name, call] of Object.entries(refused)) {
      const cache = closed(kind)
      t.is(await code(() => call(cache)), 'ERR_CACHE_CLOSED', name)
    }
    for (const [name, call] of Object.entries(methods)) {
      const cache = closed(kind)
      t.is(await code(() => call(cache)), 'an answer', name)
    }
    const cache = closed(kind) as never as Record<string, unknown>
    for (const name of [...options, ...own(Unshared)]) {
      t.notThrows(() => cache[name], name)
    }
    t.is(await code(() => (cache as never as Shared).pop()), 'ERR_OPTION_COMBINATION')
  })
}

test('a fetch that is under way at the close is refused; one that ignores aborts has its answer', async t => {
  let answer = (_: number) => {}
  const fetchMethod = () => new Promise<number>(resolve => (answer = resolve))
  const cache = new LRUCache<string, number>({ shared: unused(), max: 10, fetchMethod })
  const fetches = [cache.fetch('a'), cache.fetch('a'), cache.forceFetch('b')]
  const ignoring = cache.fetch('c', { ignoreFetchAbort: true })
  cache.close()
  for (const fetch of fetches) await t.throwsAsync(fetch, { code: 'ERR_CACHE_CLOSED' })
  answer(7)
  t.is(await ignoring, 7)
})

test('the thread that made a cache ends: who has it has it still, and nobody else', async t => {
  t.timeout(120_000)
  const shared = unused()
  await inWorker(({ LRUCache, data }) => {
    new LRUCache<string, number>({ shared: data, max: 10 }).set('a', 1)
  }, shared)
  t.throws(() => new LRUCache({ shared }), { code: 'ERR_NO_SUCH_CACHE' })
  const worker = start(({ LRUCache, port, data }) => {
    const fetchMethod = () => new Promise<number>(() => {})
    const cache = new LRUCache<string, number>({ shared: data, max: 10, fetchMethod })
    cache.set('a', 1)
    void cache.fetch('b')
    setInterval(() => {}, 60_000)
    port.postMessage('made')
  }, shared)
  await once(worker, 'message')
  const cache = new LRUCache<string, number>({ shared, fetchMethod: async () => 7 })
  const fetching = cache.fetch('b')
  await worker.terminate()
  t.is(await fetching, 7)
  for (const [name, call] of Object.entries(refused)) {
    if (name === 'memo') continue
    t.is(await code(() => call(cache as never as Shared)), 'an answer', name)
  }
})

test('a signal that outlives a fetch holds nothing of it', async t => {
  const signal = new AbortController().signal
  const heard: string[] = []
  const { addEventListener, removeEventListener } = EventTarget.prototype
  signal.addEventListener = function (this: EventTarget, ...args: [string, never]) {
    heard.push('on')
    return addEventListener.apply(this, args)
  } as never
  signal.removeEventListener = function (this: EventTarget, ...args: [string, never]) {
    heard.push('off')
    return removeEventListener.apply(this, args)
  } as never
  const cache = new LRUCache<string, number>({
    shared: unused(),
    max: 10,
    fetchMethod: async () => 1,
  })
  await cache.fetch('a', { signal })
  t.deepEqual(heard, ['on', 'off'])
})
