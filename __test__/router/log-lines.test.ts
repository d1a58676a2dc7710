// What the log of a node says, where, and from which level on; and why connections ended.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type LogFields, type LogLevel, type RouterOptions } from 'breakwater/router'
import { page } from '../docs/page.ts'
import { folderOf } from '../helpers/folders.ts'
import { inSeconds, issuer } from './policy/tokens.ts'
import { hasRedis } from './store/support.ts'
import { encode, installed, Raw, redis } from './support.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const LEVELS = ['debug', 'info', 'warn', 'error'] as const

type Told = LogFields & { at: LogLevel; message: string }

/** A logger that keeps what it is told. */
function keeping() {
  const told: Told[] = []
  const tell = (at: (typeof LEVELS)[number]) => (fields: LogFields, message: string) =>
    void told.push({ ...fields, at, message })
  const logger = {
    debug: tell('debug'),
    info: tell('info'),
    warn: tell('warn'),
    error: tell('error'),
  }
  /** The first of an event, once it is told. */
  const first = async (event: string) => {
    for (;;) {
      const found = told.find(one => one.event === event)
      if (found !== undefined) return found
      await sleep(5)
    }
  }
  return { told, logger, first }
}

async function node(t: ExecutionContext, options: RouterOptions) {
  t.timeout(120_000)
  const kept = keeping()
  const given = { threads: 1, maxBytes: '16mb', logger: kept.logger, ...options } as const
  const router = createRouter(given)
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  return { router, port, given, ...kept }
}

/** Runs a node whose output goes to pipes of its own, ends it, and gives what it has said. */
async function said(t: ExecutionContext, flags: string[], until: RegExp) {
  const child = spawn(process.execPath, [CLI, 'serve', '--port', '0', '--workers', '1', ...flags])
  t.teardown(() => child.kill('SIGKILL'))
  const text = { out: '', err: '' }
  child.stdout.on('data', chunk => (text.out += chunk))
  child.stderr.on('data', chunk => (text.err += chunk))
  while (!until.test(text.out + text.err)) await sleep(5)
  const ended = once(child, 'close')
  child.kill('SIGTERM')
  await ended
  return text
}

for (const [at, logLevel] of ([...LEVELS, 'silent'] as const).entries()) {
  test(`from the level ${logLevel} on is told, and nothing below`, async t => {
    const { told, router, port, given } = await node(t, { logLevel })
    await t.throwsAsync(router.reload({ threads: 0 }))
    await router.reload({ ...given, maxClients: 7 })
    t.is(await (await Raw.open(t, port)).send('PING'), '+PONG\r\n')
    await router.close()
    const least = LEVELS.slice(at)
    t.true(told.every(one => (least as LogLevel[]).includes(one.at)))
    const has = (event: string) => told.some(one => one.event === event)
    t.deepEqual(['listening', 'reloaded', 'draining'].map(has), Array(3).fill(at <= 1))
    t.is(has('reload_refused'), at <= 3)
  })
}

test('a client that comes is told of only where somebody asks for it', async t => {
  for (const logConnections of [true, false]) {
    const { told, router, port } = await node(t, { logConnections, logLevel: 'debug' })
    for (let n = 0; n < 3; n++) await (await Raw.open(t, port)).send('QUIT')
    await router.close()
    const lines = told.filter(({ event }) => event.startsWith('connection'))
    t.is(lines.length, logConnections ? 6 : 0)
  }
})

test('connections are told up to a thousand times a second, and the rest is counted', async t => {
  const { told, port, router } = await node(t, { logConnections: true, maxClients: 20_000 })
  let come = 0
  while (!told.some(({ event }) => event === 'left_out')) {
    const clients = await Promise.all(Array.from({ length: 250 }, () => Raw.open(t, port)))
    for (const { socket } of clients) socket.destroy()
    come += clients.length
  }
  // Who waits to be accepted when the node ends never came.
  while (router.stats().connections < come) await sleep(5)
  await router.close()
  const lines = told.filter(({ event }) => event.startsWith('connection')).length
  const counts = told.filter(({ event }) => event === 'left_out')
  t.true(counts.every(({ of, at }) => of === 'connection' && at === 'warn'))
  const leftOut = counts.reduce((sum, { count }) => sum + Number(count), 0)
  t.is(lines + leftOut, 2 * come)
})

test('a text of a stranger is cut, and moves no cursor, in whatever field it is', async t => {
  const hooks = {
    onCommand: {
      handle: ({ args: [key] }: { args: readonly string[] }) => {
        throw new Error(`no such key: ${key}`)
      },
    },
  }
  const { first, port } = await node(t, { threads: 0, hooks })
  const odd = `a\r\n\u001b[2J\u2028${'x'.repeat(5_000)}`
  await (await Raw.open(t, port)).send('GET', odd)
  const { err, message } = await first('hook_failed')
  for (const text of [err!.message, message]) {
    t.true(
      text.startsWith('onCommand failed: no such key: a\\u000d\\u000a\\u001b[2J\\u2028xxx'),
      text,
    )
    t.true(text.length < 1_200, `${text.length}`)
    t.notRegex(text, /[\p{Cc}\u2028\u2029]/u)
  }
})

const shown = installed('python3') ? test : test.skip
/** Runs a program in a terminal, and copies what that shows. */
const TERMINAL = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)'

shown('in a terminal lines are pretty by themselves, and elsewhere plain', async t => {
  t.timeout(120_000)
  const command = [CLI, 'serve', '--port', '0', '--workers', '1']
  const env = { ...process.env, TERM: 'xterm' }
  delete (env as NodeJS.ProcessEnv).NO_COLOR
  for (const [colors, line] of [
    [true, /<90m\d\d:\d\d:\d\d<0m <32minfo <0m drained: /],
    [false, /\d\d:\d\d:\d\d info {2}drained: /],
  ] as const) {
    const child = spawn('python3', ['-c', TERMINAL, process.execPath, ...command], {
      env: colors ? env : { ...env, NO_COLOR: '1' },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    let text = ''
    child.stdout.on('data', chunk => (text += chunk))
    // The whole number: a terminal gives lines in pieces.
    const said = /process (\d+)\)/
    while (!said.test(text)) await sleep(5)
    const ended = once(child, 'close')
    process.kill(Number(said.exec(text)![1]), 'SIGTERM')
    await ended
    t.regex(text.replaceAll('\u001b[', '<'), line)
  }
  const { out, err } = await said(t, [], /Stop it with/)
  t.regex(out, /^breakwater: drained: /m)
  t.notRegex(out, /\d\d:\d\d:\d\d/)
  t.is(err, '')
})

test('plain warnings and errors go to the standard error, and nothing else does', async t => {
  t.timeout(120_000)
  const { out, err } = await said(t, ['--host', '0.0.0.0'], /warning: whoever reaches/)
  t.regex(err, /^breakwater: warning: whoever reaches 0\.0\.0\.0/)
  t.notRegex(out, /warning/)
  t.regex(out, /drained/)
})

test('an option that is wrong from the start is told in words, and so is a start that fails later in JSON', async t => {
  t.timeout(120_000)
  const run = (...flags: string[]) =>
    spawnSync(process.execPath, [CLI, 'serve', '--log-format', 'json', ...flags], {
      encoding: 'utf8',
    })
  const wrong = run('--max-bytes', 'lots')
  t.is(wrong.status, 2)
  t.is(wrong.stdout, '')
  t.regex(wrong.stderr, /^breakwater: error: --max-bytes must be /)
  const { port } = await node(t, {})
  const taken = run('--port', `${port}`)
  t.is(taken.status, 1)
  t.is(taken.stderr, '')
  const lines = taken.stdout.trim().split('\n')
  t.is(lines.length, 1)
  t.like(JSON.parse(lines[0]!), { level: 'error', event: 'not_started' })
  t.regex((JSON.parse(lines[0]!) as LogFields).reason as string, /is in use/)
})

test('whoever reaches an open node is warned of, and where it is administered is told', async t => {
  t.timeout(120_000)
  const flags = ['--log-format', 'json', '--host', '0.0.0.0', '--admin', '127.0.0.1:0']
  const { out } = await said(t, flags, /"event":"unlocked"/)
  const lines = out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as LogFields)
  t.like(
    lines.find(({ event }) => event === 'unlocked'),
    { level: 'warn', address: '0.0.0.0' },
  )
  const { address } = lines.find(({ event }) => event === 'administered')!
  t.regex(String(address), /^127\.0\.0\.1:\d+$/)
})

test('hooks and audits that fail, workers that are new, are told', async t => {
  const file = '/dev/full'
  const { first, router, port } = await node(t, {
    ...(process.platform === 'linux' ? { audit: { file } } : {}),
    users: [{ name: 'default', acl: 'nopass ~* +@all -get' }],
  })
  t.regex(await (await Raw.open(t, port)).send('GET', 'a'), /^-NOPERM/)
  if (process.platform === 'linux') {
    const { at, err } = await first('audit_failed')
    t.is(at, 'warn')
    t.regex(err!.message, /the audit log takes nothing: .*ENOSPC/)
  }
  await router.restart()
  t.like(await first('restarted'), { at: 'info', workers: 1, mode: 'threads' })
})

for (const driver of ['native', 'net'] as const) {
  test(`a subscriber that does not take its messages is told to have missed some, driver ${driver}`, async t => {
    const { port, first } = await node(t, { driver, logConnections: true, maxBuffers: '512mb' })
    const [subscriber, publisher] = [await Raw.open(t, port), await Raw.open(t, port)]
    await subscriber.send('SUBSCRIBE', 'news')
    subscriber.socket.pause()
    const message = 'm'.repeat(1024 * 1024)
    while ((await publisher.send('PUBLISH', 'news', message)).startsWith(':1'));
    t.is((await first('connection_closed')).cause, 'missed')
  })
}

const fronted = hasRedis ? test : test.skip

fronted('of each connection is told why it has ended', async t => {
  t.timeout(120_000)
  const store = await redis(t)
  const { token, file } = issuer('HS256')
  const key = join(folderOf(t, 'causes'), 'key.jwk')
  writeFileSync(key, file)
  const { told, router, port, given } = await node(t, {
    logConnections: true,
    maxBuffers: '4mb',
    slowReaderTimeout: '300ms',
    store: `redis://127.0.0.1:${store.port}`,
    users: [
      { name: 'default', acl: 'nopass ~* &* +@all' },
      { name: 'ada', password: 'a' },
    ],
    tokens: { keys: [key], acl: '~* +@all' },
  })
  let seen = 0
  /** Has a client end somehow; the cause that is told of it. */
  const cause = async (end: (client: Raw) => Promise<unknown> | undefined) => {
    const client = await Raw.open(t, port)
    const id = Number((await client.send('CLIENT', 'ID')).slice(1))
    await end(client)
    for (;;) {
      const line = told.find(one => one.event === 'connection_closed' && one.client === id)
      if (line !== undefined) {
        seen++
        return line.cause
      }
      await sleep(5)
    }
  }
  const watch = await Raw.open(t, port)
  t.is(await cause(async client => void client.socket.destroy()), 'client')
  t.is(await cause(client => client.send('QUIT')), 'closed')
  t.is(await cause(async client => client.write('*1\r\nodd\r\n')), 'protocol')
  const killed = async (client: Raw) =>
    watch.send('CLIENT', 'KILL', 'ID', (await client.send('CLIENT', 'ID')).slice(1).trim())
  t.is(await cause(killed), 'killed')
  // One that is over before it comes in gives way to one that lasts longer.
  const expired = async (client: Raw) => {
    for (let life = 2; ; life *= 2) {
      const password = token({ sub: 'eve', jti: '1', exp: inSeconds(life) })
      if ((await client.send('AUTH', password)) === '+OK\r\n') return
    }
  }
  t.is(await cause(expired), 'expired')
  const memory = async (client: Raw) => {
    client.write(encode(['BLPOP', 'nothing', '0']))
    for (let n = 0; n < 8; n++) client.write(encode(['SET', 'k', 'v'.repeat(1024 * 1024)]))
  }
  t.is(await cause(memory), 'memory')
  const slow = async (client: Raw) => {
    await client.send('SET', 'large', 'v'.repeat(1024 * 1024))
    client.socket.pause()
    client.write(Buffer.concat(Array.from({ length: 20 }, () => encode(['GET', 'large']))))
  }
  await router.reload({ ...given, maxBuffers: '64mb' })
  t.is(await cause(slow), 'slow')
  const drained = cause(() => router.close())
  t.is(await drained, 'drain')
  t.is(seen, 8)
  // Each is in the guide.
  const guide = page('operations.md')
  for (const { cause } of told) if (cause !== undefined) t.true(guide.includes(`\`${cause}\``))
})
