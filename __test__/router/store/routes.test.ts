// Routes as an application gives them: what is refused, what is counted, and reads that threads share.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { createRouter, type RouterRoute } from 'breakwater/router'
import { Raw, redis, run } from '../support.ts'
import { calls, hasRedis } from './support.ts'

const fronted = hasRedis ? test : test.skip
const store = 'redis://127.0.0.1:6379'

for (const [routes, message] of [
  ['user:*', /routes must be a list of routes.* not 'user:\*'/],
  [
    [{ match: 'user:' }],
    /routes\[0\]\.match must be the beginning of keys and a star.* not 'user:'/,
  ],
  [[{ match: 'a*b*' }], /routes\[0\]\.match must be/],
  [['*', { match: '*' }], /routes\[1\]\.match must be given once, not '\*'/],
  [['*,ttl=soon'], /routes\[0\]\.ttl must be a number of milliseconds .* not 'soon'/],
  [['*,ttl=0'], /routes\[0\]\.ttl must be/],
  [['*,ttl=1s,ttl=2s'], /routes\[0\]\.ttl must be given once/],
  [['*,5s'], /routes\[0\] must be parts as 'ttl=5s', separated by commas, not '5s'/],
  [['*,tll=5s'], /unknown option 'routes\[0\]\.tll'; did you mean 'routes\[0\]\.ttl'/],
  [[{ match: '*', jitter: 2 }], /routes\[0\]\.jitter must be a number from 0 to 1, not 2/],
  [[{ match: '*', mode: 'of' }], /routes\[0\]\.mode must be .* not 'of'/],
  [['*,readConcern=strong'], /routes\[0\]\.readConcern must be/],
  [['*,commands=get+scan'], /commands must be commands whose replies can be remembered.* not scan/],
  [[{ match: '*', commands: [] }], /routes\[0\]\.commands must be names of commands/],
  [['*,maxReplyBytes=none'], /routes\[0\]\.maxReplyBytes must be/],
  [[{ match: '*', admission: 'yes' }], /routes\[0\]\.admission must be true or false, not 'yes'/],
  [[null], /routes\[0\] must be an object, or a text/],
] as [RouterRoute[], RegExp][]) {
  test(`routes ${JSON.stringify(routes)} are refused`, t => {
    t.throws(() => createRouter({ store, routes }), { message })
  })
}

test('routes are for a node with a store', t => {
  t.throws(() => createRouter({ routes: ['*'] }), { code: 'ERR_OPTION_COMBINATION' })
})

test('the command line names the part of a route that is wrong', async t => {
  const { code, output } = await run('serve', '--store', store, '--route', 'user:*,ttl=soon')
  t.is(code, 2)
  t.regex(output, /--route\[0\]\.ttl must be .* not 'soon'/)
})

fronted('clients of all threads that ask for one key at once cause one read', async t => {
  t.timeout(120_000)
  const behind = await redis(t)
  const url = `redis://127.0.0.1:${behind.port}`
  const router = createRouter({ store: url, threads: 3, maxBytes: '64mb', routes: ['*,ttl=1h'] })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const direct = await Raw.open(t, behind.port)
  const clients = await Promise.all(Array.from({ length: 120 }, () => Raw.open(t, port)))
  // Each thread has its connection to the store.
  await Promise.all(clients.map((client, n) => client.send('GET', `warm${n}`)))
  const counted = () => {
    const { misses, joined } = router.stats().routes[0]!
    return misses + joined
  }
  while (counted() < 120) await sleep(1)
  const value = `$1000\r\n${'x'.repeat(1000)}\r\n`
  // Where the machine is so slow that the node gives the store up meanwhile, it is tried again.
  for (let attempt = 0; ; attempt++) {
    await direct.send('SET', `cold${attempt}`, 'x'.repeat(1000))
    const [before, known] = [await calls(direct, 'get'), counted()]
    // The store stands still until all have asked.
    behind.process.kill('SIGSTOP')
    const answers = clients.map(client => client.send('GET', `cold${attempt}`))
    while (counted() < known + 120) await sleep(1)
    behind.process.kill('SIGCONT')
    const given = new Set(await Promise.all(answers))
    if (given.size === 1 && given.has(value)) {
      t.is((await calls(direct, 'get')) - before, 1)
      return
    }
    t.true([...given].every(each => each === value || each.startsWith('-ERR the store')))
  }
})

fronted('what came of each route is counted', async t => {
  const behind = await redis(t)
  const routes = ['user:*,ttl=1h', 'shadow:*,mode=shadow', 'off:*,mode=off']
  const url = `redis://127.0.0.1:${behind.port}`
  const router = createRouter({ store: url, threads: 1, maxBytes: '64mb', routes })
  t.teardown(() => router.close())
  const client = await Raw.open(t, (await router.listen({ port: 0 })).port)
  for (const key of ['user:1', 'shadow:1', 'off:1']) {
    await client.send('HSET', key, 'field', 'value')
    for (let n = 0; n < 3; n++) {
      t.is(await client.send('HGETALL', key), '*2\r\n$5\r\nfield\r\n$5\r\nvalue\r\n')
    }
  }
  const of = (match: string) => router.stats().routes.find(each => each.match === match)
  while ((of('off:*')?.passed ?? 0) < 3) await sleep(1)
  const expected: [string, object][] = [
    ['user:*', { hits: 2, misses: 1, stored: 1, shadowed: 0 }],
    ['shadow:*', { hits: 0, misses: 1, stored: 1, shadowed: 2 }],
    ['off:*', { hits: 0, misses: 0, stored: 0, shadowed: 0, passed: 3 }],
    ['*', { hits: 0, misses: 0 }],
  ]
  for (const [match, counts] of expected) t.like(of(match), counts, match)
})
