// What other processes change is heard of by tracking, and that it is not is noticed.
import test from 'ava'
import { installed, redis } from '../router/support.ts'
import { connect, libraries, Side } from './invalidation.ts'

const server = installed('redis-server') ? test : test.skip
const tracking = { mode: 'tracking', heartbeat: 1000, bound: 2000 } as const

for (const library of libraries) {
  server(`${library}: a write is heard of by others and not by who wrote`, async t => {
    const { port } = await redis(t)
    const [one, two] = await Promise.all([connect(t, library, port), connect(t, library, port)])
    const [a, b] = [await Side.open(t, one, tracking), await Side.open(t, two, tracking)]
    await Promise.all([a.hears('regained'), b.hears('regained')])
    await a.write('a')
    t.deepEqual(await b.hears('key a'), ['key a'])
    await b.write('b')
    // The server tells in the order of the writes.
    t.deepEqual(await a.hears('key b'), ['key b'])
    await one.send('DEL', 't:c:v:a')
    t.deepEqual(await a.hears('key a'), ['key a'])
    t.deepEqual(await b.hears('key a'), ['key a'])
  })
}
