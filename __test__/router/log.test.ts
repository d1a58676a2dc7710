// The log of a node: its events in JSON, whole lines in one stream, levels, bounds, and no secret in it.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type LogFields, type RouterOptions } from 'breakwater/router'
import { folderOf } from '../helpers/folders.ts'
import { PATIENT } from './store/support.ts'
import { encode, installed, Raw, redis, run, serve } from './support.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const CRASHING = new URL('../helpers/crashing.mjs', import.meta.url).href
const DRIVERLESS = new URL('../helpers/driverless.mjs', import.meta.url).href
const fronted = installed('redis-server') ? test : test.skip

type Line = LogFields & { level: string; time: string; message: string }

/** A node whose standard output is a file, and nothing else writes there. */
async function logged(t: ExecutionContext, flags: string[], env: NodeJS.ProcessEnv = {}) {
  t.timeout(120_000)
  const file = join(folderOf(t, 'log'), 'stdout')
  const fd = openSync(file, 'w')
  const node = spawn(
    process.execPath,
    ['--import', CRASHING, CLI, 'serve', '--port', '0', '--log-format', 'json', ...flags],
    { stdio: ['ignore', fd, 'ignore'], env: { ...process.env, CRASH: 'throw', ...env } },
  )
  closeSync(fd)
  t.teardown(() => node.kill('SIGKILL'))
  const text = () => readFileSync(file, 'utf8')
  /** All lines so far; a line that is torn is no JSON. */
  const lines = () => {
    const whole = text().split('\n').slice(0, -1)
    return whole.map(line => JSON.parse(line) as Line)
  }
  /** So many lines of an event, once they are there. */
  const told = async (event: string, count = 1) => {
    for (;;) {
      const found = lines().filter(line => line.event === event)
      if (found.length >= count) return found as [Line, ...Line[]]
      if (node.exitCode !== null) throw new Error(`it ended: ${text()}`)
      await sleep(5)
    }
  }
  const [{ addresses }] = await told('listening')
  const port = Number(/:(\d+)$/.exec((addresses as string[])[0]!)![1])
  return { node, port, text, lines, told }
}

/** Ends a node; its exit code. */
async function stop(node: ChildProcess): Promise<number | null> {
  const exited = once(node, 'exit')
  node.kill('SIGTERM')
  const [code] = await exited
  return code as number | null
}

for (const driver of ['native', 'net']) {
  test(`${driver}: a client that is cut since it takes no replies is told of with that cause`, async t => {
    const slow = ['--slow-reader-timeout', '300ms', '--log-connections', '--workers', '1']
    const { port, told } = await logged(t, [...slow, '--driver', driver])
    const reader = await Raw.open(t, port)
    await reader.send('SET', 'large', Buffer.alloc(1024 * 1024, 'v'))
    reader.socket.pause()
    reader.write(Buffer.concat(Array.from({ length: 64 }, () => encode(['GET', 'large']))))
    const [{ cause }] = await told('connection_closed')
    t.is(cause, 'slow')
  })
}

for (const mode of ['threads', 'processes']) {
  fronted(`${mode}: every event is a whole line of JSON in one stream`, async t => {
    const store = await redis(t)
    const url = `redis://127.0.0.1:${store.port}`
    const flags = ['--mode', mode, '--workers', '2', '--store', url, '--log-connections']
    const { node, port, lines, told } = await logged(t, [...flags, ...PATIENT])
    const [listening] = await told('listening')
    t.is(listening.mode, mode)
    t.is(listening.workers, 2)
    const clients = await Promise.all(Array.from({ length: 40 }, () => Raw.open(t, port)))
    for (const client of clients) t.is(await client.send('SET', 'key', 'value'), '+OK\r\n')
    await told('store_up')
    for (const client of clients) client.write(encode(['QUIT']))
    const closed = await told('connection_closed', 40)
    for (const { requests, cause, user } of closed) {
      t.deepEqual({ requests, cause, user }, { requests: 2, cause: 'closed', user: 'default' })
    }
    t.is(new Set((await told('connection_opened', 40)).map(line => line.address)).size, 40)
    node.kill('SIGHUP')
    t.deepEqual((await told('reloaded'))[0].changed, [])
    // A worker that is a process hears of it itself.
    const workers = () => execFileSync('pgrep', ['-P', `${node.pid}`], { encoding: 'utf8' })
    const crashing = mode === 'threads' ? node.pid : Number(workers().split('\n')[0])
    process.kill(crashing!, 'SIGUSR2')
    const [failed] = await told('worker_failed')
    t.is(failed.level, 'error')
    t.regex(failed.message, /fails on purpose|ended with code/)
    await told('worker_replaced')
    store.process.kill('SIGKILL')
    const [down] = await told('store_down')
    t.is(down.store, `127.0.0.1:${store.port}`)
    t.is(down.level, 'warn')
    // It is back: nothing is told of it any more.
    const ups = lines().filter(({ event }) => event === 'store_up').length
    await redis(t, '--port', `${store.port}`)
    await told('store_up', ups + 1)
    t.is(await stop(node), 0)
    const all = lines()
    t.deepEqual(
      all.slice(-2).map(({ event }) => event),
      ['draining', 'drained'],
    )
    for (const { level, time, event, message } of all) {
      t.regex(level, /^(info|warn|error)$/)
      t.is(new Date(time).toISOString(), time)
      t.regex(event, /^[a-z_]+$/)
      t.true(message.length > 0)
    }
  })
}

fronted('a breaker that opens and closes is told', async t => {
  const store = await redis(t)
  const url = `redis://127.0.0.1:${store.port}`
  const file = join(folderOf(t, 'breaker'), 'breakwater.config.json')
  const write = (storeTimeout: string) =>
    writeFileSync(file, JSON.stringify({ store: url, storeTimeout, breaker: { failures: 1 } }))
  write('10m')
  const { node, port, told } = await logged(t, ['--config', file, '--workers', '1'])
  const client = await Raw.open(t, port)
  t.is(await client.send('SET', 'key', 'value'), '+OK\r\n')
  store.process.kill('SIGSTOP')
  // Impatient only now: a machine that stalls opens no breaker before.
  write('100ms')
  node.kill('SIGHUP')
  await told('reloaded')
  t.regex(await client.send('SET', 'key', 'value'), /^-/)
  const [open] = await told('breaker')
  t.is(open.breaker, 'open')
  t.is(open.level, 'warn')
  store.process.kill('SIGCONT')
  for (let closed = false; !closed; ) {
    await client.send('GET', 'key')
    closed = (await told('breaker')).some(({ breaker }) => breaker === 'closed')
  }
  t.is(await stop(node), 0)
})

fronted(
  'a log of JSON has no secret, no value and no key, and nothing of a stranger unescaped',
  async t => {
    const store = await redis(t, '--requirepass', 'store-secret-7351')
    const folder = folderOf(t, 'secrets')
    const file = join(folder, 'breakwater.config.json')
    const config = {
      store: `redis://:store-secret-7351@127.0.0.1:${store.port}`,
      users: [{ name: 'ada', password: 'plain-secret-4410' }],
      workers: 1,
      logLevel: 'debug',
      logConnections: true,
    }
    const write = (changed: object) =>
      writeFileSync(file, JSON.stringify({ ...config, ...changed }))
    write({})
    const { node, port, text, told } = await logged(t, ['--config', file])
    const client = await Raw.open(t, port)
    const odd = 'key-secret-1\r\n{"event":"forged"}\u001b[2J'
    await client.send('AUTH', 'typed-secret-5002')
    await client.send('typed-secret-5002')
    await client.send('AUTH', 'ada', 'typed-secret-5002')
    await client.send('AUTH', 'ada', 'plain-secret-4410')
    await client.send('CLIENT', 'SETNAME', 'typed-secret-5002')
    for (const key of [odd, 'b'.repeat(60_000)]) await client.send('SET', key, 'value-secret-8812')
    const wrong: object[] = [
      { store: 'redis://:typed-secret-5002@127.0.0.1:1' },
      { users: [{ name: 'ada', password: ['typed-secret-5002'] }] },
      { users: [{ name: 'ada', acl: '>typed-secret-5002 +@nothing' }] },
      { users: [{ name: `a b\r\n{"event":"forged"}\u001b[2J`, password: 'typed-secret-5002' }] },
    ]
    for (const [at, one] of wrong.entries()) {
      write(one)
      node.kill('SIGHUP')
      await told('reload_refused', at + 1)
    }
    writeFileSync(file, '{ "password": "typed-secret-5002"')
    node.kill('SIGHUP')
    await told('reload_refused', wrong.length + 1)
    client.socket.destroy()
    const [{ user, requests, cause }] = await told('connection_closed')
    t.deepEqual({ user, requests, cause }, { user: 'ada', requests: 7, cause: 'client' })
    node.kill('SIGUSR2')
    await told('worker_failed')
    store.process.kill('SIGKILL')
    t.is(await stop(node), 0)
    const said = text()
    t.true(said.length > 1000)
    for (const secret of [
      'store-7351',
      'plain-4410',
      'typed-5002',
      'value-8812',
      'key-1',
      'bbbb',
    ]) {
      const [word, number] = secret.split('-')
      const whole = number === undefined ? secret : `${word}-secret-${number}`
      for (const way of [whole, Buffer.from(whole).toString('base64').replace(/=+$/, '')]) {
        t.false(said.includes(way), `${way} in ${said}`)
      }
    }
    t.false(said.includes('\u001b'))
    t.false(said.split('\n').some(line => line.includes('"event":"forged"')))
  },
)

for (const [format, mode] of [
  ['plain', 'threads'],
  ['pretty', 'threads'],
  ['json', 'threads'],
  ['plain', 'processes'],
] as const) {
  fronted(`${format}, ${mode}: a node serves on whose log nobody reads any more`, async t => {
    t.timeout(120_000)
    const store = await redis(t)
    const url = `redis://127.0.0.1:${store.port}`
    const flags = ['--mode', mode, '--workers', '1', '--log-format', format]
    const node = await serve(t, ...flags, '--store', url, ...PATIENT)
    node.process.stdout!.destroy()
    node.process.stderr!.destroy()
    const client = await Raw.open(t, node.port)
    t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
    await store.stop('SIGKILL')
    let said = ''
    while (!said.startsWith('-')) said = await client.send('SET', 'a', '2')
    await redis(t, '--port', `${store.port}`)
    while (said !== '+OK\r\n') said = await client.send('SET', 'a', '3')
    node.process.kill('SIGHUP')
    t.is(await client.send('GET', 'a'), '$1\r\n3\r\n')
    t.is(await node.stop(), 0)
  })
}

test('a level is changed by a reload', async t => {
  const file = join(folderOf(t, 'level'), 'breakwater.config.json')
  const write = (config: object) => writeFileSync(file, JSON.stringify({ workers: 1, ...config }))
  write({})
  const { node, port, lines, told } = await logged(t, ['--config', file])
  write({ maxClients: 7 })
  node.kill('SIGHUP')
  t.deepEqual((await told('reloaded'))[0].changed, ['maxClients'])
  write({ maxClients: 0, logLevel: 'error' })
  node.kill('SIGHUP')
  const [refused] = await told('reload_refused')
  t.regex(refused.reason as string, /json: maxClients must be a whole number from 1 .*not 0$/)
  write({ logLevel: 'loud' })
  node.kill('SIGHUP')
  const [, loud] = await told('reload_refused', 2)
  t.regex(loud!.reason as string, /json: logLevel must be one of .*silent.*not 'loud'/)
  write({ maxClients: 9, logLevel: 'error' })
  node.kill('SIGHUP')
  const client = await Raw.open(t, port)
  while (!(await client.send('INFO', 'clients')).includes('maxclients:9')) await sleep(5)
  t.is(await stop(node), 0)
  t.false(lines().some(({ event }) => event === 'draining'))
})

test('a node keeps the format of its log until it is started anew', async t => {
  const file = join(folderOf(t, 'format'), 'breakwater.config.json')
  writeFileSync(file, '{ "logFormat": "plain", "workers": 1 }')
  const node = await serve(t, '--config', file)
  writeFileSync(file, '{ "logFormat": "json", "workers": 1 }')
  node.process.kill('SIGHUP')
  t.regex(
    await node.says(/not reloaded: .*/),
    /not reloaded: .*json: logFormat must be 'plain' until the node is started anew, not 'json'/,
  )
  t.is(await node.stop(), 0)
})

test('what is wrong about the log is said, with what is allowed', async t => {
  for (const [flags, words] of [
    [['--log-level', 'loud'], /--log-level <level>' argument 'loud' is invalid.*debug, info, warn/],
    [['--log-format', 'xml'], /--log-format <format>' argument 'xml' is invalid.*json, pretty/],
  ] as const) {
    const { code, output } = await run('serve', ...flags)
    t.is(code, 2)
    t.regex(output, words)
  }
  const bare = { debug() {}, info() {}, warn() {} } as unknown as RouterOptions['logger']
  for (const [options, option] of [
    [{ logger: bare }, 'logger'],
    [{ logger: 7 as never }, 'logger'],
    [{ logLevel: 'loud' as never }, 'logLevel'],
    [{ logConnections: 'yes' as never }, 'logConnections'],
  ] as const) {
    t.is((t.throws(() => createRouter(options)) as { option?: string }).option, option)
  }
})

test('without pino, JSON is refused with the cure, and text is written', t => {
  const hides = `import { register } from 'node:module'
    register('data:text/javascript,' + encodeURIComponent(\`
      export function resolve(name, context, next) {
        if (name === 'pino') throw new Error('it is not installed')
        return next(name, context)
      }\`))`
  const flags = ['--import', `data:text/javascript,${encodeURIComponent(hides)}`, CLI, 'serve']
  const { status, stderr } = spawnSync(process.execPath, [...flags, '--log-format', 'json'], {
    encoding: 'utf8',
  })
  t.is(status, 2)
  t.regex(stderr, /--log-format must be 'plain' or 'pretty'.*npm install pino/)
})

test('pretty lines have the time, the level, the words and the name', async t => {
  const node = await serve(t, '--workers', '1', '--log-format', 'pretty')
  node.process.kill('SIGHUP')
  const said = await node.says(/reloaded$/m)
  t.regex(said, /^\d\d:\d\d:\d\d info {2}reloaded: nothing has changed reloaded$/m)
  t.is(await node.stop(), 0)
  t.regex(node.output(), /^\d\d:\d\d:\d\d info {2}drained: .* drained$/m)
})

test('an event that comes too often is told ten times a second, and then counted', async t => {
  const told: LogFields[] = []
  const tell = (fields: LogFields) => void told.push(fields)
  const logger = { debug: tell, info: tell, warn: tell, error: tell }
  const router = createRouter({ threads: 1, maxBytes: '16mb', logger })
  for (let times = 0; times < 500; times++) await t.throwsAsync(router.reload({ threads: 0 }))
  await router.reload({ threads: 1, maxBytes: '16mb', logger, maxClients: 7 })
  await router.close()
  const refused = told.filter(({ event }) => event === 'reload_refused').length
  const counts = told.filter(({ event }) => event === 'left_out')
  const leftOut = counts.reduce((sum, { count }) => sum + (count as number), 0)
  t.is(refused + leftOut, 500)
  t.true(refused < 500 && counts.every(({ of }) => of === 'reload_refused'))
  // Others are told meanwhile.
  t.deepEqual(told.find(({ event }) => event === 'reloaded')?.changed, ['maxClients'])
})

test('a logger that throws costs the router nothing', async t => {
  const fail = () => {
    throw new Error('the disk is full')
  }
  const logger = { debug: fail, info: fail, warn: fail, error: fail }
  // Warnings are the process's.
  const warned: string[] = []
  const hear = ({ message }: Error) => void warned.push(message)
  process.on('warning', hear)
  t.teardown(() => process.off('warning', hear))
  const router = createRouter({ threads: 1, maxBytes: '16mb', logger })
  const { port } = await router.listen({ port: 0 })
  const client = await Raw.open(t, port)
  t.is(await client.send('PING'), '+PONG\r\n')
  await router.close()
  while (!warned.some(text => /logger failed: Error: the disk is full/.test(text))) await sleep(5)
  t.pass()
})

test('a bug that costs a client its connection is told of, and no worker is replaced for it', async t => {
  const { node, told, lines } = await logged(t, ['--threads', '2', '--max-bytes', '16mb'], {
    CRASH: 'fault',
  })
  node.kill('SIGUSR2')
  const [fault] = await told('fault')
  t.is(fault.level, 'error')
  t.like(fault.err, { code: 'ERR_INTERNAL' })
  t.regex(fault.message, /a router lost a connection: a bug on purpose/)
  t.is(await stop(node), 0)
  t.false(lines().some(({ event }) => event.startsWith('worker_')))
})

test('threads that have not the native driver are told of once, and serve by the other one', async t => {
  const flags = ['--threads', '2', '--max-bytes', '16mb']
  const env = { NODE_OPTIONS: `--import ${DRIVERLESS}` }
  const { node, port, told, lines } = await logged(t, flags, env)
  const [missing] = await told('driver_missing')
  t.is(missing.level, 'warn')
  t.like(missing.err, { code: 'ERR_NATIVE_DRIVER' })
  t.is((await told('listening'))[0].driver, 'net')
  t.is(await (await Raw.open(t, port)).send('PING'), '+PONG\r\n')
  t.is(await stop(node), 0)
  t.is(lines().filter(({ event }) => event === 'driver_missing').length, 1)
})
