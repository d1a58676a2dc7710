/**
 * What the index of the drop-in weighs on V8's heap beside that of lru-cache, all entries having one
 * value, and how long the collector stops the program while entries come and go. Each figure comes
 * from a process of its own; the sides alternate.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LRUCache as Peer } from 'lru-cache'
import { DROP_IN } from './lib/any-key.ts'
import { answer, Child } from './lib/child.ts'
import { watchCollector } from './lib/collector.ts'
import { random, short, shuffled } from './lib/data.ts'
import { LRUCache } from './lib/drop-in.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { quotient } from './lib/rounds.ts'
import { PEER } from './lib/sides.ts'

/** What a process measures. */
const TESTS = ['keys held by the program too', 'keys held by the cache alone', 'churn'] as const
type Test = (typeof TESTS)[number]
type Request = { side: string; test: Test; entries: number }

/** What it answers. */
type Figures = Record<string, number>

/** The figures of each test, by the unit that they are printed in. */
const UNITS: Record<Test, { unit: string; figures: readonly string[] }> = {
  'keys held by the program too': {
    unit: 'bytes an entry',
    figures: ["V8's heap", 'outside the heap', 'resident'],
  },
  'keys held by the cache alone': {
    unit: 'bytes an entry',
    figures: ["V8's heap", 'outside the heap', 'resident'],
  },
  churn: { unit: 'ms', figures: ['longest pause', 'all pauses', 'time'] },
}

/** Runs it and returns its figures. */
export async function dropInHeap(options: { entries: number; rounds: number }): Promise<Row[]> {
  const { entries, rounds } = options
  const rows: Row[] = []
  for (const test of TESTS) {
    const ours: Figures[] = []
    const theirs: Figures[] = []
    for (let round = 0; round < rounds; round++) {
      ours.push(await once({ side: DROP_IN, test, entries }))
      theirs.push(await once({ side: PEER, test, entries }))
    }
    const { unit, figures } = UNITS[test]
    console.log(`\ndrop-in-heap: ${short(entries)} entries, ${test}, ${unit}`)
    const lines: (string | number)[][] = [['', DROP_IN, PEER, `${DROP_IN} takes less by`]]
    for (const name of figures) {
      const all = (runs: Figures[]) => runs.map(run => run[name] as number)
      const ratio = quotient(all(theirs), all(ours))
      const [value, other] = [median(all(ours)), median(all(theirs))]
      lines.push([name, value.toFixed(1), other.toFixed(1), times(ratio)])
      const row = { bench: 'drop-in-heap', what: `${test}: ${name}`, entries, unit }
      rows.push({ ...row, side: DROP_IN, value, ratio }, { ...row, side: PEER, value: other })
    }
    table(lines)
  }
  return rows
}

/** One figure out of one process. */
async function once(request: Request): Promise<Figures> {
  const child = new Child(new URL(import.meta.url))
  try {
    return await child.ask<Figures>(request)
  } finally {
    await child.end()
  }
}

interface Store {
  get(key: string): object | undefined
  set(key: string, value: object): unknown
}

const VALUE = { shared: true }
const build = (side: string, max: number): Store =>
  side === PEER ? new Peer<string, object>({ max }) : new LRUCache<string, object>({ max })
const key = (id: number) => `user:${id}`

/** How much memory grows by an index of entries, in bytes an entry. */
function weigh({ side, test, entries }: Request): Figures {
  // Compiles the code before the count begins.
  const trial = build(side, 1000)
  for (let id = 0; id < 100_000; id++) trial.set(key(id), VALUE)
  const keys = Array.from({ length: entries }, (_, id) => key(id))
  const order = shuffled(entries)
  const held = test === 'keys held by the program too'
  if (!held) keys.length = 0
  const before = memory()
  const cache = build(side, entries)
  for (const id of order) cache.set(held ? (keys[id] as string) : key(id), VALUE)
  const after = memory()
  for (let id = 0; id < entries; id++) {
    if (cache.get(key(id)) !== VALUE) throw new Error(`${side} lost ${id}`)
  }
  if (held && keys.length !== entries) throw new Error('the keys are gone')
  const grown = (name: keyof NodeJS.MemoryUsage) => (after[name] - before[name]) / entries
  return {
    "V8's heap": grown('heapUsed'),
    'outside the heap': grown('external'),
    resident: grown('rss'),
  }
}

function memory(): NodeJS.MemoryUsage {
  for (let turn = 0; turn < 4; turn++) global.gc?.()
  return process.memoryUsage()
}

/** Replaces all entries twice, a read beside each write, fifty of both in a turn of the loop. */
async function churn({ side, entries }: Request): Promise<Figures> {
  const cache = build(side, entries)
  let next = 0
  while (next < entries) cache.set(key(next++), VALUE)
  global.gc?.()
  await turn()
  const collector = watchCollector()
  const draw = random(3)
  let hits = 0
  const start = performance.now()
  while (next < 3 * entries) {
    for (let at = 0; at < 50; at++) {
      cache.set(key(next++), VALUE)
      // Of the younger half, so that it is still there.
      if (cache.get(key(next - 1 - (draw() % (entries >> 1)))) === VALUE) hits++
    }
    await turn()
  }
  const time = performance.now() - start
  const { longest, total } = await collector()
  if (hits !== next - entries) throw new Error(`${side}: ${next - entries - hits} reads missed`)
  return { 'longest pause': longest, 'all pauses': total, time }
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  answer<Request>(request => (request.test === 'churn' ? churn(request) : weigh(request)))
}
