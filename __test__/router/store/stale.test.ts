// Replies beyond their time: given for each of the reasons that a route allows, counted by it, and never
// where it does not allow it.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { createAdmin } from 'breakwater/admin'
import { metricsRoute } from 'breakwater/metrics'
import { ask } from '../../admin/support.ts'
import { Raw } from '../support.ts'
import { hasRedis, info, patientFront } from './support.ts'

const fronted = hasRedis ? test : test.skip
const OLD = '$3\r\nold\r\n'
/** What each route allows beyond the end of a reply, which comes at once. */
const SHORT = 'ttl=1ms,jitter=0'
const routes = [
  `both:*,${SHORT},staleIfError=1h`,
  `busy:*,${SHORT},staleWhileBusy=1h`,
  `error:*,${SHORT},staleIfError=1h,staleWhileBusy=1ms`,
  `none:*,${SHORT}`,
]

fronted('each route says for which reasons, and each reason is counted', async t => {
  t.timeout(120_000)
  const given = {
    routes,
    misses: { max: 1, queue: 1 },
    breaker: { failures: 4, halfOpenAfter: '1h' },
  }
  const { store, router, port, wait } = await patientFront(t, given as never)
  const admin = createAdmin(router, { listen: '127.0.0.1:0' })
  t.teardown(() => admin.close())
  admin.mount(metricsRoute({ routers: [router] }))
  const entrance = await admin.listen()
  const open = () => Raw.open(t, port)
  const client = await open()
  const of = (phase: string) => ['both', 'busy', 'error', 'none'].map(route => `${route}:${phase}`)
  for (const key of ['busy', 'failed', 'open'].flatMap(of)) {
    await client.send('SET', key, 'old')
    t.is(await client.send('GET', key), OLD)
  }
  await sleep(5)
  /** What each key gives now; of a client of its own, since some wait. */
  const gives = async (...these: string[]) => {
    const said = these.map(async key => (await open()).send('GET', key))
    return Promise.all(said)
  }
  store.process.kill('SIGSTOP')
  t.teardown(() => store.process.kill('SIGCONT'))
  // One read is asked, one waits: there is no room for more.
  const fill = [(await open()).send('GET', 'x'), (await open()).send('GET', 'y')]
  while (router.stats().upstream[0]!.waitingMisses < 1) await sleep(5)
  const busy = await gives(...of('busy'))
  t.deepEqual(busy.slice(0, 2), [OLD, OLD])
  for (const reply of busy.slice(2)) t.regex(reply, /^-BUSY the store at /)
  t.like(router.stats().staleGiven, { busy: 2, failed: 0, open: 0, unreachable: 0 })
  store.process.kill('SIGCONT')
  t.deepEqual(await Promise.all(fill), ['$-1\r\n', '$-1\r\n'])
  while (router.stats().upstream[0]!.misses > 0) await sleep(5)

  store.process.kill('SIGSTOP')
  await wait('200ms')
  const late = '-ERR the store has not answered in time\r\n'
  const failed: string[] = []
  for (const key of of('failed')) failed.push(...(await gives(key)))
  t.deepEqual(failed, [OLD, late, OLD, late])
  t.like(router.stats().staleGiven, { busy: 2, failed: 2, open: 0, unreachable: 0 })

  // Four have failed: it is not asked any more.
  t.is(router.stats().upstream[0]!.breaker, 'open')
  const opened = await gives(...of('open'))
  t.deepEqual([opened[0], opened[2]], [OLD, OLD])
  for (const at of [1, 3]) t.regex(opened[at]!, /unreachable: it has failed 4 times in a row/)
  t.like(router.stats().staleGiven, { busy: 2, failed: 2, open: 2, unreachable: 0 })
  const text = (await ask(entrance, '/metrics')).text
  for (const [reason, count] of [
    ['busy', 2],
    ['failed', 2],
    ['open', 2],
    ['unreachable', 0],
  ] as const) {
    t.is(await info(client, 'load', `stale_given_${reason}`), `${count}`)
    t.regex(
      text,
      new RegExp(`^breakwater_node_stale_given_total\\{.*reason="${reason}".*\\} ${count}$`, 'm'),
    )
  }
})

fronted('while the store is away, what may be given is, and what must be exact is not', async t => {
  t.timeout(120_000)
  const { store, port } = await patientFront(t, { routes, breaker: false })
  const [client, exact] = [await Raw.open(t, port), await Raw.open(t, port)]
  t.is(await exact.send('BW', 'READCONCERN', 'consistent'), '+OK\r\n')
  for (const key of ['both:k', 'busy:k']) {
    await client.send('SET', key, 'old')
    t.is(await client.send('GET', key), OLD)
  }
  await store.stop('SIGKILL')
  while ((await client.send('GET', 'both:k')) !== OLD) await sleep(5)
  const away = /^-ERR the store at \S+ is unreachable: /
  t.regex(await client.send('GET', 'busy:k'), away, 'its route speaks of a busy store alone')
  t.regex(await exact.send('GET', 'both:k'), away)
  t.is(await client.send('GET', 'both:k'), OLD)
})
