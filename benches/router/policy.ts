/**
 * What it costs that a node knows who may do what: hits of a user with a pattern of keys, against a node
 * where everybody may do everything; and an AUTH by a signed token that the node has checked before.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cpu } from '../lib/cpu.ts'
import { type RedisServer, redisServer } from '../lib/redis-server.ts'
import { median, type Row, table, times } from '../lib/report.ts'
import { load, spent } from './load.ts'
import { fill, startNode } from './node.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const KEYS = 10_000
const ACL = 'nopass ~key:* +@all -@dangerous'
const LOADS = [
  { name: '50 clients', flags: ['-c', '50'], requests: 60_000 },
  { name: 'pipeline 16', flags: ['-c', '50', '-P', '16'], requests: 400_000 },
] as const
/** Logins that are measured, 16 together. */
const LOGINS = 100_000
/** The most that a hit may cost with rules, compared with one without. */
const BAR = 1.03
/** The most that a login may cost, in microseconds. */
const LOGIN = 20

export async function policy({ rounds }: { rounds: number }): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'breakwater-policy-'))
  const store = await redisServer()
  const nodes: Awaited<ReturnType<typeof startNode>>[] = []
  try {
    const [open, ruled] = [await node(store, dir, {}), await node(store, dir, rules(dir))]
    nodes.push(open, ruled)
    await fill(open.port, KEYS)
    const sides = { 'no users': open, 'a pattern of keys': ruled }
    for (const { port } of nodes) {
      await load(port, ['-c', '50', '-P', '32', '-n', `${KEYS * 12}`, '-r', `${KEYS}`, '-t', 'get'])
    }
    const rows: Row[] = []
    for (const { name, flags, requests } of LOADS) {
      const asked = { flags: [...flags, '-r', `${KEYS}`, '-t', 'get'], requests }
      const figures = await spent(sides, rounds * 3, asked)
      const [without, within] = [figures['no users'], figures['a pattern of keys']]
      const ratio = median(within.map((value, round) => value / without[round]!))
      const row = { bench: 'router', what: `policy: hits, ${name}`, entries: KEYS, unit: 'us' }
      rows.push({ ...row, side: 'no users', value: median(without) })
      rows.push({ ...row, side: 'a pattern of keys', value: median(within), ratio: 1 / ratio })
    }
    const before = cpu(ruled.pid)
    await load(ruled.port, ['-c', '50', '-P', '16', '-n', `${LOGINS}`, 'auth', token(dir)])
    const value = (cpu(ruled.pid) - before) / LOGINS
    const login = { bench: 'router', what: 'policy: AUTH by a token', entries: 1, unit: 'us' }
    rows.push({ ...login, side: 'checked before', value, ratio: LOGIN / value })
    show(rows)
    return rows
  } finally {
    for (const one of nodes) await one.stop()
    await store.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

function show(rows: Row[]): void {
  console.log(
    `\nrouter: policy: CPU of the node an operation, us: hits of a user with '${ACL}' compared with no ` +
      `users (at most ${BAR}x), AUTH by a token that was checked before (at most ${LOGIN} us)`,
  )
  const lines = rows.map(({ what, side, value, ratio }) => {
    const compared = side === 'a pattern of keys' ? times(1 / ratio!) : ''
    return [`${what}, ${side}`, value.toFixed(3), compared]
  })
  table([['', 'us', ''], ...lines])
}

/** A node in front of the store with such users. */
function node(store: RedisServer, dir: string, config: object) {
  const file = join(dir, `config-${Object.keys(config).length}.json`)
  writeFileSync(file, JSON.stringify(config))
  const route = ['--route', '*,ttl=1h']
  return startNode('--config', file, '--store', `redis://127.0.0.1:${store.port}`, ...route)
}

function rules(dir: string): object {
  const [key, secret] = [join(dir, 'key.jwk'), 'c'.repeat(43)]
  writeFileSync(key, JSON.stringify({ kty: 'oct', alg: 'HS256', k: secret }))
  const users = [{ name: 'default', acl: ACL }]
  return { users, tokens: { keys: [key], acl: '~{sub}:* +@all -@dangerous' } }
}

function token(dir: string): string {
  const args = [CLI, 'token', 'make', '--key', join(dir, 'key.jwk'), '--subject', 'ada']
  return execFileSync(process.execPath, args, { encoding: 'utf8' }).trim()
}
