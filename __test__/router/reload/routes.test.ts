// What becomes of what is remembered when a reload changes the routes.
import test from 'ava'
import { calls, hasRedis } from '../store/support.ts'
import { Raw, redis } from '../support.ts'
import { start } from './support.ts'

const fronted = hasRedis ? test : test.skip

fronted('what was remembered under other routes is given no longer than these would', async t => {
  const behind = await redis(t)
  const store = `redis://127.0.0.1:${behind.port}`
  const { router, port } = await start(t, { store, routes: ['*,ttl=1h,negativeTtl=1h'] })
  const [client, direct] = [await Raw.open(t, port), await Raw.open(t, behind.port)]
  const reload = (...routes: string[]) =>
    router.reload({ threads: 1, maxBytes: '64mb', store, routes })
  /** Whether the store was asked for it. */
  const asked = async (...words: string[]) => {
    const before = await calls(direct, words[0]!.toLowerCase())
    await client.send(...words)
    return (await calls(direct, words[0]!.toLowerCase())) > before
  }
  await direct.send('SET', 'there', 'x')
  await direct.send('HSET', 'hash', 'f', 'x')
  const reads = [
    ['GET', 'there'],
    ['HGETALL', 'hash'],
    ['GET', 'absent'],
    ['HGETALL', 'absent'],
  ]
  const which = async () => {
    const all: boolean[] = []
    for (const read of reads) all.push(await asked(...read))
    return all.map(Number).join('')
  }
  t.is(await which(), '1111')
  t.is(await which(), '0000')
  // Longer, or of no matter to what is there: all is given as before.
  await reload('*,ttl=2h,negativeTtl=2h', 'other:*')
  t.is(await which(), '0000')
  // What could have been remembered for a millisecond is over.
  await new Promise(resolve => setTimeout(resolve, 5))
  await reload('*,ttl=1,jitter=0,negativeTtl=0,admission=false')
  t.is(await which(), '1111')
  await reload('*,ttl=1h,negativeTtl=1h,admission=false')
  await which()
  t.is(await which(), '0000')
  await reload('*,ttl=1h,negativeTtl=0')
  t.is(await which(), '0011')
  await reload('*,ttl=1h,mode=off')
  t.is(await which(), '1111')
  await reload('*,ttl=1h,readConcern=consistent')
  t.is(await which(), '1111')
  await reload('*,ttl=1h,commands=hgetall')
  t.regex(await which(), /^1.1.$/)
  await reload('*,ttl=1h,maxReplyBytes=1')
  t.is(await which(), '1111')
  // Counts go on with the route of the same keys.
  t.true(router.stats().routes[0]!.hits > 0)
})
