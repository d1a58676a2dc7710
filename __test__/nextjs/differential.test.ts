// Programs of calls, drawn by chance, run against Next.js's own stores in memory and against our
// handlers: both must answer alike, but for what docs/adapters.md lists, each with a test below.

import test from 'ava'
import type { CacheEntry, CacheHandler } from 'next/cache.js'
import { createCacheHandler, createUseCacheHandler } from '../../src/adapters/nextjs.ts'
import { chance, type Draw } from '../helpers/random.ts'
import { clock, incrementalCache, nextModules } from './support.ts'

const PROGRAMS = 200
const STEPS = 60

let names = 0
const nameOf = () => `next differential ${++names}`

const tags = ['a', 'b', '_N_T_/page', '__proto__', 'é,€'.slice(0, 1)]
const someTags = (draw: Draw) => [[], [draw(tags)], [draw(tags), draw(tags)]][draw([0, 1, 1, 2])]!
const durations = [undefined, undefined, {}, { expire: 0 }, { expire: 10 }, { expire: 1e9 }]
// No moment twice, and never the very moment of an end: see the differences.
const waits = [1, 7, 977, 9_973, 59_981, 3_599_993]

/** What is told of an answer, and then scribbled over. */
async function settled(promise: unknown): Promise<unknown> {
  try {
    return await promise
  } catch (error) {
    return { failed: String(error) }
  }
}

// The handler of 'use cache'.

function streamOf(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const part of text.split('|')) controller.enqueue(new TextEncoder().encode(part))
      controller.close()
    },
  })
}

const breaking = () =>
  new ReadableStream<Uint8Array>({
    pull: controller => controller.error(new Error('broken off')),
  })

const lives = [0, 5, 300, 3600, 0xfffffffe, Number.POSITIVE_INFINITY]

for (const dev of [true, false]) {
  test.serial(`'use cache', ${dev ? 'in development' : 'built'}: both answer alike`, async t => {
    t.timeout(240_000)
    if (dev) process.env.__NEXT_DEV_SERVER = '1'
    else delete process.env.__NEXT_DEV_SERVER
    t.teardown(() => delete process.env.__NEXT_DEV_SERVER)
    for (let seed = 1; seed <= PROGRAMS; seed++) {
      const draw = chance(seed)
      const theirs = nextModules().createDefaultCacheHandler(50 * 1024 * 1024)
      const ours: CacheHandler = createUseCacheHandler({ name: nameOf(), max: 1000, clock })
      const tagged = new Tagged()
      const log: string[] = []
      for (let step = 0; step < STEPS; step++) {
        const key = draw(['one', 'two', 'three', '["build","id",[]]'])
        const list = someTags(draw)
        const [text, made] = [draw(['', 'text', 'of|parts']), clock.now - draw([0.5, 0.5, 3.5])]
        const [one, other] = [draw(lives), draw(lives)]
        const [revalidate, expire] = [Math.min(one, other), draw([Math.max(one, other), -1])]
        const breaks = draw([false, false, false, true])
        const life = tagged.life(draw, list)
        const entry = (): CacheEntry => ({
          value: breaks ? breaking() : streamOf(text),
          tags: [...list],
          stale: draw(lives.slice(0, 1)),
          timestamp: made,
          expire,
          revalidate,
        })
        const get = async (handler: CacheHandler) => {
          const entry = await read(handler, key)
          // Next.js's own, when built, drops what ours serves while it is made anew.
          const isOld = entry && !dev && clock.now > entry.timestamp + ageOf(entry) * 1000
          return isOld ? undefined : entry
        }
        const set = (handler: CacheHandler) => handler.set(key, Promise.resolve(entry()))
        const call = draw<[string, (handler: CacheHandler) => unknown]>([
          ['get', get],
          ['get', get],
          ['get', get],
          ...(tagged.isQuiet
            ? []
            : ([
                ['set', set],
                ['set', set],
                [
                  'get while it is set',
                  async handler => {
                    const done = set(handler)
                    return [await get(handler), await done]
                  },
                ],
              ] as [string, (handler: CacheHandler) => unknown][])),
          ['refreshTags', handler => handler.refreshTags()],
          ['updateTags', handler => handler.updateTags([...list], life)],
          ['getExpiration', handler => handler.getExpiration(tagged.plain(list))],
        ])
        if (call[0] === 'updateTags') tagged.update(list, life)
        const how = `[${list}] made ${made} ${revalidate} ${expire} ${breaks} ${life?.expire}`
        log.push(`${clock.now} ${call[0]} ${key} ${how}`)
        if (call[0].includes('set') && !breaks && expire !== 0) ages.set(made, revalidate)
        const answers = [await settled(call[1](theirs)), await settled(call[1](ours))]
        t.deepEqual(answers[1], answers[0], `program ${seed}:\n${log.join('\n')}`)
        clock.advance(draw(waits))
      }
      ages.clear()
    }
  })
}

/** What entries were stored to be made anew after, by when they were made: a stale one says -1. */
const ages = new Map<number, number>()
const ageOf = ({ timestamp, revalidate }: Read) =>
  revalidate < 0 ? (ages.get(timestamp) ?? 0) : revalidate

/** What was done to tags: which lifetimes both sides understand alike. See the differences. */
class Tagged {
  readonly #expired = new Set<string>()
  readonly #lived = new Set<string>()
  readonly #atOnce: boolean
  #quiet = 0

  /** @param atOnce - whether tags expire at once, and have no lifetimes. */
  constructor(atOnce = false) {
    this.#atOnce = atOnce
  }

  /** Whether nothing is stored now: a lifetime runs out, and takes what was made meanwhile along. */
  get isQuiet(): boolean {
    return clock.now < this.#quiet
  }

  life(draw: Draw, list: readonly string[]): { expire?: number } | undefined {
    const life = draw(this.#atOnce ? [undefined, { expire: 0 }] : durations)
    const revives = list.some(tag => this.#expired.has(tag)) && (life?.expire ?? 0) > 0
    return revives ? undefined : life
  }

  update(list: readonly string[], life: { expire?: number } | undefined): void {
    const isOver = life === undefined || (life.expire ?? 1e9) < 1e9
    for (const tag of list) {
      if (isOver) this.#expired.add(tag)
      if (life !== undefined) this.#lived.add(tag)
    }
    if (life?.expire === 10) this.#quiet = clock.now + 10_010
  }

  plain(list: readonly string[]): string[] {
    return list.filter(tag => !this.#lived.has(tag))
  }
}

type Read = Omit<CacheEntry, 'value'> & { text: string }

async function read(handler: CacheHandler, key: string): Promise<Read | undefined> {
  const entry = await handler.get(key, [])
  if (entry === undefined) return undefined
  const { value, ...rest } = entry
  return { ...rest, text: await new Response(value).text() }
}

// The handler of pages, routes and fetches, as Next.js's own cache sees it.

const YEARS = 0xfffffffe
const revalidates = [1.0005, 60.0005, 3600.0005, false, undefined] as const

const headersOf = (list: readonly string[]) =>
  list.length > 0 ? { 'x-next-cache-tags': list.join(','), 'x-more': 'more' } : {}

/** Values of each kind, as Next.js makes them. */
const values: Record<string, (list: readonly string[]) => unknown> = {
  FETCH: list => ({
    kind: 'FETCH',
    data: { headers: { a: 'b' }, body: 'Ym9keQ==', url: 'https://a.b', status: 200 },
    revalidate: 3600,
    tags: [...list],
  }),
  APP_PAGE: list => ({
    kind: 'APP_PAGE',
    html: '<p>page</p>',
    rscData: Buffer.from([0, 255, 1]),
    headers: headersOf(list),
    postponed: undefined,
    status: 200,
    segmentData: new Map([['/_tree', Buffer.from('tree')]]),
  }),
  APP_ROUTE: list => ({
    kind: 'APP_ROUTE',
    body: Buffer.from('{}'),
    headers: headersOf(list),
    status: 404,
  }),
  PAGES: () => ({
    kind: 'PAGES',
    html: '<p>old</p>',
    pageData: { props: { n: 1, none: undefined, list: [null] } },
    headers: undefined,
    status: undefined,
  }),
  REDIRECT: () => ({ kind: 'REDIRECT', props: { to: '/there' } }),
  nothing: () => null,
}

type Caches = ReturnType<typeof incrementalCache>

interface Got {
  isStale?: boolean | -1
  revalidateAfter?: unknown
}

/** What becomes of a request: what must be made before it is answered is not there. */
function served(got: unknown): unknown {
  const { isStale, revalidateAfter: _, ...rest } = (got ?? {}) as Got
  return got === null || isStale === -1 ? null : { isStale: isStale === true, ...rest }
}

test.serial("pages, routes and fetches: Next.js's own store and ours answer alike", async t => {
  t.timeout(240_000)
  for (let seed = 1; seed <= PROGRAMS; seed++) {
    const draw = chance(seed)
    const [theirModules, ourModules] = [nextModules(), nextModules()]
    const Handler = createCacheHandler({ name: nameOf(), max: 1000, clock })
    // The tags of a fetch are those of the program that asks: the same each time.
    const tagsOf = new Map(['one', 'two'].map(key => [key, someTags(draw)]))
    const kindOf = new Map(
      ['/p', '/q', '/r'].map(key => [key, draw(['APP_PAGE', 'APP_ROUTE', 'PAGES'])]),
    )
    // Pages that no age makes anew go with tags that expire at once alone: see the differences.
    const isAgeless = draw([true, false])
    const tagged = new Tagged(isAgeless)
    const ages = isAgeless ? revalidates : revalidates.slice(0, 3)
    const log: string[] = []
    for (let step = 0; step < STEPS; step++) {
      const caches = [
        incrementalCache(theirModules),
        incrementalCache(ourModules, Handler),
      ] as const
      const [key, path] = [draw([...tagsOf.keys()]), draw([...kindOf.keys()])]
      const [list, pageKind] = [someTags(draw), kindOf.get(path) as string]
      const fetchTags = tagsOf.get(key) as string[]
      const soft = draw([[], ['_N_T_/page'], ['_N_T_/other']])
      const revalidate = draw([1.0005, 60.0005, YEARS, 0, undefined])
      const life = tagged.life(draw, list)
      const cacheControl = draw([
        ...(isAgeless ? [undefined] : []),
        ...ages.map(revalidate => ({ revalidate, expire: draw([undefined, 7200.0005, YEARS]) })),
      ])
      const kind = draw([pageKind, pageKind, 'REDIRECT', 'nothing'])
      const route = { kind: pageKind, sourceRoute: path }
      const getPage = async (cache: Caches) =>
        served(await cache.get(path, { kind: pageKind, isFallback: false, route } as never))
      const getFetch = async (cache: Caches) =>
        served(
          await cache.get(key, {
            kind: 'FETCH',
            revalidate,
            tags: [...fetchTags],
            softTags: soft,
          } as never),
        )
      const call = draw<[string, (cache: Caches) => unknown]>([
        ['get page', getPage],
        ['get page', getPage],
        ['get fetch', getFetch],
        ['get fetch', getFetch],
        ...(tagged.isQuiet
          ? []
          : ([
              [
                'set page',
                cache =>
                  cache.set(path, values[kind]?.(list) as never, { route, cacheControl } as never),
              ],
              [
                'set fetch',
                cache =>
                  cache.set(
                    key,
                    values.FETCH?.(fetchTags) as never,
                    {
                      fetchCache: true,
                      tags: [...fetchTags],
                    } as never,
                  ),
              ],
            ] as [string, (cache: Caches) => unknown][])),
        ['revalidateTag', cache => cache.revalidateTag([...list], life)],
        ['revalidateTag of one', cache => cache.revalidateTag(list[0] ?? [], life)],
      ])
      if (call[0] === 'revalidateTag') tagged.update(list, life)
      if (call[0] === 'revalidateTag of one') tagged.update(list.slice(0, 1), life)
      log.push(
        `${clock.now} ${call[0]} ${path} ${kind} [${list}] ${JSON.stringify(cacheControl)}; ${key} [${fetchTags}] [${soft}] ${revalidate} ${JSON.stringify(life)}`,
      )
      const answers = [await settled(call[1](caches[0])), await settled(call[1](caches[1]))]
      t.deepEqual(answers[1], answers[0], `program ${seed}:\n${log.join('\n')}`)
      clock.advance(draw(waits))
    }
  }
})
