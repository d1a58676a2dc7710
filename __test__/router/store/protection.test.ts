// What protects a store from the node's clients, and them from a store that does not keep up: through a
// real node, in front of a real Redis that is stopped.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { createRouter, type RouterOptions, type StoreEvent } from 'breakwater/router'
import { Raw, redis } from '../support.ts'
import { front, hasRedis, info, patientFront } from './support.ts'

const fronted = hasRedis ? test.serial : test.serial.skip

fronted(
  'a store that stands still is asked for few reads, others wait or are told, and hits go on',
  async t => {
    t.timeout(120_000)
    const bounds = ['--misses-max', '4', '--misses-queue', '8', '--misses-wait', '10m']
    const routes = ['--route', '*,ttl=1h', '--route', 'old:*,ttl=1ms,jitter=0,staleWhileBusy=1h']
    const times = ['--threads', '1', '--store-timeout', '10m']
    const { store, node } = await front(t, [...times, ...bounds, ...routes])
    const client = await Raw.open(t, node.port)
    await client.send('MSET', 'warm', 'v', 'old:k', 'before')
    for (const key of ['warm', 'old:k']) await client.send('GET', key)
    await sleep(5)
    store.process.kill('SIGSTOP')
    t.teardown(() => store.process.kill('SIGCONT'))
    const others = await Promise.all(Array.from({ length: 14 }, () => Raw.open(t, node.port)))
    const told: string[] = []
    const all = others.map(async (other, at) => {
      told.push(await other.send('GET', `cold:${at}`))
    })
    while (told.length < 2) await sleep(5)
    const busy =
      `-BUSY the store at 127.0.0.1:${store.port} is asked for as many reads as it may be, and 8 ` +
      'wait: this one was not sent\r\n'
    t.deepEqual(told, [busy, busy])
    t.is(await client.send('GET', 'warm'), '$1\r\nv\r\n')
    t.is(await client.send('GET', 'old:k'), '$6\r\nbefore\r\n', 'beyond its time')
    store.process.kill('SIGCONT')
    await Promise.all(all)
    t.deepEqual(told.slice(2), Array(12).fill('$-1\r\n'))
    const seen = await info(client, 'upstream', 'upstream0')
    t.regex(seen ?? '', /,misses=0,waiting_misses=0,turned_away=2(,|$)/)
    t.is(await info(client, 'load', 'stale_given_busy'), '1')
  },
)

fronted(
  'a store that does not answer is not asked any more, and is when it answers again',
  async t => {
    t.timeout(120_000)
    const events: StoreEvent[] = []
    const { store, router, port, wait } = await patientFront(t, {
      breaker: { failures: 3, halfOpenAfter: '100ms' },
      routes: ['old:*,ttl=1ms,jitter=0,staleIfError=1h'],
      onStore: event => void events.push(event),
    })
    const clients = await Promise.all([1, 2, 3].map(() => Raw.open(t, port)))
    const [client] = clients
    await client!.send('SET', 'old:k', 'before')
    t.is(await client!.send('GET', 'old:k'), '$6\r\nbefore\r\n')
    await sleep(5)
    store.process.kill('SIGSTOP')
    t.teardown(() => store.process.kill('SIGCONT'))
    // Until now it might take as long as a machine that stalls.
    await wait('300ms')
    const asked = await Promise.all(clients.map((each, at) => each.send('GET', `cold:${at}`)))
    t.deepEqual(asked, Array(3).fill('-ERR the store has not answered in time\r\n'))
    const why =
      `-ERR the store at 127.0.0.1:${store.port} is unreachable: ` +
      'it has failed 3 times in a row, and is asked again in a while\r\n'
    t.is(await client!.send('SET', 'k', 'v'), why)
    t.is(await client!.send('GET', 'old:k'), '$6\r\nbefore\r\n', 'beyond its time')
    const [seen] = router.stats().upstream
    t.true(seen!.breaker !== 'closed' && seen!.opened === 1, seen!.breaker)
    t.is(router.stats().staleGiven.open, 1)
    await wait('10m')
    store.process.kill('SIGCONT')
    while ((await client!.send('SET', 'k', 'v')) !== '+OK\r\n') await sleep(5)
    while (events.at(-1)?.breaker !== 'closed') await sleep(5)
    t.is(events[0]!.address, `127.0.0.1:${store.port}`)
    t.not(events[0]!.breaker, 'closed')
    t.is(router.stats().upstream[0]!.breaker, 'closed')
  },
)

test('options of protection that cannot be are refused, each by its name', t => {
  const store = 'redis://127.0.0.1:1'
  const wrong: [RouterOptions, RegExp][] = [
    [{ store, misses: 5 as never }, /^misses must be an object/],
    [{ store, misses: { most: 5 } as never }, /misses\.most/],
    [{ store, misses: { max: 0 } }, /^misses\.max must be a whole number from 1 to 1000000/],
    [{ store, misses: { queue: 1.5 } }, /^misses\.queue must be a whole number/],
    [{ store, misses: { wait: '2h' } }, /^misses\.wait must be a duration of an hour at the most/],
    [{ misses: {} }, /misses.*no store/],
    [{ store, breaker: true as never }, /^breaker must be an object.*or false/],
    [{ store, breaker: null as never }, /^breaker must be an object.*or false/],
    [{ store, breaker: { failures: 0 } }, /^breaker\.failures must be a whole number/],
    [{ store, breaker: { halfOpenAfter: '-1s' as never } }, /^breaker\.halfOpenAfter/],
    [{ breaker: false }, /breaker.*no store/],
    [{ store, storeRetry: 0 }, /^storeRetry must be/],
    [{ store, storeRetry: '2d' }, /^storeRetry must be a duration of a day at the most/],
    [{ storeRetry: '1s' }, /storeRetry.*no store/],
    [{ store, onStore: 'log' as never }, /^onStore must be a function/],
    [{ onStore: () => {} }, /onStore.*no store/],
    [{ maxBuffers: 'much' as never }, /^maxBuffers must be/],
    [{ connections: 5 as never }, /^connections must be an object/],
    [{ connections: { perSecond: 0 } }, /^connections\.perSecond must be a whole number from 1/],
    [{ connections: { handshakes: 0.5 } }, /^connections\.handshakes must be a whole number/],
    [{ connections: {}, driver: 'net' }, /connections.*driver 'net'/],
    [{ store, routes: ['*,staleWhileBusy=soon'] }, /^routes\[0\]\.staleWhileBusy/],
  ]
  for (const [options, message] of wrong) {
    t.throws(() => createRouter(options), { message }, JSON.stringify(options))
  }
})

for (const storeRetry of ['10m', undefined] as const) {
  const heard = storeRetry ? /^\$-1\r\n$/ : /^-ERR the store at \S+ is unreachable: /
  fronted(
    `a read that is lost with its connection is ${storeRetry ? 'asked again' : 'told at once'}, and a write is told`,
    async t => {
      t.timeout(120_000)
      const store = await redis(t)
      const router = createRouter({
        threads: 2,
        maxBytes: '16mb',
        store: `redis://127.0.0.1:${store.port}`,
        storeTimeout: '10m',
        storeRetry,
      })
      t.teardown(() => router.close())
      const { port } = await router.listen({ port: 0 })
      const clients = await Promise.all(Array.from({ length: 6 }, () => Raw.open(t, port)))
      for (const client of clients) t.is(await client.send('SET', 'open', 'v'), '+OK\r\n')
      const underWay = () => router.stats().upstream[0]!.inFlight
      while (underWay() > 0) await sleep(5)
      store.process.kill('SIGSTOP')
      const [writer, ...readers] = clients
      const written = writer!.send('INCR', 'n')
      const read = Promise.all(readers.map(client => client.send('GET', 'k')))
      while (underWay() < 2) await sleep(5)
      store.process.kill('SIGKILL')
      t.regex(await written, /^-ERR the store at \S+ is unreachable: /)
      // Whoever asks now waits for the store, or is told.
      const later = writer!.send('GET', 'n')
      if (!storeRetry) t.regex(await later, heard)
      await redis(t, '--port', `${store.port}`)
      for (const reply of await read) t.regex(reply, heard)
      t.regex(await later, heard, 'the write was not done again')
    },
  )
}
