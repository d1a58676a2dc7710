// What layered-loader's README shows, in one process, written for a `Cache`. Second tiers are in
// layered-loader-tier.test.ts, what both do differently in differences.test.ts.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { memoize } from '../../src/adapters/memoize.ts'
import { Cache, type CacheOptions, type Invalidation, json } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { gate } from './support.ts'

interface Part {
  id: string
  stock: number
  version?: number
}

/** The table that parts come from, which says what it was asked. */
function table() {
  const asked: string[] = []
  return {
    asked,
    one: async (id: string): Promise<Part | undefined> => {
      asked.push(id)
      return id.startsWith('none') ? undefined : { id, stock: id.length }
    },
    many: async (ids: readonly string[]) => {
      asked.push(ids.join('+'))
      const rows = ids.filter(id => !id.startsWith('none')).map(id => ({ id, stock: id.length }))
      return new Map(rows.reverse().map(row => [row.id, row]))
    },
  }
}

function shop(options: CacheOptions<Part, string> = {}) {
  const clock = new ManualClock()
  const codec = json<Part>()
  return { clock, parts: new Cache<string, Part>({ max: 1000, codec, clock, ...options }) }
}

test('a loader: the memory first, then the source, once for all who ask', async t => {
  const { one, asked } = table()
  const { parts, clock } = shop({ ttl: '1m', loader: one, policy: 'lru' })
  const all = await Promise.all([parts.fetch('bolt'), parts.fetch('bolt'), parts.fetch('nut')])
  t.deepEqual(all[1], { id: 'bolt', stock: 4 })
  await parts.fetch('bolt')
  t.deepEqual(asked, ['bolt', 'nut'])
  clock.advance('1m')
  await parts.fetch('bolt')
  t.deepEqual(asked, ['bolt', 'nut', 'bolt'])
})

test('many sources: the next one is asked when one fails or has nothing', async t => {
  const failed: string[] = []
  const sources: Record<string, (id: string) => Promise<Part | undefined>> = {
    replica: () => Promise.reject(new Error('the replica is down')),
    archive: async () => undefined,
    main: table().one,
  }
  const inTurn = async (id: string) => {
    let last: unknown
    for (const [name, source] of Object.entries(sources)) {
      try {
        const part = await source(id)
        if (part !== undefined) return part
        last = undefined
      } catch (error) {
        failed.push(name)
        last = error
      }
    }
    if (last !== undefined) throw last
    return undefined
  }
  const { parts } = shop({ loader: inTurn })
  t.deepEqual(await parts.fetch('bolt'), { id: 'bolt', stock: 4 })
  t.is(await parts.fetch('none'), undefined)
  t.deepEqual(failed, ['replica', 'replica'])
})

test('null is kept as a value, undefined is asked for again, or is an error if you say so', async t => {
  let reads = 0
  const parts = new Cache<string, Part | null>({
    max: 10,
    codec: json<Part | null>(),
    loader: id => {
      reads++
      return id === 'empty' ? null : undefined
    },
  })
  for (const _ of [1, 2]) t.is(await parts.fetch('empty'), null)
  t.is(reads, 1)
  for (const _ of [1, 2]) t.is(await parts.fetch('unknown'), undefined)
  t.is(reads, 3)
  const strict = async (id: string) => {
    const part = await table().one(id)
    if (part === undefined) throw new RangeError(`there is no part ${id}`)
    return part
  }
  await t.throwsAsync(shop({ loader: strict }).parts.fetch('none'), { instanceOf: RangeError })
})

test('what a load takes besides the key: a token of the caller', async t => {
  const { parts } = shop()
  const used: string[] = []
  const read = (id: string, token: string) =>
    parts.getOrSet(id, async key => {
      used.push(token)
      return { id: key, stock: 1 }
    })
  await Promise.all([read('bolt', 'ann'), read('bolt', 'bob'), read('nut', 'bob')])
  t.deepEqual(used, ['ann', 'bob'])
  const memoized = memoize(
    async ({ id, token }: { id: string; token: string }) => `${id} for ${token}`,
    { key: ({ id }) => id, max: 100 },
  )
  t.is(await memoized({ id: 'bolt', token: 'ann' }), 'bolt for ann')
  t.is(await memoized({ id: 'bolt', token: 'bob' }), 'bolt for ann')
})

test('many keys at once: those that are missing, each once, in one batch', async t => {
  const { many, asked } = table()
  const { parts } = shop({ batchLoader: many })
  await parts.fetch('nut')
  const found = await parts.fetchMany(['bolt', 'nut', 'none', 'rod', 'bolt'])
  t.deepEqual(
    found.map(part => part?.id),
    ['bolt', 'nut', undefined, 'rod', 'bolt'],
  )
  await Promise.all([parts.fetchMany(['x', 'y']), parts.fetchMany(['y', 'z'])])
  t.deepEqual(asked, ['nut', 'bolt+none+rod', 'x+y+z'])
  const token = 'ann'
  const withToken = async (ids: readonly string[]) => ids.map(id => ({ id, stock: token.length }))
  t.deepEqual(await parts.fetchMany(['cog'], withToken), [{ id: 'cog', stock: 3 }])
})

test('a manual cache: what was set is there, with deletion of one, of many, of all', async t => {
  const { parts, clock } = shop({ ttl: '1m' })
  parts.set('bolt', { id: 'bolt', stock: 1 }).set('nut', { id: 'nut', stock: 2 })
  t.is(parts.get('bolt')?.stock, 1)
  await parts.invalidate('bolt')
  parts.deleteMany(['nut'])
  t.is(parts.size, 0)
  parts.set('cog', { id: 'cog', stock: 3 })
  parts.clear()
  t.is(parts.get('cog'), undefined)
  parts.set('rod', { id: 'rod', stock: 4 })
  clock.advance('1m')
  t.is(parts.get('rod'), undefined)
})

test('a fresh load, or a value by force, whatever the cache has', async t => {
  let stock = 1
  const { parts } = shop({ loader: id => ({ id, stock: stock++ }) })
  await parts.fetch('bolt')
  t.is((await parts.fetch('bolt', { fresh: true }))?.stock, 2)
  t.is(parts.get('bolt')?.stock, 2)
  await parts.put('bolt', { id: 'bolt', stock: 99 })
  t.is(parts.get('bolt')?.stock, 99)
})

test('a hit without a promise, also of values that are falsy', async t => {
  const counts = new Cache<string, number>({ max: 10, codec: 'number', loader: () => 0 })
  const missed = counts.fetchSync('a')
  t.true(missed instanceof Promise)
  t.is(missed instanceof Promise ? await missed : missed, 0)
  t.is(counts.fetchSync('a'), 0)
  t.is(counts.get('b') ?? (await counts.fetch('b')), 0)
})

test('a value is loaded anew before its end, while it is given', async t => {
  const source = gate<Part>()
  const { parts, clock } = shop({ ttl: '60s', refreshAhead: 2 / 3, loader: source.open })
  await parts.getOrSet('bolt', id => ({ id, stock: 1 }))
  clock.advance('41s')
  t.deepEqual(parts.fetchSync('bolt'), { id: 'bolt', stock: 1 })
  source.end({ id: 'bolt', stock: 2 })
  await source.done
  t.deepEqual(parts.get('bolt'), { id: 'bolt', stock: 2 })
  t.is(parts.ttl('bolt'), 60_000)
})

test('a cheap check instead of a load: a value that has not changed lives on', async t => {
  let [version, checks, loads] = [1, 0, 0]
  const { parts, clock } = shop({
    ttl: '60s',
    refreshAhead: 2 / 3,
    loader: async (id, { stale }) => {
      if (stale !== undefined) {
        checks++
        if (stale.version === version) return stale
      }
      loads++
      return { id, stock: loads, version }
    },
  })
  await parts.fetch('bolt')
  clock.advance('41s')
  t.is((await parts.fetch('bolt'))?.stock, 1)
  await turn()
  t.deepEqual([checks, loads, parts.ttl('bolt')], [1, 1, 60_000])
  version = 2
  clock.advance('41s')
  t.is((await parts.fetch('bolt'))?.stock, 1, 'the read that begins it does not wait for it')
  await turn()
  t.deepEqual([checks, loads, parts.get('bolt')?.stock], [2, 2, 2])
})

test('how long a value lives may depend on its key', t => {
  const { parts } = shop({ ttl: (_, id) => (id.startsWith('rare:') ? '1h' : '10s') })
  parts.set('rare:cog', { id: 'cog', stock: 1 }).set('bolt', { id: 'bolt', stock: 1 })
  t.deepEqual([parts.ttl('rare:cog'), parts.ttl('bolt')], [3_600_000, 10_000])
})

test('groups: the same key in each, one or a whole group forgotten, many keys loaded at once', async t => {
  const asked: string[] = []
  const { parts } = shop()
  const group = (shelf: string) => {
    const view = parts.namespace(shelf)
    const load = (ids: readonly string[]) => {
      asked.push(`${shelf}: ${ids.join('+')}`)
      return ids.map(id => ({ id, stock: shelf.length }))
    }
    return {
      view,
      get: (id: string) => view.getOrSet(id, async id => load([id])[0]),
      getMany: (ids: string[]) => view.fetchMany(ids, load),
    }
  }
  const [north, west] = [group('north'), group('west')]
  t.is((await north.get('bolt'))?.stock, 5)
  t.is((await west.get('bolt'))?.stock, 4)
  await west.getMany(['bolt', 'nut', 'rod'])
  await north.view.put('cog', { id: 'cog', stock: 9 })
  await west.view.invalidate('bolt')
  t.is(west.view.get('bolt'), undefined)
  t.is(north.view.get('bolt')?.stock, 5)
  north.view.clear()
  t.deepEqual([...parts.keys()].toSorted(), ['west:nut', 'west:rod'])
  t.deepEqual(asked, ['north: bolt', 'west: bolt', 'west: nut+rod'])
})

test('invalidations by a transport of your own: what was under way is not kept', async t => {
  const source = gate<Part>()
  const { parts } = shop({ loader: source.open })
  const messages = [
    { type: 'part.changed', id: 'bolt' },
    { type: 'part.seen', id: 'nut' },
    { type: 'parts.moved', ids: ['rod', 'cog'] },
  ]
  const resolve = (message: {
    type: string
    id?: string
    ids?: string[]
  }): Invalidation<string>[] =>
    message.type === 'part.changed'
      ? [{ keys: [message.id!] }]
      : message.type === 'parts.moved'
        ? [{ keys: message.ids! }]
        : []
  const pending = parts.fetch('bolt')
  for (const id of ['nut', 'rod', 'cog']) parts.set(id, { id, stock: 1 })
  t.is(await parts.consume(messages.flatMap(resolve)), 2)
  source.end({ id: 'bolt', stock: 1 })
  t.is((await pending)?.stock, 1)
  t.deepEqual([...parts.keys()], ['nut'])
})

test('a scope of which a counter says that it changed is dropped in one step', async t => {
  const { parts } = shop()
  let [seen, generation] = [1, 1]
  const request = async (id: string) => {
    if (generation !== seen) {
      parts.namespace('tenant').clear()
      seen = generation
    }
    return parts.namespace('tenant').getOrSet(id, () => ({ id, stock: generation }))
  }
  t.is((await request('bolt'))?.stock, 1)
  generation = 2
  t.is((await request('bolt'))?.stock, 2)
})

test('work in the background can be followed: the loader is yours', async t => {
  const pending = new Set<Promise<unknown>>()
  const followed = <A extends unknown[], R>(load: (...args: A) => Promise<R>) => {
    return (...args: A) => {
      const work = load(...args)
      pending.add(work)
      void work.catch(() => {}).finally(() => pending.delete(work))
      return work
    }
  }
  const { one, asked } = table()
  const { parts, clock } = shop({ ttl: '60s', refreshAhead: 0.5, loader: followed(one) })
  await parts.fetch('bolt')
  clock.advance('40s')
  parts.fetchSync('bolt')
  t.is(pending.size, 1)
  await Promise.all(pending)
  t.deepEqual(asked, ['bolt', 'bolt'])
})

test('statistics: hits, misses, evictions, expirations, sets, deletions', t => {
  const { parts, clock } = shop({ max: 2, ttl: '1m', policy: 'lru' })
  for (const id of ['a', 'b', 'c']) parts.set(id, { id, stock: 0 })
  parts.get('a')
  parts.get('c')
  parts.delete('b')
  clock.advance('1m')
  parts.get('c')
  const { hits, misses, evictions, expirations, sets, deletes, entries } = parts.stats()
  t.deepEqual(
    { hits, misses, evictions, expirations, sets, deletes, entries },
    { hits: 1, misses: 2, evictions: 1, expirations: 1, sets: 3, deletes: 1, entries: 0 },
  )
})
