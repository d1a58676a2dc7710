// What moves when one ring takes the place of another, by the lengths of arcs.
import type { Points } from './points.ts'

/** Keys that one node hands to another. */
export interface RingMove {
  readonly from: string
  readonly to: string
  /** The share of all keys, from 0 to 1. */
  readonly share: number
}

/** What becomes of all keys when one ring takes the place of another. */
export interface RingDiff {
  /** The share of all keys that another node has then, from 0 to 1. */
  readonly moved: number
  /** Who hands how many keys to whom, the most first. */
  readonly moves: readonly RingMove[]
}

/** Points, and what their nodes are called. */
export interface Placed {
  readonly points: Points
  readonly names: readonly string[]
}

/** The share of all keys that lie with each pair of nodes: in `before`, and in `after`. */
export function overlaps(before: Placed, after: Placed): RingMove[] {
  const shares = new Map<string, Map<string, number>>()
  let [left, right, from] = [0, 0, 0]
  const add = (end: number) => {
    if (end === from) return
    const owner = nameOf(before, left)
    const next = nameOf(after, right)
    const row = shares.get(owner) ?? new Map<string, number>()
    shares.set(owner, row.set(next, (row.get(next) ?? 0) + end - from))
    from = end
  }
  while (left < before.points.size || right < after.points.size) {
    const [a, b] = [placeOf(before, left), placeOf(after, right)]
    add(Math.min(a, b))
    if (a <= b) left++
    if (b <= a) right++
  }
  add(1)
  const rows = [...shares].flatMap(([owner, row]) =>
    Array.from(row, ([next, share]) => ({ from: owner, to: next, share })),
  )
  return rows.sort((a, b) => b.share - a.share)
}

/** Where a point lies, from 0 to 1. Behind the last one the ring begins anew. */
function placeOf({ points }: Placed, at: number): number {
  if (at === points.size) return 1
  return ((points.high[at] as number) + (points.low[at] as number) / 2 ** 32) / 2 ** 32
}

function nameOf({ points, names }: Placed, at: number): string {
  return names[points.node[at === points.size ? 0 : at] as number] as string
}
