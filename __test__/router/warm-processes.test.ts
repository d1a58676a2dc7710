// A worker that is a process begins with what another one has read most: after a restart and after a crash
// its first clients find it in memory, and what changes meanwhile is not given to them as it was.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { RouterOptions } from 'breakwater/router'
import { Redis } from 'ioredis'
import { calls, hasRedis, info, startProcesses } from './store/support.ts'
import { Raw } from './support.ts'

const fronted = hasRedis ? test : test.skip
const KEYS = 500

async function until(condition: () => boolean | Promise<boolean>) {
  while (!(await condition())) await sleep(5)
}

/** A client of each of the processes that serve, by the numbers of their processes. */
async function clientsOf(t: ExecutionContext, port: number, processes: readonly number[]) {
  const clients = new Map<number, Raw>()
  while (processes.some(pid => !clients.has(pid))) {
    const client = await Raw.open(t, port)
    clients.set(Number(await info(client, 'node', 'node_process_id')), client)
  }
  return clients
}

/** Two processes that have read all keys of a store, or so many of them; it is asked directly as well. */
async function warmed(t: ExecutionContext, options: RouterOptions = {}, warm = 2) {
  const started = await startProcesses(t, options)
  const direct = await Raw.open(t, started.behind.port)
  const keys = Array.from({ length: KEYS }, (_, at) => `key:${at}`)
  await direct.send('MSET', ...keys.flatMap(key => [key, key]))
  const readBy = async (client: Raw) => {
    for (const key of keys) {
      t.is(await client.send('GET', key), `$${key.length}\r\n${key}\r\n`)
    }
  }
  const clients = await clientsOf(t, started.port, started.processes())
  for (const client of [...clients.values()].slice(0, warm)) await readBy(client)
  /** How often the store is asked for the first 1,000 reads of a process. */
  const cold = async (process: number) => {
    const client = (await clientsOf(t, started.port, [process])).get(process)!
    const before = await calls(direct, 'get')
    await readBy(client)
    await readBy(client)
    return (await calls(direct, 'get')) - before
  }
  return { ...started, direct, keys, cold }
}

fronted('what was read is in memory after a restart of all processes', async t => {
  const { router, processes, cold } = await warmed(t)
  const before = processes()
  for (let round = 1; round <= 2; round++) {
    await router.restart()
    t.false(processes().some(pid => before.includes(pid)))
    for (const pid of processes()) t.true((await cold(pid)) <= 50, `round ${round}`)
    await until(() => router.stats().routes[0]!.warmed >= 2 * KEYS * round)
  }
})

/** Numbers below `count`, low ones more often by Zipf's law, the same ones each time. */
function zipf(count: number) {
  const sums: number[] = []
  for (let n = 1; n <= count; n++) sums.push((sums.at(-1) ?? 0) + 1 / n)
  let seed = 1
  return () => {
    seed = (seed * 48271) % 2147483647
    const drawn = (seed / 2147483647) * sums.at(-1)!
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! < drawn) low = middle + 1
      else high = middle
    }
    return low
  }
}

for (const maxBytes of ['1mb', '2mb', '4mb']) {
  fronted(
    `after restarts the first reads hit as before, in ${maxBytes} for more than fits`,
    async t => {
      const { router, port, behind } = await startProcesses(t, { workers: 1, maxBytes })
      const direct = await Raw.open(t, behind.port)
      const [count, draw] = [30_000, zipf(30_000)]
      const value = 'v'.repeat(100)
      for (let at = 0; at < count; at += 1000) {
        const pairs = Array.from({ length: 1000 }, (_, n) => [`key:${at + n}`, value])
        await direct.send('MSET', ...pairs.flat())
      }
      await direct.send('GET', 'key:0')
      /** The share of so many reads that the store does not see. */
      const hits = async (reads: number) => {
        const client = new Redis(port)
        const before = await calls(direct, 'get')
        for (let at = 0; at < reads; at += 500) {
          const pipeline = client.pipeline()
          for (let n = 0; n < 500; n++) pipeline.get(`key:${draw()}`)
          await pipeline.exec()
        }
        client.disconnect()
        return 1 - ((await calls(direct, 'get')) - before) / reads
      }
      await hits(60_000)
      // A thousand reads alone are a sample by which chance decides.
      let [before, after] = [0, 0]
      for (let round = 0; round < 5; round++) {
        before += await hits(5000)
        await router.restart()
        after += await hits(1000)
      }
      t.true(before > 0.5 * 5 && before < 0.95 * 5, `${before / 5}`)
      t.true(after >= 0.95 * before, `${after / 5} after ${before / 5}`)
      t.log(`${(before / 5).toFixed(3)}, then ${(after / 5).toFixed(3)}`)
    },
  )
}

fronted('one that takes the place of one that was killed begins with what another has', async t => {
  const { router, processes, cold } = await warmed(t)
  const [victim, other] = processes() as [number, number]
  process.kill(victim, 'SIGKILL')
  await until(() => router.stats().replaced === 1 && processes().length === 2)
  const [heir] = processes().filter(pid => pid !== other) as [number]
  t.true((await cold(heir)) <= 50)
})

fronted(
  'one in the place of a process that has read nothing begins with what another has',
  async t => {
    const { router, processes, cold } = await warmed(t, {}, 1)
    await until(() => router.stats().entries >= KEYS)
    await router.restart()
    for (const pid of processes()) t.true((await cold(pid)) <= 50)
  },
)

fronted('one that is missing serves before it has read all, and reads on', async t => {
  const { router, behind, processes, cold } = await warmed(t, { storeTimeout: '1h' })
  const [victim, other] = processes() as [number, number]
  behind.process.kill('SIGSTOP')
  process.kill(victim, 'SIGKILL')
  await until(() => router.stats().replaced === 1 && processes().length === 2)
  const [heir] = processes().filter(pid => pid !== other) as [number]
  // It has asked, and has been answered nothing.
  t.true(router.stats().routes[0]!.warmed < KEYS)
  behind.process.kill('SIGCONT')
  await until(() => router.stats().routes[0]!.warmed >= KEYS)
  t.true((await cold(heir)) <= 50)
})

fronted('what was read is in memory after all processes were killed at once', async t => {
  const { router, processes, direct, cold, keys } = await warmed(t)
  // One of them is asked now and then what it reads most: when, nobody sees. So they live longer each time,
  // in the end for longer than the minute in which one is asked.
  for (let [deaths, life, missed] = [0, 1000, keys.length]; missed > 50; life *= 2) {
    await sleep(life)
    const killed = processes()
    const before = await calls(direct, 'get')
    for (const pid of killed) process.kill(pid, 'SIGKILL')
    deaths += killed.length
    await until(() => router.stats().replaced === deaths && processes().length === 2)
    t.false(processes().some(pid => killed.includes(pid)))
    // They serve before they have read all, and read on for five seconds at the most.
    const patience = Date.now() + 6000
    const goal = before + 2 * keys.length
    await until(async () => Date.now() > patience || (await calls(direct, 'get')) >= goal)
    const all = []
    for (const pid of processes()) all.push(await cold(pid))
    missed = Math.max(...all)
  }
  t.pass()
})

fronted('one more process begins with what another has', async t => {
  const { router, given, processes, cold } = await warmed(t)
  const before = processes()
  await router.reload({ ...given, workers: 3 })
  const [third] = processes().filter(pid => !before.includes(pid)) as [number]
  t.true((await cold(third)) <= 50)
})

fronted('what changes while processes begin is not given as it was', async t => {
  const { router, port, processes, direct, keys } = await warmed(t)
  const hot = keys.slice(0, 20)
  let [last, stopped] = [0, false]
  await direct.send('MSET', ...hot.flatMap(key => [key, '0']))
  const writes = (async () => {
    while (!stopped) {
      last++
      for (const key of hot) await direct.send('SET', key, `${last}`)
    }
  })()
  // No reply is older than the one before it.
  const reads = (async () => {
    const newest = new Map<string, number>()
    for (let client = await Raw.open(t, port); !stopped; ) {
      for (const key of hot) {
        const reply = await client.send('GET', key)
        if (reply === '') {
          client = await Raw.open(t, port)
          newest.clear()
          continue
        }
        const value = Number(reply.split('\r\n')[1])
        t.true(value >= (newest.get(key) ?? 0), `${key}: ${value} after ${newest.get(key)}`)
        newest.set(key, value)
      }
    }
  })()
  for (let round = 0; round < 3; round++) await router.restart()
  stopped = true
  await Promise.all([writes, reads])
  // What nobody had told them of would stay.
  for (const client of (await clientsOf(t, port, processes())).values()) {
    for (const key of hot) {
      await until(
        async () => (await client.send('GET', key)) === `$${`${last}`.length}\r\n${last}\r\n`,
      )
    }
  }
})

fronted('a store that is not there holds up no restart', async t => {
  const { router, processes, behind, port } = await warmed(t, { storeTimeout: '2s' })
  const before = processes()
  await behind.stop()
  await router.restart()
  t.false(processes().some(pid => before.includes(pid)))
  for (const client of (await clientsOf(t, port, processes())).values()) {
    t.is(await client.send('PING'), '+PONG\r\n')
  }
})
