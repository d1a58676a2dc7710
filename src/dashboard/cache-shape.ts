// What a dashboard shows of a cache: its columns, figures, charts and tables.
import { hitRatio, leaving, MEMORY, percentiles, saved } from './charts.ts'
import type { Chart, Gauge, TableShape } from './frames.ts'

/** The columns of its samples. */
export const COLUMNS = [
  ...['reads', 'hits', 'ratio', 'sets', 'deletes', 'evictions', 'expirations', 'rejected'],
  ...['entries', 'bytes', 'loads', 'failed', 'tierHits', 'coalesced', 'stale', 'refreshes'],
  ...['p50', 'p90', 'p99', 'pending', 'maxBytes'],
] as const
export type Name = (typeof COLUMNS)[number]

export const GAUGES: readonly Gauge[] = [
  { column: 'reads', label: 'Reads', unit: 'rate' },
  { column: 'ratio', label: 'Hit ratio', unit: 'share' },
  { column: 'loads', label: 'Loads', unit: 'rate' },
  { column: 'p99', label: 'Load p99', unit: 'ms' },
  { column: 'entries', label: 'Entries', unit: 'count' },
  { column: 'bytes', label: 'Memory', unit: 'bytes', of: 'maxBytes' },
  { column: 'evictions', label: 'Evictions', unit: 'rate' },
]

export const CHARTS: readonly Chart[] = [
  hitRatio('reads', 'reads'),
  percentiles('latency', 'Load latency', ['p50', 'p90', 'p99']),
  MEMORY,
  leaving({ column: 'rejected', label: 'rejected' }),
  {
    id: 'loads',
    title: 'Loads',
    unit: 'rate',
    series: [
      { column: 'loads', label: 'loads' },
      { column: 'tierHits', label: 'from the tier' },
      { column: 'failed', label: 'failed' },
    ],
  },
  saved('coalesced', 'refreshes'),
  {
    id: 'writes',
    title: 'Writes',
    unit: 'rate',
    series: [
      { column: 'sets', label: 'stored' },
      { column: 'deletes', label: 'deleted' },
    ],
  },
]

export const HOT: TableShape = {
  id: 'hot',
  title: 'Hot keys',
  empty: 'No key stands out yet.',
  columns: [
    { id: 'key', label: 'Key', cell: 'key' },
    { id: 'share', label: 'Share of reads', cell: 'bar' },
    { id: 'count', label: 'Reads, estimated', cell: 'count' },
  ],
}
