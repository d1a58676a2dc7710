// The hook that chooses routes: in front of a store, on a thread of the caller and on others. A node with a
// store of its own has no routes, on either driver: the hook is nobody's.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import type { RouterOptions } from 'breakwater/router'
import { hasRedis } from '../store/support.ts'
import { Raw, redis } from '../support.ts'
import { hookWarnings, moduleOf, routerOf } from './support.ts'

const withStore = hasRedis ? test : test.skip

const hooks = (later: boolean) => `{
  route: {
    prefixes: ['of:'],
    ${later ? "async: true, deadline: '2s'," : ''}
    handle: ${later ? 'async' : ''} ({ key, bytes }) => {
      ${later ? "if (key === 'of:late') return new Promise(() => {})" : ''}
      if (key === 'of:throw') throw new Error('secret of the hook')
      if (key === 'of:number') return 5
      if (key === 'of:none') return 'none:*'
      if (key === 'of:usual') return
      if (bytes.length !== Buffer.byteLength(key)) return 'off:*'
      return key.includes('kept') ? '*' : 'off:*'
    },
  },
}`

const routes: RouterOptions['routes'] = [
  { match: 'off:*', mode: 'off' },
  { match: 'of:*', mode: 'shadow' },
  { match: '*' },
]
const FAILED = '-ERR a hook of the node has failed\r\n'

const ways: [name: string, options: RouterOptions][] = [
  ['a thread', { threads: 1 }],
  ['two threads', { threads: 2 }],
  ['the thread of the caller', { threads: 0 }],
]

for (const [way, options] of ways) {
  for (const later of [false, true]) {
    withStore(
      `${way}, ${later ? 'later' : 'at once'}: keys have the routes that the hook says, which is asked once`,
      async t => {
        const heard = hookWarnings(t)
        const store = await redis(t)
        const { router, port } = await routerOf(t, {
          ...options,
          store: `redis://127.0.0.1:${store.port}`,
          routes,
          hooks: moduleOf(t, hooks(later)),
        })
        const direct = await Raw.open(t, store.port)
        const client = await Raw.open(t, port)
        for (const key of ['of:kept', 'of:left', 'of:usual', 'free']) {
          await direct.send('SET', key, 'v')
          t.is(await client.send('GET', key), '$1\r\nv\r\n')
          const isHeld = async () => (await router.memory!.inspect(key)).reply !== undefined
          while (key !== 'of:left' && !(await isHeld())) await sleep(5)
          for (let again = 0; again < 2; again++) t.is(await client.send('GET', key), '$1\r\nv\r\n')
        }
        let stats = router.stats()
        const route = (match: string) => stats.routes.find(route => route.match === match)!
        // A thread adds up what it has counted once it has answered.
        while (route('*').hits < 4) {
          await sleep(5)
          stats = router.stats()
        }
        t.is(route('*').hits, 4, 'of:kept and free')
        t.is(route('off:*').passed, 3)
        t.is(route('of:*').shadowed, 2)
        t.is(stats.hooks.kinds.find(({ hook }) => hook === 'route')!.asked, 3)
        t.is((await router.memory!.inspect('of:left')).route, 'off:*')
        // What another client changes is heard of, whatever the route.
        await direct.send('SET', 'of:kept', 'new')
        while ((await client.send('GET', 'of:kept')) !== '$3\r\nnew\r\n');
        t.deepEqual(
          await client.send('MGET', 'of:a', 'of:kept', 'free'),
          '*3\r\n$-1\r\n$3\r\nnew\r\n$1\r\nv\r\n',
        )

        for (const key of ['of:throw', 'of:number', 'of:none']) {
          t.is(await client.send('GET', key), FAILED, key)
        }
        t.is(await client.send('SET', 'of:throw', 'x'), '+OK\r\n', 'a write has no route')
        if (later) {
          t.is(
            await client.send('GET', 'of:late'),
            '-ERR a hook of the node has not answered in time\r\n',
          )
        }
        const counts = router.stats().hooks.kinds.find(({ hook }) => hook === 'route')!
        t.is(counts.failed, later ? 4 : 3)
        t.is(counts.late, later ? 1 : 0)
        t.true(counts.seconds > 0)
        t.regex(
          await client.send('INFO', 'hooks'),
          /hook_route:calls=\d+,failed=[34],late=[01],usec=/,
        )
        // Another thread's warning comes when it comes.
        while (!heard.some(message => message.includes('route'))) await sleep(5)
      },
    )
  }
}

for (const driver of ['native', 'net'] as const) {
  for (const threads of [0, 1]) {
    // Before all others: warnings are the process's, and others cause some.
    test.serial(
      `${driver}, ${threads} threads: a node without a store behind it asks for no route`,
      async t => {
        const heard = hookWarnings(t)
        const given = `{
        route: { prefixes: [], handle() { throw new Error('it was asked') } },
        onCommand: { commands: ['get'], handle: ({ keys: [key] }) => key === 'mine' ? { answer: 'own' } : undefined },
      }`
        const options: RouterOptions = { driver, threads, hooks: moduleOf(t, given) }
        const { router, port } = await routerOf(t, options)
        t.is(router.driver, driver)
        const client = await Raw.open(t, port)
        t.is(await client.send('SET', 'key', 'v'), '+OK\r\n')
        t.is(await client.send('GET', 'key'), '$1\r\nv\r\n')
        t.is(await client.send('MGET', 'key', 'none'), '*2\r\n$1\r\nv\r\n$-1\r\n')
        // Others of the same module are asked.
        t.is(await client.send('GET', 'mine'), '$3\r\nown\r\n')
        const asked = router.stats().hooks.kinds.map(({ hook, asked }) => [hook, asked])
        t.is(Object.fromEntries(asked).route ?? 0, 0)
        t.is(router.stats().hooks.failed, 0)
        t.deepEqual(heard, [])
      },
    )
  }
}

withStore('a reload of the hooks, or of the routes, forgets what was chosen', async t => {
  const store = await redis(t)
  const of = (match: string) => ({ route: () => match })
  const given = { store: `redis://127.0.0.1:${store.port}`, threads: 0, routes }
  const { router, port } = await routerOf(t, { ...given, hooks: of('*') })
  const client = await Raw.open(t, port)
  const hits = () => router.stats().routes.find(({ match }) => match === '*')!.hits
  await client.send('GET', 'a')
  while ((await router.memory!.inspect('a')).reply === undefined) await sleep(5)
  await client.send('GET', 'a')
  t.is(hits(), 1)
  await router.reload({ ...given, hooks: of('off:*') })
  await client.send('GET', 'a')
  await client.send('GET', 'a')
  t.is(hits(), 1, 'nothing of it is given any more')
  t.is((await router.memory!.inspect('a')).route, 'off:*')
  // Of a route that is gone the hook is told.
  const heard = hookWarnings(t)
  await router.reload({ ...given, routes: [], hooks: of('off:*') })
  t.is(await client.send('GET', 'a'), FAILED)
  await router.reload({ ...given, routes: [] })
  t.is(await client.send('GET', 'a'), '$-1\r\n')
  await new Promise(resolve => setImmediate(resolve))
  t.true(
    heard.some(message => message.includes("it chose 'off:*', and the node has no such route")),
  )
})
