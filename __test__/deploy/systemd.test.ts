// systemd: what a node tells its manager, the sockets that it takes, and the unit files.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { closeFd, duplicateFd, listenUnix } from '../../src/native/router.ts'
import { folderOf } from '../helpers/folders.ts'
import { heard } from '../helpers/heard.ts'
import { installed, Raw } from '../router/support.ts'
import { optionsIn } from './options.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const MANAGER = fileURLToPath(new URL('../helpers/notified.py', import.meta.url))
const HUNG = new URL('../helpers/hung.mjs', import.meta.url).href
const UNITS = fileURLToPath(new URL('../../deploy/systemd', import.meta.url))

/** Tells a manager something, as a node does. */
const TELL = `
import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), sys.argv[1])`

/** A manager that prints what it is told. */
async function manager(t: ExecutionContext) {
  const path = join(folderOf(t, 'systemd'), 'notify')
  const listens = heard(t, spawn('python3', [MANAGER, path]))
  await listens.says(/^ready$/m)
  return { ...listens, path }
}

if (installed('python3')) {
  test('a manager hears when a node serves, reloads, is alive and ends', async t => {
    t.timeout(180_000)
    const { path, says, text } = await manager(t)
    const env = { ...process.env, NOTIFY_SOCKET: path, WATCHDOG_USEC: '100000' }
    const flags = ['serve', '--port', '0', '--threads', '1', '--max-bytes', '16mb']
    const node = heard(t, spawn(process.execPath, [CLI, ...flags], { env }))
    await says(/^READY=1;STATUS=serves clients$/m)
    await says(/^WATCHDOG=1$/m)
    node.child.kill('SIGHUP')
    await says(/^RELOADING=1;MONOTONIC_USEC=\d+\n(WATCHDOG=1\n)*READY=1/m)
    const exited = once(node.child, 'exit')
    node.child.kill('SIGTERM')
    await says(/^STOPPING=1;STATUS=drains$/m)
    t.deepEqual(await exited, [0, null])
    t.notRegex(text().slice(text().indexOf('STOPPING')), /READY/)
  })
}

if (installed('python3')) {
  test('a manager hears no more of a node whose main thread hangs', async t => {
    t.timeout(180_000)
    const started = async () => {
      const { path, says, text } = await manager(t)
      const env = { ...process.env, NOTIFY_SOCKET: path, WATCHDOG_USEC: '100000' }
      const flags = ['serve', '--port', '0', '--threads', '1', '--max-bytes', '16mb']
      const node = heard(t, spawn(process.execPath, ['--import', HUNG, CLI, ...flags], { env }))
      await says(/^WATCHDOG=1$/m)
      /** Done once the manager has told of all that it was told before. */
      const hears = async () => {
        execFileSync('python3', ['-c', TELL, path, 'MARK=1'])
        await says(/^MARK=1$/m)
      }
      return { node, hears, signs: () => text().match(/WATCHDOG=1/g)!.length }
    }
    const [one, other] = await Promise.all([started(), started()])
    /** As long as it takes the other one to say so often that it is alive. */
    const pass = async (signs: number) => {
      for (const most = other.signs() + signs; other.signs() < most; ) await sleep(5)
    }
    one.node.child.kill('SIGUSR2')
    await one.node.says(/^hangs$/m)
    await one.hears()
    const before = one.signs()
    await pass(20)
    t.is(one.signs(), before)
    t.is(one.node.child.exitCode, null)
  })

  test('a manager is told that it is ready again, though what was reloaded is wrong', async t => {
    t.timeout(180_000)
    const { path, says, text } = await manager(t)
    const file = join(folderOf(t, 'systemd'), 'c.json')
    writeFileSync(file, '{ "threads": 1, "maxBytes": "16mb", "listen": { "port": 0 } }')
    const env = { ...process.env, NOTIFY_SOCKET: path }
    const node = heard(t, spawn(process.execPath, [CLI, 'serve', '--config', file], { env }))
    await says(/^READY=1;STATUS=serves clients$/m)
    writeFileSync(file, '{ "threads": 1, "maxClients": 0, "listen": { "port": 0 } }')
    node.child.kill('SIGHUP')
    await says(/^RELOADING=1;MONOTONIC_USEC=\d+\nREADY=1/m)
    await node.says(/not reloaded: .*maxClients must be/)
    t.is(text().match(/READY=1/g)?.length, 2)
  })

  test('a manager is told that a node is ready once that is warm, and not before', async t => {
    t.timeout(180_000)
    const { path, says, text } = await manager(t)
    const answers: ServerResponse[] = []
    const hear: RequestListener = (_, response) => void answers.push(response)
    const peer = createHttp(hear).listen(0, '127.0.0.1')
    t.teardown(() => peer.close())
    await once(peer, 'listening')
    const from = `http://127.0.0.1:${(peer.address() as AddressInfo).port}`
    const unix = join(folderOf(t, 'systemd'), 'node.sock')
    const flags = ['--unix', unix, '--threads', '1', '--store', 'redis://127.0.0.1:1']
    const warm = ['--warm-from', from, '--warm-budget', '1h']
    const env = { ...process.env, NOTIFY_SOCKET: path }
    const node = heard(t, spawn(process.execPath, [CLI, 'serve', ...flags, ...warm], { env }))
    while (answers.length === 0) await sleep(5)
    // It serves already those who come.
    const client = createConnection(unix)
    client.write('PING\r\n')
    t.is(String((await once(client, 'data'))[0]), '+PONG\r\n')
    t.notRegex(text(), /READY/)
    answers[0]!.writeHead(404).end()
    await says(/^READY=1;STATUS=serves clients$/m)
    await node.says(/began cold: .*it answers with HTTP 404/)
    client.destroy()
  })
}

test('a node serves the clients of sockets that it was given, and leaves them open', async t => {
  t.timeout(180_000)
  const dir = folderOf(t, 'systemd')
  const file = join(dir, 'c.json')
  writeFileSync(file, JSON.stringify({ threads: 2, maxBytes: '16mb', listen: { port: 1 } }))
  // Sockets that listen, and that nobody accepts from here.
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const handle = (server as unknown as { _handle: { fd: number } })._handle
  const given = [duplicateFd(handle.fd), listenUnix!(join(dir, 'given.sock'), 0o700)]
  server.close()
  t.teardown(() => given.forEach(closeFd))
  const start = () => {
    // The process learns its own number, as systemd tells it, and the node has the same.
    const command = 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$@"'
    const args = ['-c', command, 'sh', process.execPath, CLI, 'serve', '--config', file]
    return heard(t, spawn('sh', args, { stdio: ['ignore', 'pipe', 'pipe', ...given] }))
  }
  const first = start()
  await first.says(/listens on 127\.0\.0\.1:\d+, and on descriptor 4/)
  const ping = async () => (await Raw.open(t, port)).send('PING')
  t.is(await ping(), '+PONG\r\n')
  first.child.kill('SIGHUP')
  await first.says(/breakwater: reloaded: nothing has changed/)
  const exited = once(first.child, 'exit')
  first.child.kill('SIGTERM')
  await exited
  // Who comes meanwhile waits for the next node.
  const early = ping()
  const second = start()
  await second.says(/listens on/)
  t.is(await early, '+PONG\r\n')
})

test('sockets that are meant for another process are left alone', async t => {
  t.timeout(120_000)
  const env = { ...process.env, LISTEN_PID: '1', LISTEN_FDS: '1' }
  const flags = ['serve', '--port', '0', '--threads', '1', '--max-bytes', '16mb']
  const node = heard(t, spawn(process.execPath, [CLI, ...flags], { env }))
  t.truthy(await node.says(/listens on 127\.0\.0\.1:\d+ /))
})

test('the unit files have sections and keys that systemd knows, and options that exist', t => {
  const known: Record<string, RegExp> = {
    Unit: /^(Description|Documentation|After|Wants)$/,
    Service:
      /^(Type|WorkingDirectory|EnvironmentFile|Exec(Start|StartPre|Reload)|TimeoutStopSec|Restart(Sec)?|WatchdogSec|LimitNOFILE|DynamicUser|(Configuration|Runtime)Directory(Mode)?|NoNewPrivileges|Protect(System|Home|KernelTunables|KernelModules|ControlGroups)|Private(Tmp|Devices)|Restrict(AddressFamilies|Namespaces)|LockPersonality|CapabilityBoundingSet)$/,
    Socket: /^(ListenStream|Backlog|NoDelay)$/,
    Install: /^WantedBy$/,
  }
  for (const name of readdirSync(UNITS)) {
    const text = readFileSync(join(UNITS, name), 'utf8')
    let section = ''
    for (const line of text.split('\n').filter(line => line !== '' && !line.startsWith('#'))) {
      const [, heading] = /^\[(\w+)\]$/.exec(line) ?? []
      if (heading !== undefined) section = heading
      else t.regex(/^(\w+)=/.exec(line)?.[1] ?? '', known[section] ?? /^$/, `${name}: ${line}`)
    }
    t.deepEqual(optionsIn(text).unknown, [])
  }
})
