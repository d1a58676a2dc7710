// A node that the system gives no descriptor for another client: nobody waits for one that may never come.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { ask } from '../admin/support.ts'
import { Authority } from '../helpers/certificates.ts'
import { folderOf } from '../helpers/folders.ts'
import { installed, PLAIN, Raw, redis, serve, tlsWay } from './support.ts'

const bounded = existsSync('/usr/bin/prlimit') ? test : test.skip

for (const driver of ['native', 'net']) {
  bounded(
    `${driver}: clients without a descriptor are turned away at once, and all others served`,
    async t => {
      t.timeout(120_000)
      const node = await serve(t, '--threads', '1', '--driver', driver)
      const pid = `${node.process.pid}`
      const limit = (most: number) => execFileSync('prlimit', ['--pid', pid, `--nofile=${most}:`])
      const first = await Raw.open(t, node.port)
      t.is(await first.send('PING'), '+PONG\r\n')
      // Ten numbers are left that none has.
      const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
      let most = 0
      for (let free = 0; free < 10; most++) if (!taken.has(most)) free++
      limit(most)
      const crowd = await Promise.all(Array.from({ length: 60 }, () => Raw.open(t, node.port)))
      const said = await Promise.all(crowd.map(client => client.send('PING')))
      const served = said.filter(text => text === '+PONG\r\n').length
      t.true(served > 0 && served < 60, `${served}`)
      for (const text of said)
        t.regex(text, /^(\+PONG\r\n|-ERR max number of clients reached\r\n|)$/)
      t.is(await first.send('PING'), '+PONG\r\n')
      for (const { socket } of crowd) socket.destroy()
      limit(4096)
      // Those who had one give it back.
      let answer = ''
      while (answer !== '+PONG\r\n') answer = await (await Raw.open(t, node.port)).send('PING')
    },
  )
}

const apart = installed('redis-server') ? bounded : test.skip

apart('clients of a node whose workers cannot be started are hung up on', async t => {
  t.timeout(120_000)
  const admin = `unix:${join(folderOf(t, 'descriptors'), 'admin.sock')}`
  const store = ['--store', `redis://127.0.0.1:${(await redis(t)).port}`]
  const own = ['--mode', 'processes', '--workers', '1', '--admin', admin]
  const node = await serve(t, ...own, ...store)
  const [worker] = (await ask(admin, '/status')).json.workers.processes as [number]
  const pid = `${node.process.pid}`
  const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
  let free = 0
  while (taken.has(free)) free++
  // One is left: too few to start a process.
  execFileSync('prlimit', ['--pid', pid, `--nofile=${free + 1}:`])
  process.kill(worker, 'SIGKILL')
  const client = await Raw.open(t, node.port)
  t.is(await client.send('PING'), '')
  execFileSync('prlimit', ['--pid', pid, '--nofile=4096:'])
  while ((await (await Raw.open(t, node.port)).send('PING')) !== '+PONG\r\n') await sleep(5)
})

/** How many descriptors a process may have. */
const LIMIT = 200

for (const [name, flags, way] of [
  ['native, threads', [], PLAIN],
  ['native, threads, TLS', [], tlsWay(new Authority())],
  ['native, processes', ['--mode', 'processes'], PLAIN],
  ['net, threads', ['--driver', 'net'], PLAIN],
  ['net, threads, TLS', ['--driver', 'net'], tlsWay(new Authority())],
] as const) {
  const isApart = name === 'native, processes'
  const can = isApart && !installed('redis-server') ? test.skip : bounded
  can(`${name}: a node that clients fill has descriptors for all that is not theirs`, async t => {
    t.timeout(180_000)
    const admin = `unix:${join(folderOf(t, 'descriptors'), 'admin.sock')}`
    const own = ['--workers', '2', '--admin', admin, '--drain-within', '1s']
    // Processes have nothing in common but what is behind them.
    if (isApart) own.push('--store', `redis://127.0.0.1:${(await redis(t)).port}`)
    const node = await serve(t, ...own, ...flags, ...way.flags)
    const status = async () => (await ask(admin, '/status')).json
    const pids = [node.process.pid, ...(await status()).workers.processes]
    for (const pid of pids) execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${LIMIT}:`])
    const crowd: { client: Raw | undefined; said: string }[] = []
    const come = async () => {
      // Whoever has not agreed on keys is told nothing.
      const client = await Raw.open(t, node.port, way).catch(() => undefined)
      return { client, said: (await client?.send('PING')) ?? '' }
    }
    // Some at a time: keys are agreed on within a time that a busy machine takes for hundreds.
    while (crowd.length < 3 * LIMIT)
      crowd.push(...(await Promise.all(Array.from({ length: 30 }, come))))
    const served = crowd.filter(({ said }) => said === '+PONG\r\n')
    t.true(served.length > 50 && served.length < crowd.length, `${served.length} are served`)
    for (const { said } of crowd)
      t.regex(said, /^(\+PONG\r\n|-ERR max number of clients reached\r\n|)$/)
    for (const pid of pids) {
      const taken = readdirSync(`/proc/${pid}/fd`).length
      t.true(taken <= LIMIT - 16, `${taken} of ${LIMIT} are taken`)
    }
    const refused = async () => {
      const { text } = await ask(admin, '/metrics')
      return Number(/^breakwater_node_refused_total(?:\{.*\})? (\d+)$/m.exec(text)?.[1])
    }
    const count = crowd.length - served.length
    while ((await refused()) < count) await sleep(50)
    t.is(await refused(), count)
    // Whoever is served hears nothing of all that.
    for (const { client } of served) t.is(await client?.send('PING'), '+PONG\r\n')
    t.is((await ask(admin, '/restart', { method: 'POST' })).status, 200)
    const { workers } = await status()
    t.deepEqual([workers.serving, workers.replaced], [2, 0])
  })
}

for (const driver of ['native', 'net']) {
  bounded(
    `${driver}: threads that start while clients fill the node leave it its reserve`,
    async t => {
      t.timeout(180_000)
      const admin = `unix:${join(folderOf(t, 'descriptors'), 'admin.sock')}`
      const own = ['--threads', '2', '--admin', admin, '--drain-within', '1s', '--driver', driver]
      const node = await serve(t, ...own)
      const pid = `${node.process.pid}`
      execFileSync('prlimit', ['--pid', pid, `--nofile=${LIMIT}:`])
      const come = async () => (await Raw.open(t, node.port)).send('PING')
      const crowd = () => Promise.all(Array.from({ length: 20 }, come))
      /** Clients come until all of some are turned away. */
      const fill = async () => {
        while ((await crowd()).includes('+PONG\r\n'));
      }
      await fill()
      for (let round = 0; round < 3; round++) {
        let going = true
        const restart = ask(admin, '/restart', { method: 'POST' }).finally(() => {
          going = false
        })
        while (going) await crowd()
        t.is((await restart).status, 200)
        await fill()
        // Those of the connections that ask, and that are hung up on, are some of them.
        const taken = readdirSync(`/proc/${pid}/fd`).length
        t.true(taken <= LIMIT - 32 + 4, `${taken} of ${LIMIT} are taken`)
      }
    },
  )
}
