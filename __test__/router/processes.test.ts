// Workers that are processes: one that dies costs its own clients their connections alone, all of them
// serve the same sockets by the same rules, and they end with the first process.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type RouterOptions, type RouterStats } from 'breakwater/router'
import { Redis } from 'ioredis'
import { closeFd, createRouter as createNative, duplicateFd } from '../../src/native/router.ts'
import { check } from '../../src/router/checking.ts'
import { merged } from '../../src/router/merge.ts'
import type { Report } from '../../src/router/stats.ts'
import { ask } from '../admin/support.ts'
import { Authority } from '../helpers/certificates.ts'
import { folderOf } from '../helpers/folders.ts'
import { heard } from '../helpers/heard.ts'
import { hasRedis, PATIENT, startProcesses } from './store/support.ts'
import {
  type Crash,
  installed,
  Raw,
  redis,
  run,
  type Served,
  serve,
  serveCrashing,
  tlsWay,
} from './support.ts'

const fronted = hasRedis ? test : test.skip
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const MANAGER = fileURLToPath(new URL('../helpers/notified.py', import.meta.url))

async function until(condition: () => boolean | Promise<boolean>) {
  while (!(await condition())) await sleep(5)
}

/** `breakwater serve --mode processes`, and how it is asked. */
async function served(
  t: ExecutionContext,
  run: (t: ExecutionContext, ...flags: string[]) => Promise<Served>,
  ...flags: string[]
) {
  t.timeout(180_000)
  const behind = await redis(t)
  const address = `unix:${join(folderOf(t, 'processes'), 'admin.sock')}`
  const store = ['--store', `redis://127.0.0.1:${behind.port}`, ...PATIENT, '--admin', address]
  const node = await run(t, '--mode', 'processes', '--workers', '2', ...store, ...flags)
  const status = async () => (await ask(address, '/status')).json
  const processes = async () => (await status()).workers.processes
  return { node, address, status, processes }
}

/** Whether a process is there. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Clients until each of the processes has some, with the process of each. */
async function clientsOf(t: ExecutionContext, port: number, count: number) {
  const clients = new Map<Raw, string>()
  while (new Set(clients.values()).size < count) {
    const client = await Raw.open(t, port)
    clients.set(client, await processOf(client))
  }
  return clients
}

/** The number of the process that has a client: what the node says of itself in the name of another one. */
async function processOf(client: Raw): Promise<string> {
  return /node_process_id:(\d+)/.exec(await client.send('INFO', 'node'))?.[1] ?? ''
}

for (const how of ['SIGKILL', 'throw', 'reject', 'exit'] satisfies (Crash | 'SIGKILL')[]) {
  fronted(`a process that ends by '${how}' is replaced, and the others notice nothing`, async t => {
    const crashing = (t: ExecutionContext, ...flags: string[]) =>
      serveCrashing(t, how === 'SIGKILL' ? 'exit' : how, ...flags)
    const { node, status, processes } = await served(t, crashing)
    const clients = await clientsOf(t, node.port, 2)
    for (const client of clients.keys()) t.is(await client.send('SET', 'k', 'v'), '+OK\r\n')
    const before = await processes()
    const [victim] = before as [number]
    process.kill(victim, how === 'SIGKILL' ? 'SIGKILL' : 'SIGUSR2')
    await node.says(/a worker process of the router ended (by SIGKILL|with code \d)/)
    for (const [client, process] of clients) {
      t.is(await client.send('GET', 'k'), process === `${victim}` ? '' : '$1\r\nv\r\n')
    }
    await until(async () => (await processes()).length === 2)
    t.is((await processes()).filter(pid => before.includes(pid)).length, 1)
    t.is((await status()).stats.replaced, 1)
    // New ones are served, by the one that is new too.
    for (const client of (await clientsOf(t, node.port, 2)).keys()) {
      t.is(await client.send('GET', 'k'), '$1\r\nv\r\n')
    }
    t.is(await node.stop(), 0)
  })
}

fronted('who waits to be accepted by a process that dies is served by another one', async t => {
  const { router, port, processes } = await startProcesses(t)
  const [first, second] = processes() as [number, number]
  // Nobody accepts.
  process.kill(first, 'SIGSTOP')
  process.kill(second, 'SIGSTOP')
  const waiting = await Promise.all(Array.from({ length: 30 }, () => Raw.open(t, port)))
  const replies = waiting.map(client => client.send('PING'))
  process.kill(first, 'SIGKILL')
  process.kill(second, 'SIGCONT')
  t.deepEqual([...new Set(await Promise.all(replies))], ['+PONG\r\n'])
  await until(() => router.stats().replaced === 1)
})

fronted('a restart replaces each process, and no request fails', async t => {
  const { router, port, processes } = await startProcesses(t)
  const clients = Array.from({ length: 12 }, () => {
    const client = new Redis(port, { retryStrategy: () => 1, maxRetriesPerRequest: null })
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
    return client
  })
  let [stopped, done] = [false, 0]
  const work = clients.map(async (client, at) => {
    for (let n = 0; !stopped; n++) {
      await client.set(`c${at}`, n)
      done++
    }
    return Number(await client.get(`c${at}`))
  })
  const seen = new Set(processes())
  let commands = 0
  for (let round = 1; round <= 2; round++) {
    const then = done
    await until(() => done > then + 100)
    await router.restart()
    for (const pid of processes()) seen.add(pid)
    t.is(seen.size, 2 * (round + 1))
    // What has been counted stays counted.
    t.true(router.stats().commands >= commands)
    commands = router.stats().commands
  }
  const then = done
  await until(() => done > then + 100)
  stopped = true
  await Promise.all(work)
  t.is(router.stats().replaced, 0)
  t.is(router.stats().threads.length, 2)
})

fronted('a reload counts in all processes once it is done, and in those to come', async t => {
  const users = [{ name: 'default', permissions: ['read', 'write'] as const }]
  const { router, port, given } = await startProcesses(t, { users: users as never })
  const clients = await clientsOf(t, port, 2)
  const next = { ...given, users: [{ name: 'default', permissions: ['read'] }] } as RouterOptions
  t.deepEqual((await router.reload(next)).changed, ['users[default].permissions'])
  for (const client of clients.keys()) t.regex(await client.send('SET', 'k', 'v'), /^-NOPERM/)
  t.deepEqual((await router.reload({ ...next, workers: 3 })).changed, ['workers'])
  for (const client of (await clientsOf(t, port, 3)).keys()) {
    t.regex(await client.send('SET', 'k', 'v'), /^-NOPERM/)
  }
  const refused = router.reload({ ...next, maxClients: 0 })
  await t.throwsAsync(refused, { code: 'ERR_INVALID_OPTION', message: /maxClients/ })
  const threads = { ...next, mode: undefined, workers: undefined } as RouterOptions
  const message = "mode must be 'processes' until the node is started anew, not 'threads'"
  await t.throwsAsync(router.reload(threads), { code: 'ERR_INVALID_OPTION', message })
  const stats = router.stats()
  t.is(stats.reloads, 2)
  t.regex(stats.reloadRefused!.why, /until the node is started anew/)
  t.deepEqual((await router.reload({ ...next, workers: 1 })).changed, ['workers'])
  await until(() => router.status().workers.ending === 0)
  t.is(router.status().workers.processes.length, 1)
})

fronted('a process that still drains goes by a reload as well', async t => {
  const users = (...permissions: string[]) => [{ name: 'default', permissions }] as never
  const drain = { over: '1h' } as const
  const { router, port, given, processes } = await startProcesses(t, {
    users: users('read', 'write'),
    drain,
  })
  const clients = await clientsOf(t, port, 2)
  await router.reload({ ...given, workers: 1 })
  t.is(router.status().workers.ending, 1)
  const [stays] = processes()
  const ending = [...clients].filter(([, process]) => process !== `${stays}`)
  for (const [client] of ending) t.is(await client.send('SET', 'k', 'v'), '+OK\r\n')
  await router.reload({ ...given, workers: 1, users: users('read') })
  for (const [client] of ending) t.regex(await client.send('SET', 'k', 'v'), /^-NOPERM/)
  for (const [{ socket }] of ending) socket.destroy()
  await router.reload({ ...given, workers: 1, users: users('read'), drain: {} })
})

fronted('what the processes count is told as of one node', async t => {
  const { router, port } = await startProcesses(t)
  const clients = await clientsOf(t, port, 2)
  for (const client of clients.keys()) {
    for (let i = 0; i < 10; i++) await client.send('GET', 'k')
    await client.send('SET', 'k', 'v')
  }
  const count = clients.size
  await until(() => router.stats().requests.write === count)
  await until(() => router.stats().clients === count)
  const stats = router.stats()
  t.is(stats.requests.read, 10 * count)
  t.is(stats.connections, count)
  t.is(stats.threads.length, 2)
  t.is(
    stats.threads.reduce((sum, { requests }) => sum + requests, 0),
    stats.commands,
  )
  t.is(stats.upstream.length, 1)
  t.is(stats.upstream[0]!.state, 'up')
  t.true(stats.upstream[0]!.connections >= 2)
  t.is(stats.routes.length, 1)
  const { read } = stats.latency
  t.true(read.count > 0 && read.p50! <= read.p99! && read.sum > 0)
  t.false('whole' in read)
  t.is(stats.maxBytes, 64 * 1024 * 1024)
})

test('latencies that are merged are those of one histogram', t => {
  const router = createNative(check({ threads: 1, maxBytes: '16mb' }, '0.0.0'))
  t.teardown(() => router.close())
  const session = router.connect('a:1', 'b:2') as number
  const area = Buffer.alloc(1024)
  for (let i = 0; i < 1000; i++) router.feed(session, Buffer.from('GET k\r\nSET k v\r\n'), area)
  const [report, plain] = [router.stats(1), router.stats()] as unknown as [Report, RouterStats]
  const { latency, waited } = merged([[report]])!
  t.deepEqual(latency.read.buckets, plain.latency.read.buckets)
  t.deepEqual({ ...latency.read, sum: 0 }, { ...plain.latency.read, sum: 0 })
  t.is(waited.p99, undefined)
  // Twice the same: twice as many, in the same places.
  const twice = merged([[report, report]])!.latency.write
  t.is(twice.count, 2 * plain.latency.write.count)
  t.is(twice.p99, plain.latency.write.p99)
})

fronted(
  'a node ends in order: its clients are disconnected, and its processes are gone',
  async t => {
    const { node, processes } = await served(t, serve)
    const clients = await clientsOf(t, node.port, 2)
    const before = await processes()
    // What a service manager tells all processes is heard by the first.
    for (const pid of before) process.kill(pid, 'SIGTERM')
    for (const pid of before) process.kill(pid, 'SIGHUP')
    for (const client of clients.keys()) t.is(await client.send('PING'), '+PONG\r\n')
    t.is(await node.stop('SIGINT'), 0)
    for (const client of clients.keys()) t.is(`${await client.rest()}`, '')
    t.false(before.some(lives))
  },
)

fronted('processes end with the first one, however it ends', async t => {
  const { node, processes } = await served(t, serve)
  const before = await processes()
  t.true(before.every(lives))
  await node.stop('SIGKILL')
  await until(() => !before.some(lives))
  t.pass()
})

fronted('processes are restarted, and told of, through the admin entrance', async t => {
  const { node, address, status, processes } = await served(t, serve)
  const before = await processes()
  const { workers } = (await ask(address, '/restart', { method: 'POST' })).json
  t.is(workers.mode, 'processes')
  t.false(workers.processes.some(pid => before.includes(pid)))
  await until(async () => (await status()).ready)
  const { output } = await run('status', '--admin', address)
  t.regex(output, /^processes +2 of 2 serve, 0 replaced$/m)
  // It may have ended before its answer is read.
  const exited = once(node.process, 'exit')
  t.is((await ask(address, '/drain', { method: 'POST' })).status, 202)
  await exited
})

fronted('clients come by TLS and by a socket of this machine, to whichever process', async t => {
  t.timeout(180_000)
  const way = tlsWay(new Authority('an authority'))
  const unix = join(folderOf(t, 'processes'), 'node.sock')
  const { node } = await served(t, serve, ...way.flags, '--unix', unix)
  const seen = new Set<string>()
  while (seen.size < 2) seen.add(await processOf(await Raw.open(t, node.port, way)))
  const local = new Redis({ path: unix })
  t.is(await local.ping(), 'PONG')
  local.disconnect()
  t.is(await node.stop(), 0)
})

const managed = hasRedis && installed('python3') ? test : test.skip

managed('a manager hears of one node, and its sockets are those of all processes', async t => {
  t.timeout(180_000)
  const behind = await redis(t)
  const dir = folderOf(t, 'processes')
  const manager = heard(t, spawn('python3', [MANAGER, join(dir, 'notify')]))
  await manager.says(/^ready$/m)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  const given = duplicateFd(fd)
  t.teardown(() => closeFd(given))
  server.close()
  const file = join(dir, 'c.json')
  const store = `redis://127.0.0.1:${behind.port}`
  writeFileSync(file, JSON.stringify({ mode: 'processes', workers: 2, store }))
  const command = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
  const args = ['-c', command, 'sh', process.execPath, CLI, 'serve', '--config', file]
  const env = { ...process.env, NOTIFY_SOCKET: join(dir, 'notify') }
  const node = heard(t, spawn('sh', args, { stdio: ['ignore', 'pipe', 'pipe', given], env }))
  await manager.says(/^READY=1;STATUS=serves clients$/m)
  await clientsOf(t, port, 2)
  const exited = once(node.child, 'exit')
  node.child.kill('SIGTERM')
  await manager.says(/^STOPPING=1;STATUS=drains$/m)
  t.deepEqual(await exited, [0, null])
  t.is(manager.text().match(/READY=1/g)?.length, 1)
})

test('processes that cannot be are refused, with the reason', t => {
  const store = 'redis://127.0.0.1:1'
  const cases: [RouterOptions, RegExp][] = [
    [{ mode: 'processes' }, /mode \('processes'\) cannot.*no store/],
    [{ mode: 'processes', store, threads: 2 }, /threads.*mode 'processes'/],
    [{ mode: 'processes', store, workers: 0 }, /workers must be a whole number from 1 to 1024/],
    [{ workers: 2, threads: 2 }, /threads.*workers/],
    [{ mode: 'fibres' as never }, /mode must be/],
    [{ workers: 1.5 }, /workers must be a whole number from 0 to 1024/],
  ]
  for (const [options, message] of cases) t.throws(() => createRouter(options), { message })
})

// Alone: it changes what all processes of its own process are started with.
const alone = hasRedis ? test.serial : test.skip
alone(
  'a process that is killed before it serves is replaced, and the others notice nothing',
  async t => {
    const { router, port, processes } = await startProcesses(t)
    const [victim, other] = processes() as [number, number]
    const clients = await clientsOf(t, port, 2)
    const [client] = [...clients].find(([, process]) => process === `${other}`)!
    const children = () =>
      execFileSync('pgrep', ['-P', `${process.pid}`, '-f', 'router/process'], { encoding: 'utf8' })
        .split('\n')
        .filter(pid => pid !== '')
        .map(Number)
    const known = new Set(children())
    t.true(known.has(victim) && known.has(other))
    process.kill(victim, 'SIGKILL')
    for (let deaths = 2; deaths <= 5; deaths++) {
      const unknown = () => children().filter(pid => !known.has(pid))
      await until(() => unknown().length > 0)
      for (const pid of unknown()) {
        known.add(pid)
        process.kill(pid, 'SIGKILL')
      }
      t.is(await client.send('PING'), '+PONG\r\n')
      await until(() => router.stats().replaced === deaths)
    }
    await until(() => processes().length === 2)
    t.true(processes().includes(other))
    t.is(await client.send('PING'), '+PONG\r\n')
    for (const each of (await clientsOf(t, port, 2)).keys()) {
      t.is(await each.send('SET', 'k', 'v'), '+OK\r\n')
    }
  },
)

alone('a process that cannot start is an error of the start', async t => {
  t.timeout(180_000)
  const behind = await redis(t)
  const options = {
    mode: 'processes',
    workers: 2,
    store: `redis://127.0.0.1:${behind.port}`,
  } as const
  const before = process.execArgv
  process.execArgv = [...before, '--import', 'data:text/javascript,process.exit(7)']
  t.teardown(() => {
    process.execArgv = before
  })
  const router = createRouter(options)
  const message = 'a worker process of the router ended with code 7'
  await t.throwsAsync(router.listen({ port: 0 }), { message })
  t.is(router.address(), null)
  await router.close()
})
