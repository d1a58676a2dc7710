// How long a ring takes to find the node of a key, and to be made.
import { Ring } from '../../dist/routing/index.js'
import { median, type Row, table } from '../lib/report.ts'

const LENGTHS = [10, 16, 24, 36, 60]
const NODES = [5, 20, 100]
const LOOKUPS = 300_000

/** Nanoseconds of this thread for each of so many calls. */
function cost(count: number, f: (i: number) => unknown): number {
  const before = process.cpuUsage()
  for (let i = 0; i < count; i++) f(i)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1_000) / count
}

export function lookups({ rounds }: { rounds: number }): Row[] {
  const rows: Row[] = []
  const lines: string[][] = [['lookup, ns', ...LENGTHS.flatMap(n => [`${n} same`, `${n} fresh`])]]
  for (const nodes of NODES) {
    const ring = new Ring(Array.from({ length: nodes }, (_, i) => `10.0.0.${i}:6379`))
    const line = [`${nodes} nodes`]
    for (const length of LENGTHS) {
      const pad = 'x'.repeat(Math.max(0, length - 10))
      const fresh = (i: number) => `user:${10_000 + (i % 80_000)}${pad}`
      const keys = Array.from({ length: 80_000 }, (_, i) => fresh(i))
      const same = times(rounds, () => cost(LOOKUPS, i => ring.locate(keys[i % 80_000] as string)))
      const made = times(rounds, () => cost(LOOKUPS, i => ring.locate(fresh(i))))
      line.push(same.toFixed(0), made.toFixed(0))
      const row = { bench: 'routing', what: `lookup, ${length} characters`, entries: nodes }
      rows.push({ ...row, side: 'same keys', value: same, unit: 'ns' })
      rows.push({ ...row, side: 'fresh keys', value: made, unit: 'ns' })
    }
    lines.push(line)
  }
  console.log('\nA ring of 1,024 points a node')
  table(lines)
  return rows
}

const times = (rounds: number, f: () => number) => median(Array.from({ length: rounds }, f))
