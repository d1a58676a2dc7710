// What a dashboard shows of a routing node: its columns, figures, charts and tables.
import { hitRatio, leaving, MEMORY, percentiles, saved } from './charts.ts'
import type { Chart, Gauge, TableShape } from './frames.ts'

/** The columns of its samples. */
export const COLUMNS = [
  ...['commands', 'hits', 'misses', 'joined', 'ratio', 'requests', 'passed', 'stale'],
  ...['refreshed', 'evictions', 'expirations', 'entries', 'bytes', 'clients', 'connections'],
  ...['refused', 'received', 'sent', 'inFlight', 'storeConnections', 'storeConnects'],
  ...['maxBytes', 'errors', 'p50', 'p90', 'p99', 'storeP50', 'storeP90', 'storeP99'],
] as const
export type Name = (typeof COLUMNS)[number]

/** Of these, what a node with a store of its own has. */
export const EMBEDDED: ReadonlySet<string> = new Set([
  ...['commands', 'hits', 'ratio', 'evictions', 'expirations', 'entries', 'bytes'],
  ...['clients', 'connections', 'refused', 'received', 'sent', 'p50', 'p99'],
])

export const GAUGES: readonly Gauge[] = [
  { column: 'commands', label: 'Commands', unit: 'rate' },
  { column: 'ratio', label: 'Hit ratio', unit: 'share' },
  { column: 'requests', label: 'Store requests', unit: 'rate' },
  { column: 'p99', label: 'Node p99', unit: 'ms' },
  { column: 'storeP99', label: 'Store p99', unit: 'ms' },
  { column: 'clients', label: 'Clients', unit: 'count' },
  { column: 'bytes', label: 'Memory', unit: 'bytes', of: 'maxBytes' },
  { column: 'evictions', label: 'Evictions', unit: 'rate' },
]

export const CHARTS: readonly Chart[] = [
  hitRatio('commands', 'commands'),
  {
    id: 'origin',
    title: 'Reads by who answers',
    unit: 'rate',
    series: [
      { column: 'requests', label: 'store' },
      { column: 'hits', label: 'memory' },
      { column: 'passed', label: 'passed by' },
    ],
  },
  percentiles('latency', 'Latency, answered by the node', ['p50', 'p90', 'p99']),
  percentiles('store-latency', 'Latency of the stores', ['storeP50', 'storeP90', 'storeP99']),
  saved('joined', 'refreshed'),
  MEMORY,
  leaving(),
  {
    id: 'clients',
    title: 'Clients',
    unit: 'count',
    series: [{ column: 'clients', label: 'connected' }],
  },
  {
    id: 'churn',
    title: 'New connections',
    unit: 'rate',
    series: [
      { column: 'connections', label: 'of clients' },
      { column: 'storeConnects', label: 'to stores' },
      { column: 'refused', label: 'refused' },
    ],
  },
  {
    id: 'traffic',
    title: 'Traffic of clients',
    unit: 'byteRate',
    series: [
      { column: 'sent', label: 'sent' },
      { column: 'received', label: 'received' },
    ],
  },
]

/** What each thread does: for every node that has threads. */
export const THREADS: TableShape = {
  id: 'threads',
  title: 'Threads',
  empty: 'The node serves on the thread that made it.',
  balance: 'requests',
  columns: [
    { id: 'thread', label: 'Thread', cell: 'text' },
    { id: 'requests', label: 'Requests', cell: 'rate' },
    { id: 'busy', label: 'Busy', cell: 'bar' },
    { id: 'queue', label: 'Queue', cell: 'count' },
  ],
}

export const TABLES: readonly TableShape[] = [
  {
    id: 'stores',
    title: 'Stores',
    empty: 'There is no store behind this node.',
    balance: 'requests',
    columns: [
      { id: 'address', label: 'Address', cell: 'text' },
      { id: 'role', label: 'Role', cell: 'text' },
      { id: 'state', label: 'State', cell: 'state' },
      { id: 'breaker', label: 'Breaker', cell: 'text' },
      { id: 'requests', label: 'Requests', cell: 'rate' },
      { id: 'share', label: 'Share', cell: 'bar' },
      { id: 'inFlight', label: 'In flight', cell: 'count' },
      { id: 'waiting', label: 'Waiting', cell: 'count' },
      { id: 'turnedAway', label: 'Turned away', cell: 'rate' },
      { id: 'p99', label: 'p99', cell: 'ms' },
      { id: 'connections', label: 'Connections', cell: 'count' },
      { id: 'connects', label: 'New', cell: 'rate' },
      { id: 'losses', label: 'Lost', cell: 'count' },
      { id: 'failures', label: 'Failed', cell: 'count' },
      { id: 'lag', label: 'Lag', cell: 'ms' },
    ],
  },
  {
    id: 'routes',
    title: 'Routes',
    empty: 'There are no routes.',
    columns: [
      { id: 'match', label: 'Keys', cell: 'key' },
      { id: 'mode', label: 'Mode', cell: 'mode' },
      { id: 'hits', label: 'From memory', cell: 'rate' },
      { id: 'misses', label: 'From the store', cell: 'rate' },
      { id: 'ratio', label: 'Hit ratio', cell: 'bar' },
      { id: 'joined', label: 'Coalesced', cell: 'rate' },
      { id: 'passed', label: 'Passed by', cell: 'rate' },
      { id: 'shadowed', label: 'Shadowed', cell: 'rate' },
      { id: 'stale', label: 'Stale', cell: 'rate' },
      { id: 'different', label: 'Verified different', cell: 'share' },
    ],
  },
  {
    id: 'hot',
    title: 'Hot keys',
    empty: 'No key has a large share of the reads that go to the store.',
    columns: [
      { id: 'key', label: 'Key', cell: 'key' },
      { id: 'share', label: 'Share of reads', cell: 'bar' },
      { id: 'reads', label: 'Reads', cell: 'rate' },
      { id: 'store', label: 'Store', cell: 'text' },
      { id: 'route', label: 'Route', cell: 'text' },
      { id: 'copies', label: 'Copies', cell: 'count' },
      { id: 'pinned', label: 'Pinned', cell: 'flag' },
    ],
  },
]
