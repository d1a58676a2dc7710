// Users with rules at a node, with a store of its own and in front of one: what they may not do is
// refused before the cache is looked up and before the store hears of it, in the words of Redis.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import test from 'ava'
import { hashPassword, type RouterUser } from '../../../src/router/index.ts'
import { installed, Raw, redis, type Served } from '../support.ts'
import { as, asRedis, guarded, usersOf } from './support.ts'

const compared = installed('redis-server') ? test : test.skip

const RULES = {
  ada: '~a:* %R~shared:* &news &chat:* +@all -@dangerous -strlen',
  bob: '~* &* +@read +@connection +@transaction',
  eve: '',
}

const KEY = '-NOPERM this user has no permissions to access one of the keys used as arguments\r\n'
const CHANNEL =
  '-NOPERM this user has no permissions to access one of the channels used as arguments\r\n'

/** Nodes of both kinds, with these users. */
const KINDS: [
  name: string,
  start: (t: ExecutionContext, users: RouterUser[]) => Promise<Served>,
][] = [
  ['a store of its own', (t, users) => guarded(t, users)],
  ['a store behind it', async (t, users) => guarded(t, users, await redis(t))],
]

/** What somebody sends, by users: each reply has to be that of Redis. */
const STORY: [user: keyof typeof RULES, ...words: string[]][] = [
  ['ada', 'SET', 'a:1', 'x'],
  ['ada', 'GET', 'a:1'],
  ['ada', 'GET', 'a:1'],
  ['ada', 'GET', 'b:1'],
  ['ada', 'GET', 'shared:1'],
  ['ada', 'SET', 'shared:1', 'x'],
  ['ada', 'MGET', 'a:1', 'shared:1'],
  ['ada', 'MGET', 'a:1', 'b:1'],
  ['ada', 'COPY', 'shared:1', 'a:2'],
  ['ada', 'COPY', 'a:1', 'shared:2'],
  ['ada', 'COPY', 'a:1', 'b:2'],
  ['ada', 'RENAME', 'a:1', 'b:1'],
  ['ada', 'RENAME', 'b:1', 'a:1'],
  ['ada', 'STRLEN', 'a:1'],
  ['ada', 'STRLEN'],
  ['ada', 'GET'],
  ['ada', 'CONFIG', 'GET', 'port'],
  ['ada', 'CLIENT', 'LIST'],
  ['ada', 'PUBLISH', 'news', 'x'],
  ['ada', 'PUBLISH', 'chat:1', 'x'],
  ['ada', 'PUBLISH', 'other', 'x'],
  ['ada', 'SUBSCRIBE', 'news', 'other'],
  ['ada', 'PSUBSCRIBE', '*'],
  ['ada', 'PSUBSCRIBE', 'news*'],
  ['ada', 'ACL', 'WHOAMI'],
  ['ada', 'ACL', 'LIST'],
  ['bob', 'GET', 'a:1'],
  ['bob', 'SET', 'a:1', 'y'],
  ['bob', 'DEL', 'a:1'],
  ['bob', 'PING'],
  ['bob', 'MULTI'],
  ['bob', 'GET', 'a:1'],
  ['bob', 'SET', 'a:1', 'y'],
  ['bob', 'EXEC'],
  ['bob', 'FLUSHALL'],
  ['bob', 'MONITOR'],
  ['eve', 'GET', 'a:1'],
  ['eve', 'PING'],
  ['eve', 'AUTH', 'eve', 'no'],
  ['eve', 'AUTH', 'nobody', 'no'],
  ['eve', 'HELLO', '9'],
  ['eve', 'HELLO', '3', 'AUTH', 'eve', 'no'],
]

for (const [name, start] of KINDS) {
  compared(`${name}: users are refused what Redis refuses them, in its words`, async t => {
    t.timeout(120_000)
    const served = [await asRedis(t, RULES), await start(t, usersOf(RULES))]
    const clients = await Promise.all(
      served.map(async one => ({
        ada: await as(t, 'ada', one),
        bob: await as(t, 'bob', one),
        eve: await as(t, 'eve', one),
      })),
    )
    const [expected, said] = [[] as string[], [] as string[]]
    // A store of its own has no transactions.
    const absent = name === 'a store of its own' ? /^(MULTI|EXEC|MONITOR)$/ : /^$/
    for (const [user, ...words] of STORY.filter(([, word]) => !absent.test(word!))) {
      const [redis, node] = await Promise.all(clients.map(raw => raw[user].send(...words)))
      expected.push(`${user} ${words.join(' ')}: ${redis}`)
      said.push(`${user} ${words.join(' ')}: ${node}`)
    }
    t.deepEqual(said, expected)
  })

  compared(
    `${name}: what is sent behind an AUTH that fails is refused, and does nothing`,
    async t => {
      t.timeout(120_000)
      const node = await start(t, usersOf(RULES))
      const raw = await Raw.open(t, node.port)
      raw.write('AUTH ada no\r\nSET a:1 x\r\nAUTH ada ada\r\nGET a:1\r\nGET b:1\r\n')
      t.deepEqual((await raw.replies(5)).map(String), [
        '-WRONGPASS invalid username-password pair or user is disabled.\r\n',
        '-NOAUTH Authentication required.\r\n',
        '+OK\r\n',
        '$-1\r\n',
        KEY,
      ])
    },
  )

  compared(
    `${name}: what tells of keys that it does not name is for who may use all keys`,
    async t => {
      t.timeout(120_000)
      const node = await start(t, usersOf({ ...RULES, ada: '~a:* &* +@all' }))
      const ada = await as(t, 'ada', node)
      for (const words of [
        ['KEYS', '*'],
        ['SCAN', '0'],
        ['RANDOMKEY'],
        ['FLUSHDB'],
        ['CLIENT', 'TRACKING', 'ON', 'BCAST'],
        ['CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'a'],
        ...(name === 'a store behind it'
          ? [
              ['EVAL', "return redis.call('get', 'b:1')", '1', 'a:1'],
              ['FLUSHALL'],
              ['SWAPDB', '0', '1'],
              ['MONITOR'],
            ]
          : []),
      ]) {
        t.is(await ada.send(...words), KEY, words.join(' '))
      }
      const bob = await as(t, 'bob', node)
      t.regex(await bob.send('SCAN', '0'), /^\*2\r\n/)
    },
  )

  compared(`${name}: ACL speaks of the users of the node, and never of a password`, async t => {
    t.timeout(120_000)
    const hash = hashPassword('a secret')
    const users = [
      { name: 'chief', password: 'chief' },
      { name: 'ada', passwordHashes: [hash], acl: '~a:* %R~shared:* &news +@read -get' },
    ]
    const chief = await as(t, 'chief', await start(t, users))
    t.is(await chief.send('ACL', 'WHOAMI'), '$5\r\nchief\r\n')
    t.is(await chief.send('ACL', 'USERS'), '*2\r\n$5\r\nchief\r\n$3\r\nada\r\n')
    const list = await chief.send('ACL', 'LIST')
    t.regex(list, /user chief on ~\* &\* \+@all\r\n/)
    t.regex(list, /user ada on ~a:\* %R~shared:\* resetchannels &news -@all \+@read -get\r\n/)
    const ada = await chief.send('ACL', 'GETUSER', 'ada')
    t.regex(ada, /-@all \+@read -get/)
    t.is(await chief.send('ACL', 'GETUSER', 'nobody'), '$-1\r\n')
    t.is(await chief.send('ACL', 'DRYRUN', 'ada', 'MGET', 'a:1'), '+OK\r\n')
    t.regex(await chief.send('ACL', 'DRYRUN', 'ada', 'GET', 'a:1'), /run the 'get' command/)
    t.regex(await chief.send('ACL', 'CAT', 'string'), /\r\nmget\r\n/)
    t.is(await chief.send('ACL', 'CAT', 'boats'), "-ERR Unknown category 'boats'\r\n")
    t.regex(await chief.send('ACL', 'SETUSER', 'ada', 'on'), /^-ERR /)
    if (name === 'a store behind it') {
      await chief.send('MULTI')
      t.is(await chief.send('ACL', 'WHOAMI'), '+QUEUED\r\n')
      t.is(await chief.send('EXEC'), '*1\r\n$5\r\nchief\r\n')
    }
    for (const text of [list, ada, await chief.send('CLIENT', 'LIST'), await chief.send('INFO')]) {
      t.false(text.includes('argon2') || text.includes('secret'))
    }
  })

  compared(
    `${name}: a user has several passwords, as hashes, and no other one will do`,
    async t => {
      t.timeout(120_000)
      const users = [
        {
          name: 'ada',
          passwordHashes: [hashPassword('new'), hashPassword('old')],
          acl: '~* +@all',
        },
        { name: 'bob', acl: '~* +@all' },
        { name: 'off', acl: 'off nopass ~* +@all' },
      ]
      const node = await start(t, users)
      for (const [user, password, right] of [
        ['ada', 'new', true],
        ['ada', 'old', true],
        ['ada', 'new', true],
        ['ada', 'newer', false],
        ['ada', '', false],
        ['bob', '', false],
        ['bob', 'new', false],
        ['off', 'x', false],
        ['eve', 'new', false],
      ] as const) {
        const raw = await Raw.open(t, node.port)
        const said = await raw.send('AUTH', user, password)
        t.regex(said, right ? /^\+OK/ : /^-WRONGPASS /, `${user} ${password}`)
      }
    },
  )
}

test('who was known before gets in while others give many wrong passwords', async t => {
  t.timeout(120_000)
  const users = [{ name: 'ada', passwordHashes: [hashPassword('right')], acl: '~* +@all' }]
  const node = await guarded(t, users)
  const known = await Raw.open(t, node.port)
  t.is(await known.send('AUTH', 'ada', 'right'), '+OK\r\n')
  const stranger = await Raw.open(t, node.port)
  stranger.write('AUTH ada wrong\r\nAUTH eve right\r\n'.repeat(100))
  const said = (await stranger.replies(200)).map(String)
  const refused = /^-(WRONGPASS |ERR too many passwords were wrong lately)/
  t.deepEqual(
    said.filter(one => !refused.test(one)),
    [],
  )
  t.is(await (await Raw.open(t, node.port)).send('AUTH', 'ada', 'right'), '+OK\r\n')
})

compared('a refusal reaches no store, and a hit is refused as a miss is', async t => {
  t.timeout(120_000)
  const store = await redis(t)
  const node = await guarded(t, usersOf({ ada: '~a:* &news +@all' }), store)
  const [chief, ada] = [await as(t, 'chief', node), await as(t, 'ada', node)]
  await chief.send('SET', 'b:1', 'secret')
  await chief.send('HSET', 'b:h', 'f', 'secret')
  for (let times = 0; times < 3; times++) {
    t.is(await chief.send('GET', 'b:1'), '$6\r\nsecret\r\n')
    t.is(await chief.send('HGET', 'b:h', 'f'), '$6\r\nsecret\r\n')
  }
  const direct = await Raw.open(t, store.port)
  await direct.send('CONFIG', 'RESETSTAT')
  for (const words of [
    ['GET', 'b:1'],
    ['HGET', 'b:h', 'f'],
    ['MGET', 'a:1', 'b:1'],
    ['DEL', 'b:1'],
    ['BLPOP', 'b:l', '0'],
    ['WATCH', 'b:1'],
    ['SORT', 'b:1'],
    ['XREAD', 'BLOCK', '0', 'STREAMS', 'b:s', '$'],
  ]) {
    t.is(await ada.send(...words), KEY, words.join(' '))
  }
  t.is(
    await ada.send('SORT', 'a:1', 'BY', 'b:*'),
    '-ERR BY option of SORT denied due to insufficient ACL permissions\r\n',
  )
  t.is(await ada.send('SPUBLISH', 'other', 'x'), CHANNEL)
  const stats = await direct.send('INFO', 'commandstats')
  t.notRegex(stats, /cmdstat_(get|hget|mget|del|blpop|watch|sort|xread|spublish):/)
})

test('users that cannot be are told of by path, without their secrets', async t => {
  t.timeout(120_000)
  const { check } = await import('../../../src/router/checking.ts')
  for (const [user, message] of [
    [{ acl: '+@reed' }, /users\[0\]\.acl must be rules of Redis, as .*, not '\+@reed'/],
    [{ acl: '~a >' }, undefined],
    [{ acl: '%X~a' }, /not '%X~a'/],
    [{ acl: '#nothex-secret' }, /not '#\.\.\.'/],
    [{ acl: '$argon2id$secret' }, /not '\$\.\.\.'/],
    [{ acl: '(~a +get)' }, /not '\(~a'/],
    [{ acl: '+config|sett' }, /not '\+config\|sett'/],
    [{ acl: 5 }, /users\[0\]\.acl must be/],
    [{ acl: '~*', permissions: ['read'] }, /users\[0\]\.permissions must be left out/],
    [{ passwordHashes: ['secret'] }, /users\[0\]\.passwordHashes\[0\] must be/],
    [{ passwordHashes: [] }, /users\[0\]\.passwordHashes must be/],
    [{ passwordHashes: [`$argon2id$v=19$m=9999999999,t=1,p=1$c2FsdHNhbHQ$aGFzaA`] }, /must be/],
    [{ rules: '~*' }, /users\[0\]\.rules/],
  ] as const) {
    const users = [{ name: 'ada', ...user }] as unknown as RouterUser[]
    const wrong = (): unknown => check({ users }, '1.0.0')
    if (message === undefined) {
      t.notThrows(wrong)
      continue
    }
    const error = t.throws(wrong, { message }, JSON.stringify(user))
    t.false(error?.message.includes('secret'))
  }
  const twice = [{ name: 'ada' }, { name: 'ada' }]
  t.throws(() => check({ users: twice }, '1.0.0'), { message: /users\[1\]\.name/ })
})

test('breakwater hash-password hashes what the standard input has', async t => {
  t.timeout(120_000)
  const cli = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url))
  const hashOf = (input: string) =>
    spawnSync(process.execPath, [cli, 'hash-password'], { input, encoding: 'utf8' })
  const { stdout } = hashOf('a secret\n')
  const users = [{ name: 'ada', passwordHashes: [stdout.trim()], acl: '~* +@all' }]
  const client = await Raw.open(t, (await guarded(t, users)).port)
  t.is(await client.send('AUTH', 'ada', 'a secret'), '+OK\r\n')
  const none = hashOf('\n')
  t.is(none.status, 2)
  t.regex(none.stderr, /there is no password on the standard input/)
})
