/**
 * What hooks cost: CPU of a node in front of a store for a `GET`, with hooks of each kind against none.
 * What memory answers, and keys that are new, for which a hook that chooses routes is asked each time.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RedisServer, redisServer } from '../lib/redis-server.ts'
import { median, type Row, table, times } from '../lib/report.ts'
import { load, type Side, spent } from './load.ts'
import { fill, startNode } from './node.ts'

const KEYS = 10_000
const NONE = 'no hooks'
/** What the default export of a module is. */
const HOOKS = {
  [NONE]: undefined,
  'onCommand, of other commands': "{ onCommand: { commands: ['flushall'], handle() {} } }",
  'onCommand, of GET': "{ onCommand: { commands: ['get'], handle() {} } }",
  'onCommand, of GET, async':
    "{ onCommand: { commands: ['get'], async: true, async handle() {} } }",
  route: "{ route: () => '*' }",
} as const

const LOADS = [
  { name: 'hits, 50 clients', flags: ['-c', '50'], requests: 60_000, keys: KEYS },
  { name: 'hits, pipeline 16', flags: ['-c', '50', '-P', '16'], requests: 200_000, keys: KEYS },
  // Twelve digits of them: hardly one comes again.
  { name: 'new keys, 50 clients', flags: ['-c', '50'], requests: 60_000, keys: 1_000_000_000 },
] as const

export async function hooks({ rounds }: { rounds: number }): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'breakwater-hooks-'))
  const store = await redisServer()
  const nodes = new Map<string, Side & { stop(): Promise<void> }>()
  try {
    for (const [kind, text] of Object.entries(HOOKS)) {
      nodes.set(kind, await node(store, join(dir, `${nodes.size}.mjs`), text))
    }
    const sides = Object.fromEntries(nodes) as Record<string, Side>
    await fill(sides[NONE]!.port, KEYS)
    const warm = ['-c', '50', '-P', '32', '-n', `${KEYS * 12}`, '-r', `${KEYS}`, '-t', 'get']
    for (const { port } of nodes.values()) await load(port, warm)
    const rows: Row[] = []
    for (const { name, flags, requests, keys } of LOADS) {
      const asked = { flags: [...flags, '-r', `${keys}`, '-t', 'get'], requests }
      rows.push(...compared(name, await spent(sides, rounds * 3, asked)))
    }
    show(rows)
    return rows
  } finally {
    for (const one of nodes.values()) await one.stop()
    await store.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

function compared(name: string, figures: Record<string, number[]>): Row[] {
  const row = { bench: 'hooks', what: name, entries: KEYS, unit: 'us' }
  return Object.entries(figures).map(([side, values]) => {
    const more = median(values.map((value, round) => value / figures[NONE]![round]!))
    return { ...row, side, value: median(values), ratio: 1 / more }
  })
}

function show(rows: Row[]): void {
  console.log(
    '\nhooks: CPU of the node for a GET, us, and how many times that of a node without hooks',
  )
  const names = LOADS.map(({ name }) => name)
  const lines = Object.keys(HOOKS).map(kind => {
    const cells = names.map(name => {
      const { value, ratio } = rows.find(({ what, side }) => what === name && side === kind)!
      return `${value.toFixed(2)}  ${times(1 / ratio!)}`
    })
    return [kind, ...cells]
  })
  table([['', ...names], ...lines])
}

/** A node in front of the store with such hooks. */
function node(store: RedisServer, file: string, text: string | undefined) {
  const flags = ['--store', `redis://127.0.0.1:${store.port}`, '--route', '*,ttl=1h']
  if (text === undefined) return startNode(...flags)
  writeFileSync(file, `export default ${text}\n`)
  return startNode(...flags, '--hooks', file)
}
