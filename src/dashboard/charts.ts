// Charts that caches and nodes have in common.
import type { Chart, Series } from './frames.ts'

/** Three percentiles of a latency, in columns that end with their names. */
export function percentiles(id: string, title: string, columns: readonly string[]): Chart {
  const labels = ['p50', 'p90', 'p99']
  return {
    id,
    title,
    unit: 'ms',
    series: columns.map((column, at) => ({ column, label: labels[at]! })),
  }
}

/** What is asked for, and the share of it that memory answers. */
export function hitRatio(column: string, label: string): Chart {
  return {
    id: column,
    title: `${label[0]!.toUpperCase()}${label.slice(1)} and hit ratio`,
    unit: 'rate',
    series: [
      { column, label },
      { column: 'ratio', label: 'hit ratio', unit: 'share' },
    ],
  }
}

/** Memory, and what it may come to. */
export const MEMORY: Chart = {
  id: 'memory',
  title: 'Memory',
  unit: 'bytes',
  series: [
    { column: 'bytes', label: 'charged' },
    { column: 'maxBytes', label: 'bound' },
  ],
}

/** What leaves by itself, and whatever else does. */
export function leaving(...others: Series[]): Chart {
  return {
    id: 'leaving',
    title: 'Evictions and expirations',
    unit: 'rate',
    series: [
      { column: 'evictions', label: 'evicted' },
      { column: 'expirations', label: 'expired' },
      ...others,
    ],
  }
}

/** What an origin was spared. */
export function saved(coalesced: string, refreshed: string): Chart {
  return {
    id: 'saved',
    title: 'Coalesced, stale, refreshed',
    unit: 'rate',
    series: [
      { column: coalesced, label: 'coalesced' },
      { column: 'stale', label: 'stale' },
      { column: refreshed, label: 'refreshed' },
    ],
  }
}
