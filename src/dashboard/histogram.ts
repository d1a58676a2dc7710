// Latencies of a short while: counted in buckets that grow by a factor, and read as percentiles.

/** The upper ends of the buckets in milliseconds, four to a factor of ten, from 10 us to 10 s. */
export const BOUNDS: readonly number[] = Array.from({ length: 25 }, (_, at) => 10 ** (at / 4 - 2))

/** Those of a node's own histograms: from 1 us on, each twice the one before. */
export const DOUBLING: readonly number[] = Array.from({ length: 27 }, (_, at) => 2 ** at / 1000)

/** Counts by bucket. */
export class Histogram {
  readonly counts: number[] = new Array(BOUNDS.length + 1).fill(0)

  /** Counts a latency in milliseconds, once or more often. */
  add(ms: number, times = 1): void {
    this.counts[bucketOf(ms)]! += times
  }

  /** The counts, which begin anew. */
  take(): number[] {
    return this.counts.splice(0, this.counts.length, ...new Array(BOUNDS.length + 1).fill(0))
  }
}

function bucketOf(ms: number): number {
  const at = BOUNDS.findIndex(bound => ms <= bound)
  return at < 0 ? BOUNDS.length : at
}

/** The latency, in milliseconds, that a share of all is at most; `null` of none. */
export function percentile(
  counts: readonly number[],
  part: number,
  bounds = BOUNDS,
): number | null {
  const total = counts.reduce((a, b) => a + b, 0)
  if (total === 0) return null
  const rank = part * total
  let passed = 0
  for (const [at, count] of counts.entries()) {
    if (count > 0 && passed + count >= rank) {
      const [low, high] = [bounds[at - 1] ?? 0, bounds[at] ?? bounds.at(-1)! * 2]
      return low + ((high - low) * Math.max(0, rank - passed)) / count
    }
    passed += count
  }
  return bounds.at(-1)!
}
