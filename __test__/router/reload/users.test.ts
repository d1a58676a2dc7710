// What becomes of clients whose users a reload changes: what Redis does with them.
import test, { type ExecutionContext } from 'ava'
import type { RouterOptions } from 'breakwater/router'
import { hasRedis } from '../store/support.ts'
import { Raw, redis } from '../support.ts'
import { start } from './support.ts'

const fronted = hasRedis ? test : test.skip
const DRIVERS = ['native', 'net'] as const

/** Users as a node has them, and as Redis is told of them. */
const ALL: NonNullable<RouterOptions['users']> = [
  { name: 'default', password: 'd' },
  { name: 'ada', password: 'a' },
  { name: 'bob', password: 'b' },
]
const withBob = (bob: (typeof ALL)[number]) => [ALL[0]!, ALL[1]!, bob]
/** What is done to users, and what clients that are connected as `ada` and `bob` notice. */
const DEEDS: [deed: string, users: typeof ALL, acl: string[][]][] = [
  ['a user is deleted', ALL.slice(0, 2), [['DELUSER', 'bob']]],
  [
    'a password is changed',
    withBob({ name: 'bob', password: 'c' }),
    [['SETUSER', 'bob', 'resetpass', '>c']],
  ],
  [
    'permissions are taken',
    withBob({ name: 'bob', password: 'b', permissions: ['read'] }),
    [['SETUSER', 'bob', '-@write']],
  ],
  [
    'the permission to subscribe is taken',
    withBob({ name: 'bob', password: 'b', permissions: ['write'] }),
    [['SETUSER', 'bob', '-@read', 'resetchannels']],
  ],
]

/** What clients of `bob` see, who are connected before: by turns of what they do after it. */
async function noticed(t: ExecutionContext, port: number, change: () => Promise<unknown>) {
  const admin = await Raw.open(t, port)
  await admin.send('AUTH', 'd')
  const clients = await Promise.all(
    ['ada', 'bob', 'bob', 'bob'].map(async name => {
      const client = await Raw.open(t, port)
      t.is(await client.send('AUTH', name, name[0]!), '+OK\r\n')
      return client
    }),
  )
  const [ada, writer, reader, subscriber] = clients as [Raw, Raw, Raw, Raw]
  await subscriber.send('SUBSCRIBE', 'news')
  const stranger = await Raw.open(t, port)
  await change()
  const said = async (client: Raw, ...words: string[]) =>
    (await client.send(...words)).replace(/'.*|this user.*|User.*/, '')
  const seen = [
    await said(ada, 'SET', 'k', 'v'),
    await said(writer, 'SET', 'k', 'v'),
    await said(reader, 'GET', 'k'),
    await said(await Raw.open(t, port), 'AUTH', 'bob', 'b'),
    await said(await Raw.open(t, port), 'AUTH', 'bob', 'c'),
    await said(stranger, 'GET', 'k'),
  ]
  await admin.send('PUBLISH', 'news', 'x')
  return { seen, heard: (await subscriber.replies(1)).length }
}

for (const driver of DRIVERS) {
  for (const [deed, users, acl] of DEEDS) {
    fronted(
      `${driver}: ${deed}: clients that are connected notice what they notice with Redis`,
      async t => {
        const { router, port } = await start(t, { users: ALL, driver, threads: 2 })
        const reload = () => router.reload({ threads: 2, maxBytes: '64mb', driver, users })
        const server = await redis(t, '--requirepass', 'd')
        const direct = await Raw.open(t, server.port)
        await direct.send('AUTH', 'd')
        for (const name of ['ada', 'bob']) {
          await direct.send('ACL', 'SETUSER', name, 'on', `>${name[0]}`, '~*', '&*', '+@all')
        }
        const change = async () => {
          for (const words of acl) t.regex(await direct.send('ACL', ...words), /^(\+OK|:1)/)
        }
        t.deepEqual(await noticed(t, port, reload), await noticed(t, server.port, change))
      },
    )
  }
}

test('a client that needs no name goes on with the user that it is, and needs one if there is none', async t => {
  const { router, port } = await start(t, {})
  const reload = (users: RouterOptions['users']) =>
    router.reload({ threads: 1, maxBytes: '64mb', users })
  const client = await Raw.open(t, port)
  t.is(await client.send('SET', 'k', 'v'), '+OK\r\n')
  // As after `CONFIG SET requirepass`: who is in stays, who comes needs the password.
  await reload([{ name: 'default', password: 'p' }])
  t.is(await client.send('GET', 'k'), '$1\r\nv\r\n')
  const late = await Raw.open(t, port)
  t.regex(await late.send('GET', 'k'), /^-NOAUTH /)
  await reload([{ name: 'default' }])
  t.is(await late.send('GET', 'k'), '$1\r\nv\r\n')
  await reload([{ name: 'ada', password: 'p' }])
  t.is(String(await late.rest()), '')
  t.is(String(await client.rest()), '')
})

test('a transaction whose user loses a permission before EXEC is not done', async t => {
  if (!hasRedis) return t.pass()
  const behind = await redis(t)
  const store = `redis://127.0.0.1:${behind.port}`
  const { router, port } = await start(t, { store })
  const client = await Raw.open(t, port)
  await client.send('MULTI')
  await client.send('SET', 'k', 'v')
  const users = [{ name: 'default', permissions: ['read' as const] }]
  await router.reload({ threads: 1, maxBytes: '64mb', store, users })
  t.regex(await client.send('EXEC'), /^-EXECABORT /)
  t.is(await client.send('GET', 'k'), '$-1\r\n')
})
