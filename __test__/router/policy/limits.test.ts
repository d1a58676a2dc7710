// Limits of users at a node: shared by its threads and drivers, counted everywhere, changed by a reload.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { createRouter, type LimitOptions, type RouterOptions } from 'breakwater/router'
import { folderOf } from '../../helpers/folders.ts'
import { installed, Raw, redis, serve } from '../support.ts'
import { inSeconds, issuer } from './tokens.ts'

const fronted = installed('redis-server') ? test.serial : test.serial.skip

const PING = '*1\r\n$4\r\nPING\r\n'

for (const driver of ['native', 'net'] as const) {
  test(`${driver}: a user has no more connections than it may, over all threads`, async t => {
    const users = [{ name: 'ada', password: 'ada', limits: { connections: 3 } }]
    const file = join(folderOf(t, 'limits'), 'breakwater.config.json')
    writeFileSync(file, JSON.stringify({ threads: 2, driver, users }))
    const { port } = await serve(t, '--config', file)
    const clients = await Promise.all(Array.from({ length: 12 }, () => Raw.open(t, port)))
    const said = await Promise.all(clients.map(client => client.send('AUTH', 'ada', 'ada')))
    t.is(said.filter(one => one === '+OK\r\n').length, 3)
    const refused = '-LIMIT connections: this user may have 3 connections at once\r\n'
    t.is(said.filter(one => one === refused).length, 9)
    const leaving = clients[said.indexOf('+OK\r\n')]!
    t.regex(await leaving.send('INFO', 'refusals'), /refused_connections:9\r\n/)
    // One that leaves makes room.
    await leaving.send('QUIT')
    await leaving.rest()
    const waiting = clients[said.indexOf(refused)]!
    let answer = refused
    while (answer === refused) answer = await waiting.send('AUTH', 'ada', 'ada')
    t.is(answer, '+OK\r\n')
  })

  test(`${driver}: what is beyond the requests a second is refused, and counted`, async t => {
    const users = [{ name: 'default', acl: 'nopass ~* +@all', limits: { requestsPerSecond: 2 } }]
    const router = createRouter({ threads: 0, driver, maxBytes: '16mb', users })
    t.teardown(() => router.close())
    const { port } = await router.listen({ port: 0 })
    const client = await Raw.open(t, port)
    client.write(PING.repeat(400))
    const replies = (await client.replies(400)).map(String)
    const pongs = replies.filter(reply => reply === '+PONG\r\n').length
    const refused = replies.filter(reply => reply.startsWith('-LIMIT requests: '))
    t.true(pongs >= 2 && pongs < 400, `${pongs}`)
    t.is(refused.length, 400 - pongs)
    t.is(router.stats().refusals.requests, refused.length)
    await router.reload({ ...router.options(), users: [{ name: 'default' }] })
    const info = await client.send('INFO', 'refusals')
    t.regex(info, RegExp(`# Refusals\r\n.*refused_requests:${refused.length}\r\n`, 's'))
    t.regex(info, /refused_in_flight:0\r\n/)
  })
}

/** Who has limits, by what makes it known: a password of a user, or a token of somebody who is none. */
for (const by of ['password', 'token'] as const) {
  fronted(
    `by ${by}: bytes a second and requests in flight are bounded, in all threads together`,
    async t => {
      t.timeout(120_000)
      const store = await redis(t)
      const { token, file } = issuer('HS256')
      const key = join(folderOf(t, 'limits'), 'key.jwk')
      writeFileSync(key, file)
      const given = (limits: LimitOptions): RouterOptions => ({
        threads: 2,
        maxBytes: '16mb',
        store: `redis://127.0.0.1:${store.port}`,
        storeTimeout: '10m',
        users: [
          {
            name: 'ada',
            password: 'ada',
            acl: '~* +@all',
            ...(by === 'password' ? { limits } : {}),
          },
          { name: 'bob', password: 'bob', acl: '~* +@all' },
        ],
        tokens: { keys: [key], acl: '~* +@all', ...(by === 'token' ? { limits } : {}) },
      })
      const router = createRouter(given({ inFlight: 3 }))
      t.teardown(() => router.close())
      const { port } = await router.listen({ port: 0 })
      const enter = async (name: string) => {
        const client = await Raw.open(t, port)
        const eve = token({ sub: 'eve', jti: name, exp: inSeconds(600) })
        const words = name === 'ada' && by === 'token' ? [eve] : [name, name]
        t.is(await client.send('AUTH', ...words), '+OK\r\n')
        t.is(await client.send('GET', 'warm'), '$-1\r\n')
        return client
      }
      const limited: Raw[] = []
      while (limited.length < 8) limited.push(await enter('ada'))
      const other = await enter('bob')
      store.process.kill('SIGSTOP')
      t.teardown(() => store.process.kill('SIGCONT'))
      const said: string[] = []
      const all = limited.map(async client => said.push(await client.send('SET', 'key', 'v')))
      while (said.length < 5) await sleep(5)
      const busy = '-LIMIT inflight: this user may have 3 requests in flight at once\r\n'
      t.deepEqual(said, Array(5).fill(busy))
      const free = other.send('SET', 'key', 'v')
      store.process.kill('SIGCONT')
      t.is(await free, '+OK\r\n')
      await Promise.all(all)
      t.deepEqual(said.slice(5), Array(3).fill('+OK\r\n'))
      t.is(router.stats().refusals.inFlight, 5)

      await router.reload(given({ bytesPerSecond: '100kb' }))
      const large = 'v'.repeat(4 * 1024 * 1024)
      t.is(await limited[0]!.send('SET', 'key', large), '+OK\r\n')
      const slow =
        /^-LIMIT bytes: this user may send and receive 102400 bytes a second, try again in \d+ ms\r\n$/
      for (const client of limited) t.regex(await client.send('GET', 'key'), slow)
      t.is((await other.send('GET', 'key')).length, large.length + 12)
      t.is(router.stats().refusals.bytes, 8)
    },
  )
}

test('a limit that cannot be is told by its path', t => {
  const wrong: [options: RouterOptions, message: RegExp][] = [
    [{ users: [{ name: 'a', limits: { requestsPerSecond: 0 } }] }, /users\[0\]\.limits\.requests/],
    [{ users: [{ name: 'a', limits: { connections: 1.5 } }] }, /limits\.connections.*whole number/],
    [{ users: [{ name: 'a', limits: { inFlight: -1 } }] }, /users\[0\]\.limits\.inFlight/],
    [{ users: [{ name: 'a', limits: { bytesPerSecond: '1tb' } }] }, /limits\.bytesPerSecond/],
    [{ users: [{ name: 'a', limits: 5 as never }] }, /users\[0\]\.limits/],
    [{ users: [{ name: 'a', limits: { speed: 5 } as never }] }, /users\[0\]\.limits\.speed/],
    [{ tokens: { keys: ['x'], limits: { connections: 1 } } }, /tokens\.limits.*tokens\.acl/],
  ]
  for (const [options, message] of wrong) t.throws(() => createRouter(options), { message })
})
