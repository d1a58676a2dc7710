// What a dashboard shows of a routing node: its columns, figures, charts and tables.
import type { Chart, Gauge, TableShape } from './frames.ts'

/** The columns of its samples. */
export const COLUMNS = [
  ...['commands', 'hits', 'misses', 'joined', 'ratio', 'requests', 'passed', 'stale'],
  ...['refreshed', 'evictions', 'expirations', 'entries', 'bytes', 'clients', 'connections'],
  ...['refused', 'received', 'sent', 'inFlight', 'storeConnections', 'storeConnects'],
] as const
export type Name = (typeof COLUMNS)[number]

/** Of these, what a node with a store of its own has. */
export const EMBEDDED: ReadonlySet<string> = new Set([
  ...['commands', 'hits', 'ratio', 'evictions', 'expirations', 'entries', 'bytes'],
  ...['clients', 'connections', 'refused', 'received', 'sent'],
])

export const GAUGES: readonly Gauge[] = [
  { column: 'commands', label: 'Commands', unit: 'rate' },
  { column: 'ratio', label: 'Hit ratio', unit: 'share' },
  { column: 'requests', label: 'Store requests', unit: 'rate' },
  { column: 'inFlight', label: 'In flight', unit: 'count' },
  { column: 'clients', label: 'Clients', unit: 'count' },
  { column: 'entries', label: 'Entries', unit: 'count' },
  { column: 'bytes', label: 'Memory', unit: 'bytes' },
  { column: 'evictions', label: 'Evictions', unit: 'rate' },
]

export const CHARTS: readonly Chart[] = [
  {
    id: 'commands',
    title: 'Commands and hit ratio',
    unit: 'rate',
    series: [
      { column: 'commands', label: 'commands' },
      { column: 'ratio', label: 'hit ratio', unit: 'share' },
    ],
  },
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
  {
    id: 'saved',
    title: 'Coalesced, stale, refreshed',
    unit: 'rate',
    series: [
      { column: 'joined', label: 'coalesced' },
      { column: 'stale', label: 'stale' },
      { column: 'refreshed', label: 'refreshed' },
    ],
  },
  {
    id: 'memory',
    title: 'Memory',
    unit: 'bytes',
    series: [{ column: 'bytes', label: 'charged' }],
  },
  {
    id: 'leaving',
    title: 'Evictions and expirations',
    unit: 'rate',
    series: [
      { column: 'evictions', label: 'evicted' },
      { column: 'expirations', label: 'expired' },
    ],
  },
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
      { id: 'requests', label: 'Requests', cell: 'rate' },
      { id: 'share', label: 'Share', cell: 'bar' },
      { id: 'inFlight', label: 'In flight', cell: 'count' },
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
