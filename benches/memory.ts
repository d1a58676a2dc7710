/**
 * Bytes an entry: how much resident memory grows by filling a cache with a million entries of
 * 16-byte keys and 32-byte values, each side in a process of its own.
 */
import { fileURLToPath } from 'node:url'
import { answer, Child } from './lib/child.ts'
import { short, text } from './lib/data.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { build, OURS, SIDES } from './lib/sides.ts'

const KEY = 16
const VALUE = 32

type Request = { side: string; entries: number }

/** Runs it and returns its figures. */
export async function memory(options: { entries: number; rounds: number }): Promise<Row[]> {
  const { entries } = options
  const rows: Row[] = []
  for (const side of Object.keys(SIDES)) {
    const grown: number[] = []
    for (let round = 0; round < options.rounds; round++) {
      const child = new Child(new URL(import.meta.url))
      grown.push(await child.ask<number>({ side, entries } satisfies Request))
      await child.end()
    }
    const value = median(grown) / entries - KEY - VALUE
    const ours = rows[0]?.value
    const row = { bench: 'memory', what: 'overhead an entry', entries, side, value, unit: 'bytes' }
    rows.push(ours === undefined ? row : { ...row, ratio: value / ours })
  }
  console.log(`\nmemory: ${short(entries)} entries of ${KEY}-byte keys and ${VALUE}-byte values`)
  table([
    ['', 'bytes an entry', 'beyond key and value', `${OURS} takes less by`],
    ...rows.map(({ side, value, ratio }) => [
      side,
      (value + KEY + VALUE).toFixed(1),
      value.toFixed(1),
      times(ratio),
    ]),
  ])
  return rows
}

function run({ side, entries }: Request): number {
  const cache = build(side, { max: entries })
  const fill = (id: number) =>
    cache.set(`key:${String(id).padStart(KEY - 4, '0')}`, text(id, VALUE))
  // Compiles the code and grows the young generation before the count begins.
  const trial = build(side, { max: 1000 })
  for (let id = 0; id < 3_000_000; id++) trial.set(`key:${id}`, text(id, VALUE))
  const before = resident()
  for (let id = 0; id < entries; id++) fill(id)
  return resident() - before
}

/** Resident bytes after a full collection. */
function resident(): number {
  for (let turn = 0; turn < 3; turn++) global.gc?.()
  return process.memoryUsage.rss()
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) answer<Request>(run)
