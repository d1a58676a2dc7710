// What a node sees of itself: how long requests take, what waits, what went wrong, and who did what.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type LatencyStats, type RouterOptions } from 'breakwater/router'
import { Authority } from '../helpers/certificates.ts'
import { hasRedis } from './store/support.ts'
import { encode, Raw, redis, tlsWay } from './support.ts'

const fronted = hasRedis ? test : test.skip

async function until(isTrue: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await isTrue())) await sleep(5)
}

async function opened(t: ExecutionContext, options: RouterOptions) {
  const router = createRouter({ maxBytes: '16mb', ...options })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  return { router, port }
}

const sum = (counts: number[]) => counts.reduce((sum, count) => sum + count, 0)

/** Latencies that are consistent in themselves. */
function sound(t: ExecutionContext, of: LatencyStats, least: number) {
  t.true(of.count >= least, `${of.count} of ${least}`)
  t.is(sum(of.buckets), of.count)
  t.is(of.buckets.length, 28)
  const quantiles = [of.p50!, of.p90!, of.p99!, of.p999!]
  t.deepEqual(
    quantiles,
    [...quantiles].sort((a, b) => a - b),
  )
  t.true(of.p50! > 0 && of.sum > 0)
}

for (const driver of ['native', 'net'] as const) {
  test(`a node with a store of its own: requests and latencies by class, by ${driver}`, async t => {
    t.timeout(120_000)
    const { router, port } = await opened(t, { threads: 1, driver })
    const client = await Raw.open(t, port)
    for (let n = 0; n < 30; n++) await client.send('SET', `k${n}`, 'v')
    for (let n = 0; n < 40; n++) await client.send('GET', `k${n}`)
    await client.send('PING')
    await until(() => router.stats().requests.other > 0)
    const { requests, latency, cold, threads, imbalance } = router.stats()
    t.is(requests.write, 30)
    t.is(requests.read, 40)
    sound(t, latency.write, 30)
    sound(t, latency.read, 40)
    sound(t, latency.other, 1)
    t.deepEqual(cold, { hits: 30, misses: 10 })
    t.is(sum(threads.map(({ requests }) => requests)), sum(Object.values(requests)))
    t.is(imbalance.threads, 1)
    const load = await client.send('INFO', 'load')
    t.regex(load, /requests_read:40\r\nrequests_write:30\r\n/)
    const text = await client.send('INFO', 'latency')
    t.regex(text, /latency_percentiles_usec_answered_read:p50=[\d.]+,p99=[\d.]+,p99\.9=[\d.]+\r\n/)
  })
}

test('errors are counted, and the most that one client has got', async t => {
  t.timeout(120_000)
  const { router, port } = await opened(t, { threads: 1 })
  const [one, other] = [await Raw.open(t, port), await Raw.open(t, port)]
  for (let n = 0; n < 3; n++) await one.send('NOSUCH')
  await other.send('GET')
  t.is(router.stats().errors, 4)
  t.is(router.stats().errorsOfOne, 3)
  t.regex(
    await other.send('INFO', 'load'),
    /total_error_replies:4\r\nerror_replies_of_one_client:3\r/,
  )
})

test('handshakes with clients are counted, and those that fail', async t => {
  t.timeout(120_000)
  const ca = new Authority()
  const tls = ca.sign()
  const { router, port } = await opened(t, { threads: 1, driver: 'native', tls })
  await Raw.open(t, port, tlsWay(ca))
  const wrong = await Raw.open(t, port)
  wrong.write(Buffer.from('PING\r\n'))
  await until(() => router.stats().handshakesFailed === 1)
  t.is(router.stats().handshakes, 1)
})

fronted(
  'in front of a store: latencies of it by class, and reads that wait for each other',
  async t => {
    t.timeout(180_000)
    const store = await redis(t)
    const url = `redis://127.0.0.1:${store.port}`
    const options = { threads: 2, store: url, storeTimeout: '10m' } as const
    const { router, port } = await opened(t, options)
    const direct = await Raw.open(t, store.port)
    await direct.send('SET', 'k', 'v')
    const clients = await Promise.all(Array.from({ length: 24 }, () => Raw.open(t, port)))
    // Each thread has met the store.
    for (const client of clients) {
      await client.send('SET', 'other', 'v')
      await client.send('GET', 'other')
    }
    const asked = () => {
      const { misses, joined } = router.stats().routes[0]!
      return misses + joined
    }
    const before = asked()
    const { upstream: earlier } = router.stats()
    store.process.kill('SIGSTOP')
    t.teardown(() => store.process.kill('SIGCONT'))
    const reads = clients.map(client => client.send('GET', 'k'))
    // All of them wait, in whichever thread.
    await until(() => asked() - before === clients.length)
    store.process.kill('SIGCONT')
    t.deepEqual(new Set(await Promise.all(reads)), new Set(['$1\r\nv\r\n']))
    await until(() => router.stats().waited.count === 23)
    const { herds, largestHerd, waited, latency, upstream, threads } = router.stats()
    t.is(herds, 1)
    t.is(largestHerd, 23)
    sound(t, waited, 23)
    sound(t, upstream[0]!.latency.write, 24)
    const { count } = upstream[0]!.latency.read
    t.is(count - earlier[0]!.latency.read.count, 1, 'the store was asked once')
    await clients[0]!.send('GET', 'k')
    await until(() => router.stats().latency.read.count > latency.read.count)
    t.true(threads.length >= 1 && threads.length <= 2)
    const { cold, routes } = router.stats()
    t.deepEqual(cold, { hits: routes[0]!.hits, misses: asked() })
    const text = await clients[0]!.send('INFO', 'latency')
    for (const name of ['waited', 'answered_read', 'upstream0_read', 'upstream0_write']) {
      t.regex(text, new RegExp(`^latency_percentiles_usec_${name}:p50=`, 'm'))
    }
  },
)

fronted('replies beyond their time are counted by the reason why they were given', async t => {
  t.timeout(180_000)
  const store = await redis(t)
  const { router, port } = await opened(t, {
    threads: 1,
    store: `redis://127.0.0.1:${store.port}`,
    routes: ['*,ttl=1ms,staleIfError=10m,jitter=0'],
  })
  const client = await Raw.open(t, port)
  await client.send('SET', 'k', 'v')
  await client.send('GET', 'k')
  await store.stop('SIGKILL')
  await until(() => router.stats().upstream[0]!.state === 'down')
  await until(async () => (await client.send('GET', 'k')) === '$1\r\nv\r\n')
  await until(() => sum(Object.values(router.stats().staleGiven)) > 0)
  const { staleGiven, routes } = router.stats()
  t.is(sum(Object.values(staleGiven)), routes[0]!.staleGiven)
})

test('threads that take the place of others go on with their counts', async t => {
  t.timeout(180_000)
  const { router, port } = await opened(t, { threads: 2 })
  const ask = async () => {
    const client = await Raw.open(t, port)
    await client.send('SET', 'k', 'v')
    client.socket.destroy()
  }
  for (let n = 0; n < 10; n++) await ask()
  for (let n = 0; n < 3; n++) await router.restart()
  for (let n = 0; n < 10; n++) await ask()
  await until(() => router.stats().requests.write === 20)
  const { threads, requests } = router.stats()
  // An old thread may still end while the new one serves.
  t.true(threads.length <= 4, `${threads.length}`)
  t.is(sum(threads.map(({ requests }) => requests)), sum(Object.values(requests)))
})

test('a key that is read most has its share of the reads', async t => {
  t.timeout(180_000)
  const { router, port } = await opened(t, { threads: 1 })
  const client = await Raw.open(t, port)
  for (let n = 0; n < 200; n++) await client.send('SET', `k${n}`, 'v')
  const pipeline = Array.from({ length: 400 }, (_, n) =>
    encode(['GET', n % 2 ? 'k0' : `k${n % 200}`]),
  )
  await until(async () => {
    client.write(Buffer.concat(pipeline))
    await client.send('PING')
    const { top1, top10, top100 } = router.stats().skew
    t.true(top1 <= top10 && top10 <= top100 && top100 <= 1)
    return top1 > 0.25 && top100 > 0.5
  })
  t.pass()
})
