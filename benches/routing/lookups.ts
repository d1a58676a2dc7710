// How long a ring takes to find the node of a key: keys of every length and kind, the same strings again
// and again, and strings that are built for each lookup.
import { Ring } from '../../dist/routing/index.js'
import { median, type Row, table } from '../lib/report.ts'

/** Keys of each shape differ in their last six digits. */
const KEYS = 80_000
const SHAPES: Readonly<Record<string, (id: number) => string>> = {
  '8 characters': id => `u:${id}`,
  '16 characters': id => `user:acme:${id}`,
  '24 characters': id => `session:user:2026:${id}`.padEnd(24, '0'),
  '36 characters': id => `f47ac10b-58cc-4372-a567-0e02b2${id}`,
  '60 characters': id => `tenant:acme-corporation:region:eu-west-1:user:profile:${id}`,
  '13, not ASCII': id => `straße:${id}`,
  '22, emoji': id => `😀:user:profile:${id}`,
}
const NODES = [5, 20, 100]
const LOOKUPS = 300_000
/** The most nanoseconds that a lookup may take. */
const BAR = 150

/** Nanoseconds of this thread for each of so many calls. */
function cost(count: number, f: (i: number) => unknown): number {
  const before = process.cpuUsage()
  for (let i = 0; i < count; i++) f(i)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1_000) / count
}

export function lookups({ rounds }: { rounds: number }): Row[] {
  const rows: Row[] = []
  const lines: string[][] = [['', ...NODES.flatMap(n => [`${n} nodes, same`, 'fresh'])]]
  const rings = NODES.map(count => new Ring(Array.from({ length: count }, (_, i) => `10.0.0.${i}`)))
  for (const [shape, make] of Object.entries(SHAPES)) {
    const line = [shape]
    const keys = Array.from({ length: KEYS }, (_, i) => flat(make(100_000 + i)))
    const fresh = (i: number) => make(100_000 + (i % KEYS))
    let length = 0
    const build = of(rounds, () => cost(LOOKUPS, i => (length += fresh(i).length)))
    rings.forEach((ring, at) => {
      const same = of(rounds, () => cost(LOOKUPS, i => ring.locate(keys[i % KEYS] as string)))
      const built = of(rounds, () => cost(LOOKUPS, i => ring.locate(fresh(i)))) - build
      line.push(same.toFixed(0), built.toFixed(0))
      const row = { bench: 'routing', what: `lookup, ${shape}`, entries: NODES[at] as number }
      rows.push({ ...row, side: 'same keys', value: same, unit: 'ns', ratio: BAR / same })
      rows.push({ ...row, side: 'fresh keys', value: built, unit: 'ns', ratio: BAR / built })
    })
    lines.push(line)
  }
  const worst = Math.max(...rows.map(({ value }) => value))
  console.log(
    `\nLookups in a ring of 1,024 points a node, ns (at most ${BAR}; the worst takes ${worst.toFixed(0)}); building fresh keys is taken off`,
  )
  table(lines)
  return rows
}

/** A string that lies in one piece, as those do that come from a socket. */
const flat = (text: string) => Buffer.from(text).toString()

const of = (rounds: number, f: () => number) => median(Array.from({ length: rounds }, f))
