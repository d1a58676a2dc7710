// What capacity to choose: the smallest that answers nearly all that any cache could.
import type { Point, Trace } from './trace.ts'

/** Of what a cache without bounds answers. */
const ENOUGH = 0.95

/** A capacity, and what LRU would answer with it. */
export interface Advice extends Point {
  /** What a cache without bounds would answer. */
  readonly most: number
}

/** The capacities at which a curve is drawn: some twenty, from a thousandth of everything to all. */
function capacitiesOf(everything: number): number[] {
  const steps = Array.from({ length: 21 }, (_, step) => everything * 10 ** ((step - 20) * 0.15))
  return [...new Set(steps.map(step => Math.max(1, Math.round(step))))]
}

/** What LRU would answer with each capacity, from a small cache to one that holds everything. */
export function curveOf(trace: Trace, rate: number, inBytes: boolean): Promise<Point[]> {
  return trace.curve(rate, inBytes, capacitiesOf(inBytes ? trace.bytes : trace.keys))
}

/** The smallest capacity of a curve that answers enough. */
export function adviceOn(curve: readonly Point[]): Advice {
  const most = curve.at(-1)?.hitRatio ?? 0
  const point = curve.find(({ hitRatio }) => hitRatio >= most * ENOUGH)
  return { ...(point ?? { capacity: 1, hitRatio: 0, error: 0 }), most }
}
