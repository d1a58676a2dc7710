// What `breakwater simulate` found, as text, as figures and as a chart.
import { adviceOn } from '../lab/advice.ts'
import { type Chart, type Line, SHARES } from '../lab/chart.ts'
import type { Outcome, Plan, Point, Simulated, Trace } from '../lab/trace.ts'
import { compact, sized, table } from './table.ts'

/** What a cache holds: entries, or bytes. */
export interface Size {
  readonly capacity: number
  readonly inBytes: boolean
}

/** What was simulated, and what came of it. */
export interface Study {
  readonly file: string
  readonly trace: Trace
  readonly sizes: readonly Size[]
  readonly policies: readonly Simulated[]
  /** Each policy at the first size, at the second, and so on. */
  readonly plans: readonly Plan[]
  readonly outcomes: readonly Outcome[]
  /** Of LRU, without `ttl` and for one node. */
  readonly curve: readonly Point[]
  /** Whether capacities of the curve are in bytes. */
  readonly inBytes: boolean
}

/** Every figure, for programs. */
export function figuresOf({ file, trace, plans, outcomes, curve }: Study): object {
  const { requests, keys, bytes } = trace
  const rows = plans.map((plan, at) => ({ ...plan, ...outcomes[at] }))
  return { file, requests, keys, bytes, rows, curve, advice: adviceOn(curve) }
}

/** A table and a sentence, for people. */
export function textOf(study: Study, withCurve: boolean): string {
  const { file, trace } = study
  const title = `${file}: ${trace.requests} requests of ${trace.keys} keys\n`
  const parts = [title, table(rowsOf(study)), `${sentence(study)}\n`]
  if (withCurve) parts.splice(2, 0, table(curveRowsOf(study)))
  return parts.join('\n')
}

/** A row for each size, with the hit ratio of each policy; that of bytes behind it, if there are sizes. */
function rowsOf({ trace, sizes, policies, outcomes }: Study): string[][] {
  const row = (size: Size, at: number) => {
    const mine = outcomes.slice(at * policies.length, (at + 1) * policies.length)
    const cells = mine.map(({ requests, hits, bytes, hitBytes }) => {
      const ratio = percent(hits / requests)
      return trace.hasSizes ? `${ratio} / ${percent(bytes === 0 ? 0 : hitBytes / bytes)}` : ratio
    })
    return [sized(size), ...cells]
  }
  const unit = trace.hasSizes ? 'hits % / bytes %' : 'hits %'
  return [[unit, ...policies], ...sizes.map(row)]
}

function curveRowsOf({ curve, inBytes }: Study): string[][] {
  const row = ({ capacity, hitRatio, error }: Point) => [
    sized({ capacity, inBytes }),
    percent(hitRatio),
    error === 0 ? 'exact' : `± ${percent(2 * error)}`,
  ]
  return [['curve of lru', 'hits %', '95 %'], ...curve.map(row)]
}

function percent(share: number): string {
  return (share * 100).toFixed(2)
}

function sentence({ curve, inBytes }: Study): string {
  const { capacity, hitRatio, most } = adviceOn(curve)
  const answered = (share: number) => `${(share * 100).toFixed(0)} %`
  const cache = sized({ capacity, inBytes })
  return `A cache of ${cache} would answer ${answered(hitRatio)} of these requests (lru); one without bounds ${answered(most)}.`
}

/** Hit ratios by size: a line for each policy, and the curve of LRU behind them. */
export function chartOf(study: Study): Chart {
  const { file, trace, sizes, policies, outcomes, curve, inBytes } = study
  const lineOf = (name: Simulated, column: number): Line => {
    const spots = sizes.map(({ capacity }, row) => {
      const { hits, requests } = outcomes[row * policies.length + column]!
      return { x: capacity, y: hits / requests }
    })
    return { name, spots, faint: name === 'optimum' }
  }
  // With a ttl or several nodes it would speak of another cache.
  const { ttl, nodes } = study.plans[0]!
  const least = Math.min(...sizes.map(({ capacity }) => capacity))
  const curveLine: Line = {
    name: 'lru, all sizes',
    spots: curve
      .filter(({ capacity }) => capacity >= least)
      .map(({ capacity, hitRatio, error }) => ({ x: capacity, y: hitRatio, error })),
    faint: true,
  }
  const drawn = policies.map(lineOf)
  if (ttl === undefined && nodes === 1 && curveLine.spots.length > 1) drawn.unshift(curveLine)
  return {
    title: 'Hit ratio by size of the cache',
    subtitle: `${file}: ${trace.requests.toLocaleString('en')} requests of ${trace.keys.toLocaleString('en')} keys`,
    lines: drawn,
    values: SHARES,
    unit: inBytes ? 'of values' : 'entries',
    label: x => (inBytes ? sized({ capacity: x, inBytes }) : compact(x)),
  }
}
