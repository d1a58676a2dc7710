// A second tier in a Redis that is full, and one that evicts: what docs/operations.md says of them.
import test, { type ExecutionContext } from 'ava'
import type { CacheOptions } from '../../src/index.ts'
import { inProcess, settled, stored, until } from '../migrating/support.ts'
import { installed, redis } from '../router/support.ts'
import { connect } from './invalidation.ts'

const check = installed('redis-server') ? test : test.skip

/** Two processes over a server with such a policy, and a way to have it be full. */
async function open(t: ExecutionContext, policy: string) {
  const { port } = await redis(t, '--maxmemory-policy', policy)
  const { send } = await connect(t, 'ioredis', port)
  const options: CacheOptions<string, string> = { codec: 'string', loader: () => undefined }
  const [one, other] = await Promise.all([
    inProcess<string>(t, port, 'pages', options),
    inProcess<string>(t, port, 'pages', options),
  ])
  // Less than it takes for itself.
  const fill = () => send('CONFIG', 'SET', 'maxmemory', '1')
  return { port, send, one, other, fill }
}

check('a server that is full takes nothing new, but lets go what is removed', async t => {
  const { port, send, one, other, fill } = await open(t, 'noeviction')
  await one.put('a', 'old')
  t.is(await settled(other, 'a'), 'old')
  await stored(t, port, 'pages:a')
  await fill()
  const told: string[] = []
  one.on('tier', ({ operation, error }) => told.push(`${operation} ${error}`))
  await one.remove('a')
  t.is(await send('EXISTS', 'pages:a'), 0)
  await until(() => other.get('a') === undefined)
  t.deepEqual(told, [])
  await one.put('b', 'new')
  t.is(one.get('b'), 'new')
  t.is(await send('EXISTS', 'pages:b'), 0)
  one.invalidateTag('tag')
  await until(() => told.length >= 2)
  t.regex(told.join(), /^set .*OOM.*,invalidateTag .*OOM/)
})

check('what the server evicts is forgotten here as well', async t => {
  const { port, one, other, fill } = await open(t, 'allkeys-lru')
  await one.put('a', 'x')
  t.is(await settled(other, 'a'), 'x')
  one.invalidateTag('tag')
  await stored(t, port, 'pages:a', '{pages}~t')
  await fill()
  await until(() => one.get('a') === undefined && other.get('a') === undefined)
  t.is(await one.fetch('a'), undefined)
})

check('what the server keeps to track does not grow with the keys', async t => {
  const { port, send, one } = await open(t, 'noeviction')
  const values = (names: readonly string[]) => names.map(name => `value of ${name}`)
  const keys = Array.from({ length: 200 }, (_, i) => `k${i}`)
  await one.fetchMany(keys, values)
  await stored(t, port, ...keys.map(key => `pages:${key}`))
  const info = String(await send('INFO', 'stats'))
  t.is(/tracking_total_keys:(\d+)/.exec(info)?.[1], '0')
  t.true(Number(/tracking_total_prefixes:(\d+)/.exec(info)?.[1]) < 20)
})
