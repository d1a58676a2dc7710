// Limits of users at a node: shared by its threads and drivers, counted everywhere, changed by a reload.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { createRouter, type RouterOptions } from '../../../src/router/index.ts'
import { folderOf } from '../../helpers/folders.ts'
import { Raw, serve } from '../support.ts'

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
