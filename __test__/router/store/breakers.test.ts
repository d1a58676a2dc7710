// The breaker of a server behind a node: seen wherever a node tells of itself, and what goes on while it is open.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { createAdmin } from 'breakwater/admin'
import { metricsRoute } from 'breakwater/metrics'
import { createRouter, type RouterOptions, type StoreEvent } from 'breakwater/router'
import { ask } from '../../admin/support.ts'
import { folderOf } from '../../helpers/folders.ts'
import { Raw } from '../support.ts'
import { hasRedis, info, patientFront, replicaOf } from './support.ts'

const fronted = hasRedis ? test : test.skip
const LATE = '-ERR the store has not answered in time\r\n'

fronted(
  'its states are seen in stats(), INFO, the metrics, the admin entrance and onStore',
  async t => {
    t.timeout(120_000)
    const events: StoreEvent[] = []
    const { store, router, port, wait } = await patientFront(t, {
      breaker: { failures: 2, halfOpenAfter: '100ms' },
      onStore: event => void events.push(event),
    })
    const admin = createAdmin(router, {
      listen: `unix:${join(folderOf(t, 'admin'), 'admin.sock')}`,
    })
    t.teardown(() => admin.close())
    admin.mount(metricsRoute({ routers: [router] }))
    const entrance = await admin.listen()
    const [client, watch] = [await Raw.open(t, port), await Raw.open(t, port)]
    t.is(await client.send('SET', 'k', 'v'), '+OK\r\n')
    const ways: Record<string, () => Promise<string | undefined>> = {
      stats: async () => router.stats().upstream[0]!.breaker,
      INFO: async () =>
        /,breaker=([a-z-]+),/.exec((await info(watch, 'upstream', 'upstream0'))!)?.[1],
      admin: async () => (await ask(entrance, '/status')).json.stats.upstream[0]!.breaker,
      metrics: async () => {
        const { text } = await ask(entrance, '/metrics')
        return /^breakwater_node_store_breaker\{.*state="([a-z-]+)".*\} 1$/m.exec(text)?.[1]
      },
      onStore: async () => events.at(-1)?.breaker ?? 'closed',
    }
    /** Until each way has told of a state. */
    const seen = async (state: string) => {
      for (const [way, told] of Object.entries(ways)) {
        while ((await told()) !== state) await sleep(1)
        t.pass(`${way}: ${state}`)
      }
    }
    await seen('closed')
    store.process.kill('SIGSTOP')
    t.teardown(() => store.process.kill('SIGCONT'))
    await wait('300ms')
    const both = [client.send('GET', 'a'), watch.send('GET', 'b')]
    t.deepEqual(await Promise.all(both), [LATE, LATE])
    // It opens and is tried, again and again, as long as the store stands still.
    await seen('open')
    await seen('half-open')
    // What it is asked now may take as long as a machine that stalls.
    await wait('10m')
    store.process.kill('SIGCONT')
    await seen('closed')
    const { text } = await ask(entrance, '/metrics')
    t.regex(text, /^breakwater_node_store_breaker_opened_total\{.*\} 1$/m)
  },
)

fronted('an error is an answer, and without a breaker no failures close a server off', async t => {
  t.timeout(120_000)
  for (const breaker of [{ failures: 2, halfOpenAfter: '1h' }, false] as const) {
    const { store, router, port, wait } = await patientFront(t, { breaker })
    const client = await Raw.open(t, port)
    await client.send('SET', 'k', 'v')
    for (let n = 0; n < 10; n++) t.regex(await client.send('LPUSH', 'k', 'x'), /^-WRONGTYPE/)
    t.is(router.stats().upstream[0]!.opened, 0)
    store.process.kill('SIGSTOP')
    t.teardown(() => store.process.kill('SIGCONT'))
    await wait('50ms')
    for (let n = 0; n < 2; n++) t.is(await client.send('GET', `a${n}`), LATE)
    const said = await client.send('GET', 'b')
    const { opened, breaker: state } = router.stats().upstream[0]!
    if (breaker === false) {
      for (let n = 0; n < 30; n++) {
        t.regex(
          await client.send('GET', `c${n}`),
          /^-ERR the store (has not answered|at \S+ is unre)/,
        )
      }
      t.notRegex(said, /in a row/)
      t.deepEqual([router.stats().upstream[0]!.opened, state], [0, 'closed'])
    } else {
      t.regex(said, /unreachable: it has failed 2 times in a row, and is asked again in a while/)
      t.deepEqual([opened, state], [1, 'open'])
    }
  }
})

const LIBRARY = "#!lua name=l\nredis.register_function('spin', function() while true do end end)"

for (const [kill, run] of [
  ['SCRIPT KILL', ['EVAL', 'while true do end', '0']],
  ['FUNCTION KILL', ['FCALL', 'spin', '0']],
] as const) {
  fronted(`${kill} is heard though the breaker is open`, async t => {
    t.timeout(120_000)
    const { store, port, wait } = await patientFront(t, {
      breaker: { failures: 1, halfOpenAfter: '1h' },
    })
    const direct = await Raw.open(t, store.port)
    await direct.send('CONFIG', 'SET', 'busy-reply-threshold', '20')
    await direct.send('FUNCTION', 'LOAD', LIBRARY)
    const [runner, other] = [await Raw.open(t, port), await Raw.open(t, port)]
    for (const client of [runner, other]) t.is(await client.send('SET', 'k', 'v'), '+OK\r\n')
    await wait('200ms')
    t.is(await runner.send(...run), LATE)
    const refused = /unreachable: it has failed 1 times in a row/
    t.regex(await other.send('SET', 'k', 'w'), refused)
    t.regex(await other.send('GET', 'unread'), refused)
    await wait('10m')
    let said = ''
    while (!said.startsWith('+')) {
      said = await other.send(...kill.split(' '))
      await sleep(5)
    }
    t.is(said, '+OK\r\n')
    // Whose connection is made anew is there.
    while ((await other.send('SET', 'k', 'w')) !== '+OK\r\n') await sleep(5)
    t.is(await other.send('GET', 'k'), '$1\r\nw\r\n')
  })
}

fronted('in the place of a replica whose breaker is open another server is asked', async t => {
  t.timeout(120_000)
  const { store } = await patientFront(t, {}, ['--repl-diskless-sync-delay', '0'])
  const replica = await replicaOf(t, store)
  const [primary, copy] = [store, replica].map(({ port }) => `redis://127.0.0.1:${port}`)
  const options: RouterOptions = {
    threads: 1,
    maxBytes: '16mb',
    store: { url: primary!, replicas: [copy!] },
    readFrom: 'preferReplica',
    routes: ['*,mode=off'],
    breaker: { failures: 1, halfOpenAfter: '1h' },
  }
  const router = createRouter({ ...options, storeTimeout: '10m' })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const client = await Raw.open(t, port)
  t.is(await client.send('SET', 'k', 'v'), '+OK\r\n')
  const of = (role: string) => router.stats().upstream.find(one => one.role === role)!
  const reads = (role: string) => of(role).latency.read.count
  // Until the replica is read.
  while (reads('replica') === 0) t.is(await client.send('GET', 'k'), '$1\r\nv\r\n')
  replica.process.kill('SIGSTOP')
  t.teardown(() => replica.process.kill('SIGCONT'))
  // Long enough for the primary, which answers.
  await router.reload({ ...options, storeTimeout: '3s' })
  while (of('replica').breaker === 'closed') await client.send('GET', 'k')
  await router.reload({ ...options, storeTimeout: '10m' })
  const before = reads('primary')
  for (let n = 0; n < 20; n++) t.is(await client.send('GET', 'k'), '$1\r\nv\r\n')
  while (reads('primary') - before < 20) await sleep(5)
  t.is(of('primary').breaker, 'closed')
})
