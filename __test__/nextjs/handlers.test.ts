import { createRequire } from 'node:module'
import test from 'ava'
import type { CacheEntry, CacheHandler } from 'next/cache.js'
import type * as Incremental from 'next/dist/server/lib/incremental-cache/index.js'
import {
  createCacheHandler,
  createUseCacheHandler,
  type NextOptions,
} from '../../src/adapters/nextjs.ts'
import { ManualClock } from '../../src/testing.ts'

const require = createRequire(import.meta.url)
const { IncrementalCache } = require('next/dist/server/lib/incremental-cache') as typeof Incremental

/** Every test has caches of its own. */
let names = 0
const nameOf = () => `next test ${++names}`

/** Writes into all that an answer holds. */
function scribble(answer: unknown): void {
  if (typeof answer !== 'object' || answer === null) return
  if (answer instanceof Uint8Array) answer.fill(7)
  else if (answer instanceof Map) answer.clear()
  else {
    for (const value of Object.values(answer)) scribble(value)
    if (Array.isArray(answer)) answer.length = 0
    else for (const name of Object.keys(answer)) Reflect.set(answer, name, 'scribbled')
  }
}

test('what a request writes into an entry that it got, the next one does not see', async t => {
  const Handler = createCacheHandler({ name: nameOf(), max: 10 })
  const page = () => pageOf(['a']) as { html: string }
  const given = page()
  await new Handler().set('/page', given, { kind: 'APP_PAGE', tags: ['a'] })
  scribble(given)
  for (let request = 0; request < 5; request++) {
    const entry = await new Handler().get('/page', { kind: 'APP_PAGE' })
    t.deepEqual(entry?.value, page() as never)
    scribble(entry)
  }

  const handler = createUseCacheHandler({ name: nameOf(), max: 10 })
  const tags = ['a']
  const value = new Blob(['value']).stream()
  const made = { value, tags, stale: 1, timestamp: Date.now(), expire: 100, revalidate: 50 }
  await handler.set('key', Promise.resolve(made))
  scribble(tags)
  for (let request = 0; request < 5; request++) {
    const entry = await handler.get('key', [])
    t.deepEqual(entry?.tags, ['a'])
    const { value: bytes } = (await entry?.value.getReader().read()) ?? {}
    t.is(Buffer.from(bytes ?? []).toString(), 'value')
    scribble(bytes)
    scribble(entry?.tags)
  }
})

// Next.js's own incremental cache, on our handler.

/** As Next.js makes one for each request. */
function incremental(options: NextOptions, headers: Record<string, string> = {}) {
  const handler = createCacheHandler(options)
  const previewProps = { previewModeId: 'preview' } as never
  return new IncrementalCache({
    dev: false,
    minimalMode: 'x-next-revalidated-tags' in headers,
    requestHeaders: headers,
    previewProps,
    prerenderManifest: { routes: {}, dynamicRoutes: {}, notFoundRoutes: [] } as never,
    CurCacheHandler: handler satisfies typeof Incremental.CacheHandler,
  })
}

type Next = Incremental.IncrementalCache

const route = { kind: 'APP_PAGE', sourceRoute: '/page' } as never

async function setFetch(cache: Next, key: string, tags: string[], revalidate = 3600) {
  const data = { headers: { a: 'b' }, body: 'Ym9keQ==', url: 'https://a.b', status: 200 }
  const value = { kind: 'FETCH', data, revalidate, tags } as never
  await cache.set(key, value, { fetchCache: true, tags })
  return data
}

const getFetch = (cache: Next, key: string, tags: string[] = [], softTags: string[] = []) =>
  cache.get(key, { kind: 'FETCH' as never, revalidate: 3600, tags, softTags })

function pageOf(tags: string[]) {
  return {
    kind: 'APP_PAGE',
    html: '<p>page</p>',
    rscData: Buffer.from([0, 255, 1]),
    headers: { 'x-next-cache-tags': tags.join(',') },
    postponed: undefined,
    status: 200,
    segmentData: new Map([['/_tree', Buffer.from('tree')]]),
  } as never
}

async function setPage(cache: Next, key: string, tags: string[], revalidate: number | false = 60) {
  const page = pageOf(tags)
  const cacheControl = { revalidate, expire: revalidate ? 3600 : undefined }
  await cache.set(key, page, { route, cacheControl } as never)
  return page
}

type Page = { isStale?: boolean | -1; cacheControl?: unknown; value: unknown }

const getPage = async (cache: Next, key: string): Promise<Page | null> =>
  cache.get(key, { kind: 'APP_PAGE', isFallback: false, route } as never)

test('a fetch is kept for the next request', async t => {
  const name = nameOf()
  t.is(await getFetch(incremental({ name }), 'key'), null)
  const data = await setFetch(incremental({ name }), 'key', ['a'])
  const entry = await getFetch(incremental({ name }), 'key', ['a'])
  t.false(entry?.isStale)
  t.deepEqual(entry?.value.data, data)
})

test('a page is kept with its bytes, headers, segments and lifetime', async t => {
  const name = nameOf()
  const page = await setPage(incremental({ name }), '/page', ['a'])
  const entry = await getPage(incremental({ name }), '/page')
  t.deepEqual(entry?.value, page)
  t.deepEqual(entry?.cacheControl, { revalidate: 60, expire: 3600 })
  t.is(entry?.isStale, undefined)
})

test('that there is no page is kept', async t => {
  const cache = incremental({ name: nameOf() })
  await cache.set('/none', null as never, { route, cacheControl: { revalidate: 60 } } as never)
  t.is((await getPage(cache, '/none'))?.value, null)
})

test('what has a revalidated tag is not served, and what has none of them is', async t => {
  const name = nameOf()
  const cache = incremental({ name })
  await setFetch(cache, 'both', ['a', 'b'])
  await setFetch(cache, 'b', ['b'])
  await setPage(cache, '/a', ['a'])
  await setPage(cache, '/b', ['b'])
  await incremental({ name }).revalidateTag(['a', 'c'])
  t.is(await getFetch(cache, 'both', ['a', 'b']), null)
  // The tags of its `set` count, whatever a `get` says.
  t.is(await getFetch(cache, 'both'), null)
  t.is(await getPage(cache, '/a'), null)
  t.truthy(await getFetch(cache, 'b', ['b']))
  t.truthy(await getPage(cache, '/b'))
  await setPage(cache, '/a', ['a'])
  t.truthy(await getPage(cache, '/a'))
})

test('a path that is revalidated takes the fetches of its pages along', async t => {
  const cache = incremental({ name: nameOf() })
  await setFetch(cache, 'key', [])
  t.truthy(await getFetch(cache, 'key', [], ['_N_T_/layout']))
  await cache.revalidateTag('_N_T_/layout')
  t.is(await getFetch(cache, 'key', [], ['_N_T_/layout']), null)
  t.truthy(await getFetch(cache, 'key', [], ['_N_T_/other']))
})

test('with a lifetime, a revalidated tag makes what has it stale', async t => {
  const cache = incremental({ name: nameOf() })
  await setFetch(cache, 'key', ['a'])
  await setPage(cache, '/page', ['a'])
  await setPage(cache, '/forever', ['a'], false)
  await cache.revalidateTag('a', { expire: 60 })
  t.true((await getFetch(cache, 'key', ['a']))?.isStale)
  t.true((await getPage(cache, '/page'))?.isStale)
  t.is((await getPage(cache, '/forever'))?.isStale, -1)
  await cache.revalidateTag('a', { expire: 0 })
  t.is(await getFetch(cache, 'key', ['a']), null)
  t.is(await getPage(cache, '/page'), null)
})

test('a tag that this request revalidates counts at once', async t => {
  const name = nameOf()
  await setFetch(incremental({ name }), 'key', ['a'])
  const headers = {
    'x-next-revalidated-tags': 'a',
    'x-next-revalidate-tag-token': 'preview',
  }
  t.is(await getFetch(incremental({ name }, headers), 'key', ['a']), null)
  t.truthy(await getFetch(incremental({ name }), 'key', ['a']))
})

test('a page is kept until it expires', async t => {
  const clock = new ManualClock()
  const Handler = createCacheHandler({ name: nameOf(), clock })
  const handler = new Handler()
  await handler.set('/page', null, { cacheControl: { revalidate: 1, expire: 60 } })
  clock.advance('59s')
  t.truthy(await handler.get('/page'))
  clock.advance('1s')
  t.is(await handler.get('/page'), null)
})

// 'use cache', by the type of Next.js.

function streamOf(...chunks: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
      controller.close()
    },
  })
}

const textOf = async (entry: CacheEntry | undefined) => entry && new Response(entry.value).text()

function entryOf(timestamp: number, entry: Partial<CacheEntry> = {}): CacheEntry {
  const times = { stale: 30, expire: 3600, revalidate: 60 }
  return { value: streamOf('one, ', 'two'), tags: [], timestamp, ...times, ...entry }
}

function useCache(options: NextOptions = {}) {
  const clock = new ManualClock()
  clock.advance(1000)
  const name = nameOf()
  const make = (): CacheHandler => createUseCacheHandler({ name, clock, ...options })
  return { clock, make, handler: make() }
}

test('an entry is given as often as it is asked for, with a stream of its own', async t => {
  const { handler, make, clock } = useCache()
  t.is(await handler.get('key', []), undefined)
  await handler.set('key', Promise.resolve(entryOf(clock.now, { tags: ['a'] })))
  for (const other of [handler, handler, make()]) {
    const entry = await other.get('key', [])
    t.is(await textOf(entry), 'one, two')
    const { value: _, ...rest } = entry as CacheEntry
    t.deepEqual(rest, { tags: ['a'], stale: 30, timestamp: 1000, expire: 3600, revalidate: 60 })
  }
})

test('what a reader does to the bytes of its stream, no other sees', async t => {
  const { handler, clock } = useCache()
  await handler.set('key', Promise.resolve(entryOf(clock.now)))
  const reader = (await handler.get('key', []))?.value.getReader()
  const bytes = (await reader?.read())?.value
  bytes?.fill(0)
  t.is(await textOf(await handler.get('key', [])), 'one, two')
})

test('a get waits for the entry that is being stored', async t => {
  const { handler, clock } = useCache()
  let give = (_: CacheEntry) => {}
  const stored = handler.set('key', new Promise(resolve => (give = resolve)))
  const got = handler.get('key', [])
  give(entryOf(clock.now))
  t.is(await textOf(await got), 'one, two')
  await stored
})

test('an entry that breaks off is not kept, and the one before it is', async t => {
  const { handler, clock } = useCache()
  await handler.set('key', Promise.resolve(entryOf(clock.now)))
  const broken = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new Uint8Array(1))
    },
    pull: controller => controller.error(new Error('broken off')),
  })
  await handler.set('key', Promise.resolve(entryOf(clock.now, { value: broken })))
  await handler.set('other', Promise.reject(new Error('failed')))
  t.is(await textOf(await handler.get('key', [])), 'one, two')
  t.is(await handler.get('other', []), undefined)
})

test('an entry is kept as long as it may be used, forever included', async t => {
  const { handler, clock } = useCache()
  await handler.set('hour', Promise.resolve(entryOf(clock.now)))
  const expire = Number.POSITIVE_INFINITY
  await handler.set('forever', Promise.resolve(entryOf(clock.now, { expire })))
  clock.advance(3600_000 - 1)
  t.truthy(await handler.get('hour', []))
  clock.advance(1)
  t.is(await handler.get('hour', []), undefined)
  clock.advance('52w')
  t.is((await handler.get('forever', []))?.expire, expire)
})

test('an entry older than the revalidation of one of its tags is not served', async t => {
  const { handler, make, clock } = useCache()
  t.is(await handler.getExpiration(['a', 'b']), 0)
  await handler.set('key', Promise.resolve(entryOf(clock.now, { tags: ['a'] })))
  clock.advance(1)
  await make().updateTags(['a'])
  t.is(await handler.getExpiration(['a', 'b']), clock.now)
  t.is(await handler.get('key', []), undefined)
  clock.advance(1)
  await handler.set('key', Promise.resolve(entryOf(clock.now, { tags: ['a'] })))
  t.truthy(await handler.get('key', []))
  // Made before, stored after: it shows what was there before.
  await handler.set('late', Promise.resolve(entryOf(clock.now - 2, { tags: ['a'] })))
  t.is(await handler.get('late', []), undefined)
})

test('tags of the path count as those of the entry', async t => {
  const { handler, clock } = useCache()
  await handler.set('key', Promise.resolve(entryOf(clock.now)))
  clock.advance(1)
  await handler.updateTags(['_N_T_/page'])
  t.is(await handler.get('key', ['_N_T_/page']), undefined)
  t.truthy(await handler.get('key', ['_N_T_/other']))
})

test('with a lifetime, entries are served stale until it ends', async t => {
  const { handler, clock } = useCache()
  await handler.set('old', Promise.resolve(entryOf(clock.now, { tags: ['a'] })))
  clock.advance(1)
  await handler.updateTags(['a'], { expire: 60 })
  t.is((await handler.get('old', []))?.revalidate, -1)
  clock.advance(1)
  await handler.set('new', Promise.resolve(entryOf(clock.now, { tags: ['a'] })))
  clock.advance(60_000)
  t.is(await handler.get('old', []), undefined)
  t.is((await handler.get('new', []))?.revalidate, 60)
})

test('a lifetime does not revive what was revalidated at once', async t => {
  const { handler, clock } = useCache()
  await handler.set('key', Promise.resolve(entryOf(clock.now, { tags: ['a'] })))
  await handler.updateTags(['a'])
  await handler.updateTags(['a'], { expire: 60 })
  t.is(await handler.get('key', []), undefined)
})

test('both handlers of a name know of one revalidation', async t => {
  const { clock, handler } = useCache({ name: 'next test both' })
  const Handler = createCacheHandler({ name: 'next test both', clock })
  await handler.set('key', Promise.resolve(entryOf(clock.now, { tags: ['a'] })))
  await new Handler().revalidateTag('a')
  t.is(await handler.get('key', []), undefined)
})

test('when too many tags were revalidated, entries with tags are out of date, others not', async t => {
  const { handler, clock } = useCache({ maxTags: 2 })
  await handler.set('plain', Promise.resolve(entryOf(clock.now)))
  await handler.set('tagged', Promise.resolve(entryOf(clock.now, { tags: ['never'] })))
  for (let i = 0; i < 10; i++) {
    clock.advance(1)
    await handler.set(`key ${i}`, Promise.resolve(entryOf(clock.now, { tags: [`tag ${i}`] })))
    clock.advance(1)
    await handler.updateTags([`tag ${i}`])
    for (let j = 0; j <= i; j++) t.is(await handler.get(`key ${j}`, []), undefined)
  }
  t.is(await handler.get('tagged', []), undefined)
  t.truthy(await handler.get('plain', []))
  clock.advance(1)
  await handler.set('tagged', Promise.resolve(entryOf(clock.now, { tags: ['never'] })))
  t.truthy(await handler.get('tagged', []))
})

test('keys and tags may be of any length', async t => {
  const { handler, clock } = useCache()
  const [a, b] = ['a', 'b'].map(end => 'x'.repeat(100_000) + end) as [string, string]
  await handler.set(a, Promise.resolve(entryOf(clock.now, { tags: [a] })))
  t.truthy(await handler.get(a, []))
  t.is(await handler.get(b, []), undefined)
  await handler.updateTags([b])
  t.truthy(await handler.get(a, []))
  await handler.updateTags([a])
  t.is(await handler.get(a, []), undefined)
})

test('an entry too large to keep is not kept, and is no error', async t => {
  const { handler, clock } = useCache({ maxBytes: '64kb' })
  const value = streamOf('x'.repeat(1 << 20))
  await handler.set('key', Promise.resolve(entryOf(clock.now, { value })))
  t.is(await handler.get('key', []), undefined)
})

test('the names that Next.js 15 has for it do the same', async t => {
  const clock = new ManualClock()
  clock.advance(1)
  const handler = createUseCacheHandler({ name: nameOf(), clock })
  await handler.set('key', Promise.resolve(entryOf(clock.now, { tags: ['b'] })))
  await handler.expireTags('a', 'b')
  t.is(await handler.getExpiration('b', 'c'), 1)
  t.is(await handler.get('key', []), undefined)
})

test('bad options are refused by name', t => {
  const code = 'ERR_INVALID_OPTION'
  for (const create of [createCacheHandler, createUseCacheHandler]) {
    t.throws(() => create(null as never), { code, message: /^options must be an object/ })
    t.throws(() => create({ name: '' }), { code, message: /^name must be a text/ })
    t.throws(() => create({ maxTags: 0 }), { code, message: /^maxTags must be a whole number/ })
    t.throws(() => create({ max: -1 }), { code, message: /^max must be/ })
    t.throws(() => create({ size: 1 } as never), { code, message: /^unknown option 'size'/ })
  }
})
