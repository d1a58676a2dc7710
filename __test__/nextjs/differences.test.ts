// What docs/adapters.md lists: where the handlers differ from Next.js's own stores in memory.

import { readFileSync } from 'node:fs'
import test from 'ava'
import type { CacheEntry, CacheHandler } from 'next/cache.js'
import { createCacheHandler, createUseCacheHandler } from '../../src/adapters/nextjs.ts'
import { clock, incrementalCache, nextModules } from './support.ts'

type Answers = [theirs: unknown, ours: unknown]

let names = 0
const nameOf = () => `next differences ${++names}`

/** What both handlers of 'use cache' answer. */
async function useCache(ask: (handler: CacheHandler) => Promise<unknown>): Promise<Answers> {
  const theirs = nextModules().createDefaultCacheHandler(1024 * 1024)
  const start = clock.now
  const one = await ask(theirs)
  const passed = clock.now - start
  const other = await ask(createUseCacheHandler({ name: nameOf(), max: 100, clock }))
  if (clock.now - start !== 2 * passed) throw new Error('both take as long')
  return [one, other]
}

function entryOf(more: Partial<CacheEntry> = {}): Promise<CacheEntry> {
  const value = new Blob(['text']).stream() as CacheEntry['value']
  const times = { stale: 1, revalidate: 600, expire: 3600 }
  return Promise.resolve({ value, tags: ['a'], timestamp: clock.now, ...times, ...more })
}

const isThere = async (handler: CacheHandler, softTags: string[] = []) =>
  (await handler.get('key', softTags)) !== undefined

/** A request's cache. */
type Request = ReturnType<typeof incrementalCache>

/** What both caches of pages answer; each call makes the cache of one request. */
async function pages(ask: (request: () => Request) => Promise<unknown>): Promise<Answers> {
  const [one, other] = [nextModules(), nextModules()]
  const Handler = createCacheHandler({ name: nameOf(), max: 100, clock })
  return [await ask(() => incrementalCache(one)), await ask(() => incrementalCache(other, Handler))]
}

const route = { kind: 'APP_PAGE', sourceRoute: '/page' }
const tagHeader = { 'x-next-cache-tags': 'a' }

async function setPage(request: Request, cacheControl: object, kind = 'APP_PAGE') {
  const value = { kind, html: 'page', pageData: {}, headers: { ...tagHeader } }
  await request.set('/page', value as never, { route: { ...route, kind }, cacheControl } as never)
}

const getPage = (request: Request, kind = 'APP_PAGE') =>
  request.get('/page', { kind, isFallback: false, route: { ...route, kind } } as never) as Promise<{
    isStale?: boolean | -1
    value: { html: string }
  } | null>

const getFetch = (request: Request, tags: string[]) =>
  request.get('key', { kind: 'FETCH', revalidate: 600, tags, softTags: [] } as never)

/** The rows of the table, and what each side does. */
const rows: Record<string, [answers: () => Promise<Answers>, theirs: unknown, ours: unknown]> = {
  'An entry that was made in the very millisecond in which its tag was revalidated': [
    () =>
      useCache(async handler => {
        await handler.set('key', entryOf())
        await handler.updateTags(['a'])
        return isThere(handler)
      }),
    true,
    false,
  ],
  'An entry that was made after a revalidation with a lifetime, once that ends': [
    () =>
      useCache(async handler => {
        await handler.updateTags(['a'], { expire: 10 })
        clock.advance(1000)
        await handler.set('key', entryOf())
        clock.advance(10_000)
        return isThere(handler)
      }),
    false,
    true,
  ],
  'An entry whose tag was revalidated, and then again with a lifetime': [
    () =>
      useCache(async handler => {
        await handler.set('key', entryOf())
        clock.advance(1)
        await handler.updateTags(['a'])
        await handler.updateTags(['a'], { expire: 10 })
        return isThere(handler)
      }),
    true,
    false,
  ],
  "An entry of `'use cache'` that is older than its `revalidate`": [
    () =>
      useCache(async handler => {
        await handler.set('key', entryOf())
        clock.advance(601_000)
        return isThere(handler)
      }),
    false,
    true,
  ],
  "An entry of `'use cache'` whose path was revalidated, in the handler": [
    () =>
      useCache(async handler => {
        await handler.set('key', entryOf())
        clock.advance(1)
        await handler.updateTags(['_N_T_/page'])
        return isThere(handler, ['_N_T_/page'])
      }),
    true,
    false,
  ],
  "An entry of `'use cache'` whose making fails": [
    () =>
      useCache(async handler => {
        const failed = handler.set('key', Promise.reject(new Error('failed')))
        const set = await failed.then(
          () => 'stored',
          () => 'rejects',
        )
        const turns = async () => {
          for (let i = 0; i < 20; i++) await new Promise(setImmediate)
          return 'hangs'
        }
        return [set, await Promise.race([isThere(handler), turns()])]
      }),
    ['rejects', 'hangs'],
    ['stored', false],
  ],
  '`getExpiration` of a tag that was revalidated with a lifetime, until that ends': [
    () =>
      useCache(async handler => {
        const now = clock.now
        await handler.updateTags(['a'], { expire: 10 })
        return (await handler.getExpiration(['a'])) - now
      }),
    10_000,
    -1,
  ],
  'A fetch whose tag was revalidated, asked for without that tag': [
    () =>
      pages(async request => {
        const value = { kind: 'FETCH', data: { headers: {}, body: '' }, revalidate: 600 }
        const options = { fetchCache: true, tags: ['a'] }
        await request().set('key', value as never, options as never)
        clock.advance(1)
        await request().revalidateTag('a')
        return (await getFetch(request(), [])) !== null
      }),
    true,
    false,
  ],
  'A page after its `expire`': [
    () =>
      pages(async request => {
        await setPage(request(), { revalidate: 60, expire: 3600 })
        clock.advance(3_601_000)
        return (await getPage(request()))?.isStale
      }),
    -1,
    undefined,
  ],
  'A page that no age makes anew before its `expire`, when its tag was revalidated with a lifetime':
    [
      () =>
        pages(async request => {
          await setPage(request(), { revalidate: false, expire: undefined })
          clock.advance(1)
          await request().revalidateTag('a', { expire: 10 })
          return (await getPage(request()))?.isStale
        }),
      true,
      -1,
    ],
  'A page of the `pages` folder whose tag was revalidated with a lifetime': [
    () =>
      pages(async request => {
        await setPage(request(), { revalidate: 60, expire: 3600 }, 'PAGES')
        clock.advance(1)
        await request().revalidateTag('a', { expire: 10 })
        return (await getPage(request(), 'PAGES'))?.isStale
      }),
    undefined,
    true,
  ],
  'What a request writes into an entry that it got, for the next one': [
    () =>
      pages(async request => {
        await setPage(request(), { revalidate: 60, expire: 3600 })
        const got = await getPage(request())
        if (got) got.value.html = 'scribbled'
        return (await getPage(request()))?.value.html
      }),
    'scribbled',
    'page',
  ],
}

for (const [row, [answers, theirs, ours]] of Object.entries(rows)) {
  test.serial(row, async t => {
    const [one, other] = await answers()
    t.deepEqual(one, theirs, 'Next.js')
    // A time is told from the moment of the call; none is 0.
    const isNone = ours === -1 && typeof other === 'number' && other < -1e9
    t.deepEqual(isNone ? ours : other, ours, 'here')
  })
}

test('the table lists them all, and no more', t => {
  const text = readFileSync(new URL('../../docs/adapters.md', import.meta.url), 'utf8')
  const table = text.slice(text.indexOf('| | Next.js'))
  const listed = [...table.slice(0, table.indexOf('\n\n')).matchAll(/^\| ([^|]+) \|/gm)]
  t.deepEqual(
    listed.map(([, row]) => row).filter(row => row?.trim()),
    Object.keys(rows),
  )
})
