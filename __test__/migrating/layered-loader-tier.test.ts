// What layered-loader's README shows of Redis and of several processes, written for a `Cache`.
import test from 'ava'
import { installed, redis } from '../router/support.ts'
import { connect } from '../tier/invalidation.ts'
import { inProcess, settled, stored, until } from './support.ts'

const check = installed('redis-server') ? test : test.skip

interface Part {
  id: string
  stock: number
}

/** Nothing but what the tiers have. */
const nowhere = () => undefined

check('a loader over memory and Redis, each with a life of its own', async t => {
  const { port } = await redis(t)
  const { send } = await connect(t, 'ioredis', port)
  let reads = 0
  const loader = async (id: string) => ({ id, stock: ++reads })
  const options = { loader, max: 100, policy: 'lru', ttl: '10m', localTtl: '1m' } as const
  const one = await inProcess<Part>(t, port, 'parts', options)
  t.deepEqual(await one.fetch('bolt'), { id: 'bolt', stock: 1 })
  t.true(one.ttl('bolt')! <= 60_001, 'rounded up')
  await until(async () => Number(await send('PTTL', 'parts:bolt')) > 60_000)
  const other = await inProcess<Part>(t, port, 'parts', options)
  t.deepEqual(await other.fetch('bolt'), { id: 'bolt', stock: 1 })
  t.is(reads, 1)
})

check('notifications: one key, many, or all are forgotten everywhere', async t => {
  const { port } = await redis(t)
  let reads = 0
  const loader = async (id: string) => ({ id, stock: ++reads })
  const [one, other] = await Promise.all([
    inProcess<Part>(t, port, 'parts', { loader }),
    inProcess<Part>(t, port, 'parts', { loader }),
  ])
  const ids = ['bolt', 'nut', 'rod', 'cog']
  await one.fetchMany(ids)
  await stored(t, port, ...ids.map(id => `parts:${id}`))
  for (const id of ids) await settled(other, id)
  t.is(reads, 4)
  await one.invalidate('bolt')
  await until(() => other.get('bolt') === undefined)
  one.deleteMany(['nut', 'rod'])
  await until(() => other.get('nut') === undefined && other.get('rod') === undefined)
  t.is(other.get('cog')?.stock, 4)
  one.clear()
  await until(() => other.get('cog') === undefined)
  t.is((await other.fetch('cog'))?.stock, 5)
})

check('notifications: a value by force, or a fresh load, replaces the old one', async t => {
  const { port } = await redis(t)
  let stock = 0
  const loader = async (id: string) => ({ id, stock: ++stock })
  const [one, other] = await Promise.all([
    inProcess<Part>(t, port, 'parts', { loader }),
    inProcess<Part>(t, port, 'parts', { loader }),
  ])
  await one.fetch('bolt')
  await stored(t, port, 'parts:bolt')
  t.is((await settled(other, 'bolt'))?.stock, 1)
  t.is((await one.fetch('bolt', { fresh: true }))?.stock, 2)
  await until(async () => (await settled(other, 'bolt'))?.stock === 2)
  await other.put('bolt', { id: 'bolt', stock: 99 })
  await until(async () => (await settled(one, 'bolt'))?.stock === 99)
  t.is(stock, 2)
})

check('notifications: a group is forgotten everywhere, the others stay', async t => {
  const { port } = await redis(t)
  let reads = 0
  const [one, other] = await Promise.all([
    inProcess<Part>(t, port, 'parts', {}),
    inProcess<Part>(t, port, 'parts', {}),
  ])
  const many = (ids: readonly string[]) => ids.map(id => ({ id, stock: ++reads }))
  for (const shelf of ['north', 'west']) await one.namespace(shelf).fetchMany(['bolt', 'nut'], many)
  await stored(t, port, ...['bolt', 'nut'].flatMap(id => [`parts:north:${id}`, `parts:west:${id}`]))
  const [north, west] = ['north', 'west'].map(shelf => other.namespace(shelf))
  await until(async () => {
    await west?.fetchMany(['bolt', 'nut'], many)
    await north?.fetchMany(['bolt', 'nut'], many)
    return north?.get('nut') !== undefined && west?.get('nut') !== undefined
  })
  t.is(reads, 4)
  one.namespace('north').clear()
  await until(() => north?.get('bolt') === undefined)
  t.is(north?.get('nut'), undefined)
  t.is(west?.get('nut')?.stock, 4)
  await one.namespace('west').invalidate('bolt')
  await until(() => west?.get('bolt') === undefined)
})

check('a manual cache over memory and Redis: nothing is loaded', async t => {
  const { port } = await redis(t)
  const [one, other] = await Promise.all([
    inProcess<Part>(t, port, 'parts', { loader: nowhere }),
    inProcess<Part>(t, port, 'parts', { loader: nowhere }),
  ])
  await one.put('bolt', { id: 'bolt', stock: 7 })
  t.is((await other.fetch('bolt'))?.stock, 7)
  t.is(await other.fetch('nut'), undefined)
})

check('what another process loaded is loaded anew before its end, too', async t => {
  const { port } = await redis(t)
  let reads = 0
  const loader = async (id: string) => ({ id, stock: ++reads })
  const options = { loader, ttl: 1_000, refreshAhead: 1 / 3 } as const
  const one = await inProcess<Part>(t, port, 'parts', options)
  const other = await inProcess<Part>(t, port, 'parts', options)
  await one.fetch('bolt')
  await stored(t, port, 'parts:bolt')
  let refreshed = false
  other.on('refresh', () => {
    refreshed = true
  })
  await until(async () => (await other.fetch('bolt')) !== undefined && refreshed)
  await until(() => reads > 1)
  t.pass()
})
