// A write that Redis did, and whose answer did not come in time: the other processes are told of it.
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { timersOf } from '../../src/base/timers.ts'
import { ManualClock } from '../../src/testing.ts'
import { redis as redisTier } from '../../src/tier/redis/index.ts'
import { installed } from '../router/support.ts'
import { connect, libraries } from './invalidation.ts'
import { servers } from './servers.ts'
import { fresh, Host } from './sessions.ts'

const check = installed('redis-server') ? test : test.skip

/** Passes on what clients send, and what the server answers unless that is held back. */
async function line(t: ExecutionContext, to: number) {
  const ways: { near: Socket; far: Socket }[] = []
  const server = createServer(near => {
    const far = dial(to, '127.0.0.1')
    ways.push({ near, far })
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => {})
      from.on('close', () => into.destroy())
      from.pipe(into)
    }
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    for (const { near, far } of ways) for (const socket of [near, far]) socket.destroy()
    server.close()
  })
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    holdAnswers() {
      for (const { near, far } of ways) far.unpipe(near).pause()
    },
    passAnswers() {
      for (const { near, far } of ways) far.pipe(near)
    },
  }
}

/** Neither signs of life nor their absence come in between. */
const invalidation = { mode: 'bus', heartbeat: '1d', bound: '2d' } as const

for (const { title, start } of servers) {
  for (const library of libraries) {
    check(
      `a set that was done and not answered in time is told of: ${library}, ${title}`,
      async t => {
        t.timeout(120_000)
        const { port } = await start(t)
        const between = await line(t, port)
        const clock = new ManualClock()
        const timers = timersOf(clock)
        const open = async (at: number) => {
          const host = new Host('unanswered', timers)
          const { client } = await connect(t, library, at)
          const session = redisTier(client, { timeout: 500, invalidation }).open(host)
          t.teardown(() => session.close())
          await session.ready
          return { host, session }
        }
        const [one, other] = [await open(between.port), await open(port)]
        t.true(await one.session.set('key', fresh('old')))
        await other.host.hears('key')
        other.host.changes.length = 0

        between.holdAnswers()
        const set = one.session.set('key', fresh('new'))
        while ((await other.session.get('key'))?.encoded !== 'new') await sleep(1)
        t.deepEqual(other.host.changes, [], 'nobody was told yet')
        clock.advance(500)
        t.false(await set, 'it is not known whether it was done')
        await other.host.hears('key')
        t.is((await other.session.get('key'))?.encoded, 'new')
        between.passAnswers()
      },
    )
  }
}
