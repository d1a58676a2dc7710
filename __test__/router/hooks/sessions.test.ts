// Hooks among the rest of what a session is: permissions before and behind them, transactions,
// subscriptions, commands that wait, replies that are not wanted. In front of a store, and without.
import test, { type ExecutionContext } from 'ava'
import type { RouterOptions } from 'breakwater/router'
import { hasRedis } from '../store/support.ts'
import { encode, Raw, redis } from '../support.ts'
import { moduleOf, routerOf } from './support.ts'

const withStore = hasRedis ? test : test.skip

/** Tells what it is asked about in the set `asked` of its own thread, read by `ECHO`. */
const hooks = (later: boolean) => `(() => {
  const asked = []
  return {
    onCommand: [
      { commands: ['echo'], handle: () => ({ answer: asked.splice(0).join(', ') }) },
      {
        ${later ? "async: true, deadline: '60s'," : ''}
        handle: ${later ? 'async' : ''} ({ command, args: [first = ''], queued }) => {
          asked.push([command, first, queued ? 'queued' : ''].filter(Boolean).join(' '))
          if (first === 'refused') return { refuse: 'NO' }
          if (first === 'answered') return { answer: 'mine' }
          if (first === 'to:secret') return { rewrite: ['get', 'secret:1'] }
          if (first === 'to:flush') return { rewrite: ['flushall'] }
          if (first === 'to:own') return { rewrite: ['get', 'own:1'] }
          if (first === 'to:other') return { rewrite: ['subscribe', 'other'] }
          if (first === 'to:blocked') return { rewrite: ['blpop', 'list', '0'] }
          if (first === 'to:nothing') return { rewrite: [''] }
        },
      },
    ],
  }
})()`

const users: RouterOptions['users'] = [
  { name: 'default', password: 'all' },
  {
    name: 'ada',
    password: 'a',
    acl: '~own:* ~to:* ~refused ~answered &news +@all -@admin -flushall',
  },
]

async function open(t: ExecutionContext, port: number, user: string, password: string) {
  const client = await Raw.open(t, port)
  await client.send('AUTH', user, password)
  return client
}

const asked = async (client: Raw) => (await client.send('ECHO', 'x')).split('\r\n')[1]

for (const later of [false, true]) {
  const way = later ? 'later' : 'at once'
  const start = async (t: ExecutionContext, where: 'store' | 'own', more: RouterOptions = {}) => {
    const store = where === 'store' ? await redis(t) : undefined
    const given = store && { store: `redis://127.0.0.1:${store.port}` }
    const hooksGiven = { hooks: moduleOf(t, hooks(later)) }
    return routerOf(t, { threads: 1, users, ...given, ...hooksGiven, ...more })
  }

  for (const where of ['own', 'store'] as const) {
    const title = where === 'own' ? test : withStore
    title(
      `${where}, ${way}: no hook hears of what its user may not do, and none gets around that`,
      async t => {
        const { router, port } = await start(t, where)
        const all = await open(t, port, 'default', 'all')
        await all.send('SET', 'secret:1', 's')
        await all.send('SET', 'own:1', 'o')
        await asked(all)
        const ada = await open(t, port, 'ada', 'a')
        t.regex(await ada.send('GET', 'secret:1'), /^-NOPERM/)
        t.regex(await ada.send('FLUSHALL'), /^-NOPERM/)
        t.is(await ada.send('GET', 'own:1'), '$1\r\no\r\n')
        t.is(await asked(all), 'get own:1')
        // What a hook makes of it is held against the same rules.
        t.regex(await ada.send('GET', 'to:secret'), /^-NOPERM/)
        t.regex(await ada.send('GET', 'to:flush'), /^-NOPERM/)
        t.regex(await ada.send('GET', 'to:other'), /^-NOPERM/)
        t.is(await ada.send('GET', 'to:own'), '$1\r\no\r\n')
        t.is(await all.send('GET', 'to:secret'), '$1\r\ns\r\n')
        t.is(router.stats().clients, 2)
      },
    )

    title(
      `${where}, ${way}: no hook hears of who has not authenticated, nor of passwords`,
      async t => {
        const { port } = await start(t, where)
        const stranger = await Raw.open(t, port)
        t.regex(await stranger.send('GET', 'own:1'), /^-NOAUTH/)
        t.regex(await stranger.send('AUTH', 'ada', 'wrong'), /^-WRONGPASS/)
        t.regex(await stranger.send('HELLO', '3', 'AUTH', 'ada', 'a'), /^%/)
        t.is(await asked(await open(t, port, 'default', 'all')), '')
      },
    )

    title(
      `${where}, ${way}: replies that are not wanted are not given, whoever makes them`,
      async t => {
        const { port } = await start(t, where)
        const client = await open(t, port, 'default', 'all')
        const lines = [
          'CLIENT REPLY SKIP',
          'GET answered',
          'CLIENT REPLY SKIP',
          'GET refused',
          'GET answered',
        ]
        client.write(
          Buffer.concat(
            [
              ...lines,
              'CLIENT REPLY OFF',
              'GET answered',
              'GET refused',
              'CLIENT REPLY ON',
              'PING',
            ].map(line => encode(line.split(' '))),
          ),
        )
        t.is(await client.upTo('+PONG\r\n'), '$4\r\nmine\r\n+OK\r\n+PONG\r\n')
      },
    )

    title(
      `${where}, ${way}: a command that a hook makes wrong is refused, and what follows goes on`,
      async t => {
        const { port } = await start(t, where)
        const client = await open(t, port, 'default', 'all')
        t.regex(await client.send('GET', 'to:nothing'), /^-ERR/)
        t.is(await client.send('PING'), '+PONG\r\n')
      },
    )
  }

  withStore(
    `store, ${way}: a pipeline of reads, writes, hooked ones and others is answered in its order`,
    async t => {
      const { port } = await start(t, 'store')
      const client = await open(t, port, 'default', 'all')
      const round = [
        ['SET', 'a', '1'],
        ['GET', 'a'],
        ['GET', 'answered'],
        ['INCR', 'a'],
        ['GET', 'refused'],
        ['GET', 'a'],
        ['GET', 'to:own'],
        ['PING'],
      ]
      const expected = '+OK\r\n$1\r\n1\r\n$4\r\nmine\r\n:2\r\n-NO\r\n$1\r\n2\r\n$-1\r\n+PONG\r\n'
      client.write(Buffer.concat(Array.from({ length: 300 }, () => round.map(encode)).flat()))
      const replies = await client.replies(300 * round.length)
      t.is(replies.join(''), expected.repeat(300))
    },
  )

  withStore(
    `store, ${way}: a transaction is asked about as it is queued, and fails if a hook refuses a part`,
    async t => {
      const { port } = await start(t, 'store')
      const client = await open(t, port, 'default', 'all')
      await asked(client)
      t.is(await client.send('MULTI'), '+OK\r\n')
      t.is(await client.send('SET', 'own:1', 'x'), '+QUEUED\r\n')
      t.is(await client.send('GET', 'to:own'), '+QUEUED\r\n')
      t.is(await client.send('EXEC'), '*2\r\n+OK\r\n$1\r\nx\r\n')
      t.is(await asked(client), 'multi, set own:1 queued, get to:own queued, exec queued')
      for (const [key, refusal] of [
        ['refused', '-NO\r\n'],
        ['answered', '-ERR a hook of the node answers this, which it cannot in MULTI\r\n'],
      ] as const) {
        await client.send('MULTI')
        t.is(await client.send('SET', 'own:1', 'y'), '+QUEUED\r\n')
        t.is(await client.send('GET', key), refusal)
        t.regex(await client.send('EXEC'), /^-EXECABORT/)
        t.is(await client.send('GET', 'own:1'), '$1\r\nx\r\n')
      }
      t.is(await client.send('WATCH', 'own:1'), '+OK\r\n')
      t.is(await client.send('MULTI'), '+OK\r\n')
      t.is(await client.send('GET', 'own:1'), '+QUEUED\r\n')
      t.is(await client.send('EXEC'), '*1\r\n$1\r\nx\r\n')
    },
  )

  withStore(
    `store, ${way}: subscriptions and commands that wait are asked about as others`,
    async t => {
      const { port } = await start(t, 'store')
      const all = await open(t, port, 'default', 'all')
      const ada = await open(t, port, 'ada', 'a')
      t.is(await ada.send('SUBSCRIBE', 'news'), '*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n')
      t.is(await all.send('PUBLISH', 'news', 'hi'), ':1\r\n')
      t.is(String((await ada.replies(1))[0]), '*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n')
      t.is(await ada.send('UNSUBSCRIBE', 'refused'), '-NO\r\n')
      const waiting = await open(t, port, 'default', 'all')
      waiting.write(Buffer.concat([encode(['GET', 'to:blocked']), encode(['PING'])]))
      t.is(await all.send('RPUSH', 'list', 'x'), ':1\r\n')
      t.deepEqual((await waiting.replies(2)).map(String), [
        '*2\r\n$4\r\nlist\r\n$1\r\nx\r\n',
        '+PONG\r\n',
      ])
    },
  )
}

withStore(
  'what no hook is interested in is answered as without hooks, and is not counted',
  async t => {
    const store = await redis(t)
    const given = moduleOf(t, "{ onCommand: { commands: ['set'], handle() {} } }")
    const { router, port } = await routerOf(t, {
      threads: 1,
      store: `redis://127.0.0.1:${store.port}`,
      hooks: given,
    })
    const client = await Raw.open(t, port)
    t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
    for (let n = 0; n < 5; n++) t.is(await client.send('GET', 'a'), '$1\r\n1\r\n')
    t.is(router.stats().hooks.asked, 1)
    t.true(router.stats().routes[0]!.hits >= 3)
  },
)
