/** Runs one operation of every side through benny and prints the ratio of ours to each. */
import benny from 'benny'
import { type Row, table, times } from './report.ts'
import { build, type MapLike, type Needs, OURS, SIDES } from './sides.ts'

/** What is measured: how the caches are built and filled, and the operation. */
export interface Workload<V, D extends object> {
  /** Its name in the report. */
  what: string
  /** The sides that can do it; all, if absent. */
  sides?: readonly string[]
  /** What the caches are built for. */
  needs: Needs
  /** Fills a cache. */
  fill?: (cache: MapLike<V>) => void
  /** What the operation reads, such as keys. */
  data: D
  /**
   * Makes the operation. Its text is compiled anew for each side, so that none is slowed by the
   * types that another has seen: it must use nothing but its arguments.
   */
  op: (cache: MapLike<V>, data: D) => () => unknown
  /** The part of the operation that is not the cache's, such as building the key: taken off all. */
  overhead?: (data: D) => () => unknown
  /** How many cache operations one call makes; 1 if absent. */
  batch?: number
}

/** How long to measure a side, in seconds. */
export interface Effort {
  seconds: number
}

/** Measures a workload on every side. */
export async function compare<V, D extends object>(
  bench: string,
  entries: number,
  work: Workload<V, D>,
  effort: Effort,
): Promise<Row[]> {
  const off = work.overhead ? await time(bench, specialize(work.overhead)(work.data), effort) : 0
  const measured: [string, number][] = []
  for (const side of work.sides ?? Object.keys(SIDES)) {
    let cache: MapLike<V> | undefined = build<V>(side, work.needs)
    work.fill?.(cache)
    global.gc?.()
    const ns = await time(`${work.what}, ${side}`, specialize(work.op)(cache, work.data), effort)
    measured.push([side, Math.max(ns - off, 0.1) / (work.batch ?? 1)])
    cache = undefined
  }
  const ours = measured.find(([side]) => side === OURS)?.[1] ?? Number.NaN
  const row = { bench, what: work.what, entries, unit: 'ns' }
  const rows: Row[] = measured.map(([side, value]) =>
    side === OURS ? { ...row, side, value } : { ...row, side, value, ratio: value / ours },
  )
  console.log(`\n${work.what}, ${entries.toLocaleString('en')} entries`)
  table([
    ['', 'ns/op', 'Mops/s', `${OURS} is`],
    ...rows.map(({ side, value, ratio }) => [
      side,
      value.toFixed(1),
      (1e3 / value).toFixed(2),
      times(ratio),
    ]),
  ])
  return rows
}

/**
 * The operation, with a text and so with type feedback of its own. Its result is kept, or the
 * compiler would leave out an operation that nobody looks at.
 */
function specialize<A extends unknown[]>(make: (...args: A) => () => unknown) {
  const text = `return (...args) => { const op = (${make})(...args); return () => { kept.last = op() } }`
  // tsx names functions by this helper.
  const named = (named: unknown) => named
  return new Function('kept', '__name', text)(kept, named) as (...args: A) => () => void
}
const kept: { last?: unknown } = {}

/** Nanoseconds that a call takes, benny's median. */
async function time(name: string, op: () => unknown, { seconds }: Effort): Promise<number> {
  const options = { maxTime: seconds, minSamples: 20 }
  const summary = await benny.suite(
    name,
    benny.add(name, () => op, options),
  )
  const result = summary.results[0]
  if (!result) throw new Error(`${name} was not measured`)
  return result.details.median * 1e9
}
