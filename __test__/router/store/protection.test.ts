// What protects a store from the node's clients, and them from a store that does not keep up: through a
// real node, in front of a real Redis that is stopped.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { Raw } from '../support.ts'
import { front, hasRedis, info } from './support.ts'

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
