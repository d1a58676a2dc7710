/** Ours beside the hit ratios that an independent simulator computed for a folder of traces. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Row, table } from '../lib/report.ts'
import { read, TraceError } from './formats.ts'
import { nameOf, type Policy, Replay, type Side } from './replay.ts'

/** Stands for the best policy of each row. */
const BEST = 'best'

/** The column that is no policy's. */
const OPTIMUM = 'opt'

/** By which column each policy of ours is measured. */
const MEASURE: Record<Policy, string> = { lru: 'lru', lfu: 's3-fifo', auto: BEST, random: 'lru' }

interface Reference {
  columns: string[]
  rows: { trace: string; entries: number; ratios: number[] }[]
}

/**
 * Replays every row of the folder's reference.tsv and prints ours beside its columns.
 * @throws TraceError if the folder has no reference.tsv or lacks a trace.
 */
export async function compare(folder: string, sides: readonly Side[]): Promise<Row[]> {
  const { columns, rows } = parse(folder)
  const heads = sides.flatMap(side => [nameOf(side), `to ${MEASURE[side.policy]}`])
  const lines: (string | number)[][] = [['trace', 'entries', ...columns, ...heads]]
  const sums = new Array<number>(columns.length + heads.length).fill(0)
  const off = new Map<Side, number[]>(sides.map(side => [side, []]))
  const report: Row[] = []
  for (const { trace, entries, ratios } of rows) {
    const ours = await replay(join(folder, `${trace}.u32.gz`), entries, sides)
    const cells = [...ratios]
    for (const { side, ratio } of ours) {
      const difference = ratio - measure(MEASURE[side.policy], columns, ratios)
      cells.push(ratio, difference)
      off.get(side)?.push(difference)
      const row = { bench: 'reference', what: trace, entries, side: nameOf(side) }
      report.push({ ...row, value: ratio, unit: '% hits' })
    }
    for (const [at, cell] of cells.entries()) sums[at] = (sums[at] ?? 0) + cell
    lines.push([trace, entries, ...cells.map(show(columns.length))])
  }
  const averages = sums.map(sum => sum / rows.length)
  lines.push(['average', '', ...averages.map(show(columns.length))])
  table(lines)
  for (const [side, differences] of off) {
    const [worst, best] = [Math.min(...differences), Math.max(...differences)]
    const name = MEASURE[side.policy]
    console.log(`  ${nameOf(side)} to ${name}: worst ${signed(worst)}, best ${signed(best)} points`)
  }
  return report
}

/** The hit ratio that ours is measured by. */
function measure(name: string, columns: string[], ratios: number[]): number {
  if (name !== BEST) return ratios[columns.indexOf(name)] ?? Number.NaN
  return Math.max(...ratios.filter((_, at) => columns[at] !== OPTIMUM))
}

async function replay(file: string, entries: number, sides: readonly Side[]) {
  const replays = sides.map(side => new Replay(side, entries))
  for await (const batch of read(file)) {
    for (const replay of replays) replay.run(batch)
  }
  for (const replay of replays) replay.close()
  return replays
}

function parse(folder: string): Reference {
  const file = join(folder, 'reference.tsv')
  if (!existsSync(file)) throw new TraceError(`there is no ${file}`)
  const [head = '', ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n')
  const rows = lines.map(line => {
    const [trace = '', entries, ...ratios] = line.split('\t')
    return { trace, entries: Number(entries), ratios: ratios.map(Number) }
  })
  return { columns: head.split('\t').slice(2), rows }
}

const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(2)}`

/** Ratios as they are; after them ours, each followed by its difference. */
const show = (columns: number) => (value: number, at: number) =>
  at >= columns && (at - columns) % 2 === 1 ? signed(value) : value.toFixed(2)
