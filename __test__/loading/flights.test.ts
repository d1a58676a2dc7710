import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Cache, json } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { start } from '../helpers/worker.ts'

test('callers of one key share one load', async t => {
  let loads = 0
  const cache = new Cache({
    max: 100,
    loader: async (key: string) => {
      loads++
      await turn()
      return `value of ${key}`
    },
  })
  const all = await Promise.all(Array.from({ length: 100 }, () => cache.fetch('a')))
  t.deepEqual(new Set(all), new Set(['value of a']))
  t.is(loads, 1)
  t.is(cache.fetchSync('a'), 'value of a')
})

test('1,000 callers in four threads share one load, in 1,000 rounds', async t => {
  t.timeout(120_000)
  const rounds = 1_000
  const cache = new Cache({ name: 'rounds', max: 10_000, codec: json<{ n: string }>() })
  const loads = new Int32Array(new SharedArrayBuffer(4 * rounds))
  const gate = new Int32Array(new SharedArrayBuffer(8))
  const workers = Array.from({ length: 4 }, () =>
    start(
      async ({ breakwater, data, port }) => {
        const { loads, gate, rounds } = data
        const cache = new breakwater.Cache({
          name: 'rounds',
          codec: breakwater.json<{ n: string }>(),
          loader: async (key: string) => {
            Atomics.add(loads, Number(key), 1)
            await new Promise(resolve => setImmediate(resolve))
            return { n: key }
          },
        })
        let wrong = 0
        for (let round = 0; round < rounds; round++) {
          // All begin at once.
          if (Atomics.add(gate, 0, 1) === 4 * round + 3) {
            Atomics.store(gate, 1, round + 1)
            Atomics.notify(gate, 1)
          }
          while (Atomics.load(gate, 1) <= round) Atomics.wait(gate, 1, round, 1)
          const all = await Promise.all(
            Array.from({ length: 250 }, () => cache.fetch(String(round))),
          )
          for (const value of all) if (value?.n !== String(round)) wrong++
        }
        cache.close()
        void port
        return wrong
      },
      { loads, gate, rounds },
    ),
  )
  const results = await Promise.all(
    workers.map(async worker => {
      const [message] = await once(worker, 'message')
      return message
    }),
  )
  t.deepEqual(results, Array(4).fill({ value: 0 }))
  t.true(
    loads.every(n => n === 1),
    `${loads.filter(n => n !== 1).length} rounds loaded more than once`,
  )
  cache.close()
})

test('a load whose thread ends is done by another thread', async t => {
  t.timeout(120_000)
  const name = 'heirs'
  const loads = new Int32Array(new SharedArrayBuffer(4))
  const cache = new Cache<string, string>({
    name,
    max: 100,
    loader: async key => {
      Atomics.add(loads, 0, 1)
      return `main's value of ${key}`
    },
  })
  for (let round = 0; round < 8; round++) {
    Atomics.store(loads, 0, 0)
    const key = `key ${round}`
    const leader = start(
      ({ breakwater, data, port }) => {
        const cache = new breakwater.Cache({
          name: data.name,
          loader: () => {
            Atomics.add(data.loads, 0, 1)
            port.postMessage('loading')
            return new Promise<string>(() => {})
          },
        })
        void cache.fetch(data.key)
        return new Promise(() => setInterval(() => {}, 1000))
      },
      { name, loads, key },
    )
    await once(leader, 'message')
    const all = Promise.all(Array.from({ length: 250 }, () => cache.fetch(key)))
    await turn()
    await leader.terminate()
    t.deepEqual(new Set(await all), new Set([`main's value of ${key}`]))
    t.is(Atomics.load(loads, 0), 2)
  }
  cache.close()
})

test('a load that is overdue is taken over once, though all who wait lose patience with it', async t => {
  const clock = new ManualClock()
  const loads: { by: string; end(value: string): void }[] = []
  const open = (by: string) =>
    new Cache<string, string>({
      name: 'patience',
      max: 10,
      clock,
      lockTimeout: '10s',
      loader: () => new Promise(resolve => loads.push({ by, end: resolve })),
    })
  const caches = ['a', 'b', 'c', 'd'].map(open)
  const all = caches.map(cache => cache.fetch('key'))
  for (const leaders of ['ab', 'abc', 'abcd', 'abcda']) {
    clock.advance('10s')
    // Until mail has been read.
    for (let i = 0; i < 3; i++) await turn()
    t.is(loads.map(load => load.by).join(''), leaders)
  }
  loads[2]!.end('late')
  await turn()
  t.is(caches[0]!.get('key'), undefined)
  loads[4]!.end('value')
  t.deepEqual(await Promise.all(all), ['value', 'value', 'late', 'value'])
  t.is(caches[0]!.get('key'), 'value')
  for (const cache of caches) cache.close()
})

test('a process lives while somebody waits for another thread, and ends when nobody does', async t => {
  const body = ({
    breakwater,
    data,
  }: {
    breakwater: typeof import('../../src/index.ts')
    data: string
  }) => {
    const cache = new breakwater.Cache<string, string>({ name: data })
    return cache.fetch('key', { loader: () => 'mine' })
  }
  const name = 'alive'
  let land = (_value: string) => {}
  const cache = new Cache<string, string>({ name, max: 10 })
  const loaded = cache.fetch('key', {
    loader: () => new Promise<string>(resolve => (land = resolve)),
  })
  const worker = start(body, name)
  const answer = once(worker, 'message')
  const end = once(worker, 'exit')
  // Long enough for a worker that nothing keeps alive to end.
  const early = await Promise.race([end, new Promise(resolve => setTimeout(resolve, 300, 'alive'))])
  t.is(early, 'alive')
  land('theirs')
  t.is(await loaded, 'theirs')
  t.deepEqual((await answer)[0], { value: 'theirs' })
  await end
  t.pass()
})
