// What a user of the server may not do is told, and what must be known of a client is found out without it.
import test from 'ava'
import { installed } from '../router/support.ts'
import {
  close,
  closeClients,
  connectionsOf,
  io,
  ioAt,
  node,
  nodeAt,
  place,
  sessionOf,
} from './clients.ts'
import { fresh, Host } from './sessions.ts'

const check = installed('redis-server') ? test : test.skip
test.after.always(closeClients)

check('a user that only a command has said is refused with the reason', async t => {
  const there = await place(t)
  await there.ask(0, 'CONFIG', 'SET', 'requirepass', '')
  await there.ask(0, 'ACL', 'SETUSER', 'default', 'nopass')
  const { port } = there
  const clients: object[] = [
    await io({ port, host: '127.0.0.1' }, c => c.auth('app', 'secret')),
    await node({ socket: { port, host: '127.0.0.1' } }, c =>
      c.sendCommand(['AUTH', 'app', 'secret']).then(() => c),
    ),
  ]
  for (const closed of [false, true]) {
    // With a default user that may do anything, and with one that has a password.
    if (closed) await there.ask(0, 'ACL', 'SETUSER', 'default', 'resetpass', '>other')
    for (const client of clients) {
      const host = new Host('refused')
      const session = sessionOf(t, client, { timeout: '20s' }, host)
      await session.ready
      const [operation, error] = host.failures.at(-1)!
      t.is(operation, 'invalidation')
      t.regex(error.message, /cannot have its user.*`username` and `password`/)
      t.notRegex(error.message, /secret/)
      t.true(await session.set('k', fresh('v')), 'its own connection is of use all the same')
      await session.close()
    }
  }
})

/** What a user may not do, and the operations that are told to fail then. */
const rights: [rule: string, failing: string[]][] = [
  ['+@all', []],
  ['-select', []],
  ['-@dangerous', []],
  ['-publish', []],
  ['-client|info', []],
  ['-client', ['invalidation']],
  ['-client|tracking', ['invalidation']],
  ['-ping', []],
  ['-subscribe', ['invalidation']],
  ['resetchannels', ['invalidation']],
  ['-@connection', ['invalidation']],
  ['-set', ['clear', 'hot', 'invalidateTag', 'lease', 'set']],
  ['-@scripting', ['clear', 'delete', 'invalidateTag', 'set']],
  ['-@write', ['clear', 'delete', 'hot', 'invalidateTag', 'invalidation', 'lease', 'set']],
]

for (const library of ['ioredis', 'node-redis'] as const) {
  check(`what a user has no right to is told, and nothing waits for it: ${library}`, async t => {
    t.timeout(600_000)
    const { port, ask } = await place(t)
    const few = { username: 'few', password: 'secret' }
    for (const [rule, failing] of rights) {
      const rules = ['on', '>secret', '~*', '&*', '+@all', rule]
      await ask(0, 'ACL', 'SETUSER', 'few', 'reset', ...rules)
      const client =
        library === 'ioredis'
          ? await io({ port, host: '127.0.0.1', ...few })
          : await node({ socket: { port, host: '127.0.0.1' }, ...few })
      const host = new Host('rights')
      const breaker = { failures: 1000 }
      // No sign of life is asked for meanwhile.
      const invalidation = { heartbeat: '1m', bound: '2m' } as const
      const session = sessionOf(t, client, { timeout: '20s', breaker, invalidation }, host)
      await session.ready
      const isDeaf = host.failures.length > 0
      await session.set('k', fresh('v'))
      await session.get('k')
      await session.lease('k', 1)
      await session.delete(['k'])
      await session.invalidateTag('tag')
      await session.publishHot([{ key: 'k', count: 1 }])
      await session.clear()
      await session.close()
      close(client)
      // A write that was refused makes it ask whether the server still is what it was.
      const later = host.failures.filter(
        ([operation]) => operation !== 'publish' && operation !== 'invalidation',
      )
      const told = new Set(later.map(([operation]) => operation))
      if (isDeaf) told.add('invalidation')
      t.deepEqual([...told].sort(), failing, rule)
      for (const [, error] of host.failures) {
        t.regex(error.message, /NOPERM|does not track|can't run this command/, rule)
      }
    }
  })
}

check('the database of a client holds where the server has no CLIENT INFO', async t => {
  t.timeout(600_000)
  const there = await place(t)
  await there.ask(0, 'ACL', 'SETUSER', 'old', 'on', '>secret', '~*', '&*', '+@all', '-client|info')
  const old = { username: 'old', password: 'secret' }
  const clients: object[] = [
    await io(ioAt(there, old), c => c.call('select', '5')),
    await node(nodeAt(there, old), c => c.select(5).then(() => c)),
    await node(nodeAt(there, old), c => c.sendCommand(['SELECT', '5']).then(() => c)),
  ]
  for (const client of clients) {
    const host = new Host('old')
    const session = sessionOf(t, client, { timeout: '20s', invalidation: { bound: '20s' } }, host)
    await session.ready
    const made = connectionsOf(await there.ask(0, 'CLIENT', 'LIST'))
    for (const { db, name } of made.filter(({ user }) => user === 'old')) t.is(db, '5', name)
    t.true(await session.set('k', fresh('v')))
    t.is(await there.ask(5, 'EXISTS', 'old:k'), 1)
    await session.close()
    close(client)
  }
})
