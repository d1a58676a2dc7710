// A timer that somebody waits for keeps the process; one that nobody waits for does not: for every file
// of the package that sets one.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { installed, redis } from '../router/support.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const script = fileURLToPath(new URL('../helpers/alive.mjs', import.meta.url))

type Cases = Record<'awaited' | 'forgotten', readonly string[]>

/** The cases of alive.mjs, by the file that has the timer. */
const timers: Record<string, Cases> = {
  'admin/server.ts': { awaited: ['admin: close'], forgotten: [] },
  // They run until somebody ends them: `admin/orders`, `laboratory/record`, `router/reload`,
  // `deploy/systemd`, `dashboard/top`; the end of a node, `router/warm-file`.
  'cli/leave.ts': { awaited: [], forgotten: [] },
  'cli/orders.ts': { awaited: [], forgotten: [] },
  // It holds up the end of the command: `router/log-readers`.
  'cli/outlet.ts': { awaited: [], forgotten: [] },
  'cli/record.ts': { awaited: [], forgotten: [] },
  'cli/reload.ts': { awaited: [], forgotten: [] },
  'cli/systemd.ts': { awaited: [], forgotten: [] },
  'cli/top.ts': { awaited: [], forgotten: [] },
  'dashboard/removals.ts': { awaited: [], forgotten: ['dashboard: removals'] },
  'dashboard/sampler.ts': { awaited: [], forgotten: ['dashboard: samples'] },
  'guard/breaker.ts': { awaited: [], forgotten: ['breaker', 'breaker that tries'] },
  'guard/gate.ts': {
    awaited: ['rate', 'rate of a refresh'],
    forgotten: ['rate', 'rate, once given up'],
  },
  'guard/retry.ts': {
    awaited: ['retry', 'retry of a refresh', 'writeBehind: retry'],
    forgotten: ['retry', 'retry, once given up'],
  },
  // No part of the public API: `laboratory/simulate` runs the command that waits for it.
  'lab/progress.ts': { awaited: [], forgotten: [] },
  // What it pauses is a socket.
  'lab/recording.ts': { awaited: [], forgotten: [] },
  'loading/batch.ts': {
    awaited: ['batch', 'batch of a refresh'],
    forgotten: ['batch', 'batch, once given up'],
  },
  'loading/flight.ts': { awaited: ['softTimeout', 'timeout'], forgotten: [] },
  'loading/flights.ts': {
    awaited: ['lockTimeout'],
    forgotten: ['lockTimeout', 'lockTimeout, once given up'],
  },
  'loading/tiered.ts': { awaited: ['tierLease'], forgotten: ['tierLease'] },
  'lru-cache/ages.ts': { awaited: [], forgotten: ['drop-in: ttlResolution'] },
  'lru-cache/purge.ts': { awaited: [], forgotten: ['drop-in: ttlAutopurge'] },
  'metrics/watch.ts': { awaited: [], forgotten: ['metrics: the first minute'] },
  // What it waits for is a process, which keeps this one: `router/process-memory`.
  'router/asking.ts': { awaited: [], forgotten: [] },
  'router/audit.ts': { awaited: [], forgotten: ['router: audit'] },
  'router/drain.ts': { awaited: ['router: drain'], forgotten: [] },
  'router/driver.ts': { awaited: ['router: net'], forgotten: [] },
  'router/hooks/calls.ts': { awaited: [], forgotten: ['router: deadline of a hook'] },
  'router/log-rate.ts': { awaited: [], forgotten: ['router: logger'] },
  'router/memory.ts': { awaited: [], forgotten: ['router: memory that is listened to'] },
  // It runs until it is told to end: `router/processes`.
  'router/process.ts': { awaited: [], forgotten: [] },
  // It runs until whoever takes it ends it: `laboratory/record-node`.
  'router/reading.ts': { awaited: ['router: net'], forgotten: [] },
  'router/recording.ts': { awaited: [], forgotten: [] },
  'router/router.ts': { awaited: ['router: warmUp'], forgotten: [] },
  'router/sockets.ts': { awaited: ['router: native'], forgotten: [] },
  // What it waits for is a start, which keeps this process: `router/warm-start`.
  'router/warm-start.ts': { awaited: [], forgotten: ['router: warm'] },
  'router/watch.ts': { awaited: [], forgotten: ['router: onHotKey', 'router: onStore'] },
  'router/workers.ts': { awaited: ['router: net', 'router: native'], forgotten: [] },
  'routing/pool/job.ts': { awaited: ['pool: timeout'], forgotten: [] },
  'routing/pool/seat.ts': {
    awaited: ['pool: restart', 'pool: stuckAfter', 'pool: close', 'pool: close while it starts'],
    forgotten: ['pool: restart', 'pool: stuckAfter'],
  },
  'tier/redis/channel/channel.ts': { awaited: ['redis: close'], forgotten: [] },
  'tier/redis/channel/footing.ts': { awaited: ['redis: ready'], forgotten: ['redis: heartbeat'] },
  'tier/redis/clients/connection.ts': {
    awaited: ['redis: timeout, ioredis', 'redis: timeout, node-redis'],
    forgotten: [],
  },
  'tier/redis/session/leases.ts': { awaited: ['redis: lease'], forgotten: ['redis: lease'] },
  'tier/redis/session/owed.ts': { awaited: [], forgotten: ['redis: removals that are owed'] },
  'warm/warm.ts': {
    awaited: ['warm: budget', 'warm: rate'],
    forgotten: ['warm: budget', 'warm: rate', 'warm: every'],
  },
  'writing/again.ts': { awaited: [], forgotten: ['again'] },
  'writing/behind.ts': {
    awaited: ['writeBehind: maxDelay', 'writeBehind: closeTimeout'],
    forgotten: [],
  },
  'writing/through.ts': { awaited: ['writer'], forgotten: [] },
}

/** What sets a timer, and what only passes it on. */
const SETS = /\.after\(|\bpause\(|\bsetTimeout\(|\bsetInterval\(/
const passes = ['base/timers.ts', 'base/pause.ts', 'base/clock.ts', 'base/deadlines.ts']

interface End {
  text: string
  code: number | null
}

/** What a process said that ended by itself. */
async function run(...args: string[]): Promise<End> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', data => (text += data))
  // With its last words: what it has printed may be read after it has ended.
  const [code] = await once(child, 'close')
  return { text, code }
}

const named = (kind: keyof Cases) => [...new Set(Object.values(timers).flatMap(row => row[kind]))]

test('every file that sets a timer is in the table, and every case of it', async t => {
  t.timeout(120_000)
  const files = readdirSync(`${root}/src`, { recursive: true, encoding: 'utf8' })
    .map(file => file.replaceAll('\\', '/'))
    .filter(file => file.endsWith('.ts') && !passes.includes(file))
    // It runs in a browser.
    .filter(file => !file.startsWith('dashboard/page/'))
    .filter(file => SETS.test(readFileSync(`${root}/src/${file}`, 'utf8')))
  t.deepEqual(files.sort(), Object.keys(timers))
  const cases = JSON.parse((await run('names')).text) as Cases
  for (const kind of ['awaited', 'forgotten'] as const) {
    t.deepEqual([...cases[kind]].sort(), named(kind).sort())
  }
})

/** A case, with a server of Redis if it needs one. */
async function end(t: ExecutionContext, kind: keyof Cases, name: string): Promise<End> {
  t.timeout(240_000)
  if (!name.startsWith('redis')) return run(kind, name)
  const { port } = await redis(t)
  return run(kind, name, `${port}`)
}

const needs = (name: string) =>
  name.startsWith('redis') && !installed('redis-server') ? test.skip : test.serial

for (const name of named('awaited')) {
  needs(name)(`a process waits for a timer that somebody waits for: ${name}`, async t => {
    t.deepEqual(await end(t, 'awaited', name), { text: 'done', code: 0 })
  })
}

for (const name of named('forgotten')) {
  needs(name)(`a process ends before a timer that nobody waits for: ${name}`, async t => {
    t.deepEqual(await end(t, 'forgotten', name), { text: '', code: 0 })
  })
}
