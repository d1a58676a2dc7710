// What capacity to choose: the smallest that answers nearly all that any cache could.
import type { Trace } from './trace.ts'

/** Of what a cache without bounds answers. */
const ENOUGH = 0.95

/** A capacity, and what LRU would answer with it. */
export interface Advice {
  readonly capacity: number
  /** From 0 to 1. */
  readonly hitRatio: number
  /** What a cache without bounds would answer. */
  readonly most: number
}

/** The capacities at which a curve is drawn: some twenty, from a thousandth of everything to all. */
export function capacitiesOf(everything: number): number[] {
  const steps = Array.from({ length: 21 }, (_, step) => everything * 10 ** ((step - 20) * 0.15))
  return [...new Set(steps.map(step => Math.max(1, Math.round(step))))]
}

/** The smallest of the capacities that answers enough. */
export async function adviceOn(trace: Trace, rate: number, inBytes: boolean): Promise<Advice> {
  const capacities = capacitiesOf(inBytes ? trace.bytes : trace.keys)
  const ratios = await trace.curve(rate, inBytes, capacities)
  const most = ratios.at(-1) ?? 0
  const at = ratios.findIndex(ratio => ratio >= most * ENOUGH)
  return { capacity: capacities[at] ?? 1, hitRatio: ratios[at] ?? 0, most }
}
