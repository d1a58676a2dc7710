// The metrics of a cache: see docs/metrics.md.
import type { CacheStats } from '../base/types.ts'
import type { LoadStats } from '../loading/counts.ts'
import type { WriteBehindStats } from '../writing/behind.ts'
import { each, type Metric, metric, one, type Sample } from './metric.ts'
import type { AnyCache, CacheWatch } from './watch.ts'

/** What is read of a cache, once a scrape. */
export interface CacheSource {
  readonly stats: CacheStats & LoadStats
  readonly bounds: AnyCache['bounds']
  readonly writes: WriteBehindStats | undefined
  readonly watch: CacheWatch
}

/** Reads a cache that is not closed. */
export function cacheSource(watch: CacheWatch): CacheSource {
  const { cache } = watch
  return { stats: cache.stats(), bounds: cache.bounds, writes: cache.writeStats, watch }
}

const rows: Metric<CacheSource>[] = []

function row(
  type: Metric<unknown>['type'],
  labels: string[],
  name: string,
  help: string,
  read: (source: CacheSource) => Sample[],
) {
  rows.push(metric(type, `breakwater_cache_${name}`, help, ['cache', ...labels], read))
}

function counter(name: string, help: string, of: (source: CacheSource) => number | undefined) {
  row('counter', [], name, help, source => one(of(source)))
}

function gauge(name: string, help: string, of: (source: CacheSource) => number | undefined) {
  row('gauge', [], name, help, source => one(of(source)))
}

row(
  'gauge',
  ['policy', 'rule'],
  'info',
  '1, with the policy in force, and of `auto` its rule.',
  ({ stats: { policy } }) => one(1, policy.name, policy.rule ?? ''),
)
row('counter', ['outcome'], 'reads_total', 'Reads that found a value, hit, or none, miss.', of =>
  each({ hit: of.stats.hits, miss: of.stats.misses }),
)
row(
  'counter',
  ['outcome'],
  'cold_reads_total',
  'Reads in the first minute after it was registered: hit or miss.',
  ({ stats, watch }) => {
    const { hits, misses } = watch.coldReads(stats)
    return each({ hit: hits, miss: misses })
  },
)
row(
  'gauge',
  ['top'],
  'skew_ratio',
  'The share of reads of late that the top 1, 10 and 100 keys have, from a sample.',
  ({ watch }) => {
    const { top1, top10, top100 } = watch.cache.skew()
    return each({ 1: top1, 10: top10, 100: top100 })
  },
)
counter('near_hits_total', 'Hits that the near caches answered.', of => of.stats.nearHits)
counter('sets_total', 'Entries stored.', of => of.stats.sets)
counter('deletes_total', 'Entries deleted.', of => of.stats.deletes)
counter('evictions_total', 'Entries evicted.', of => of.stats.evictions)
counter('expirations_total', 'Entries that expired.', of => of.stats.expirations)
counter('rejected_total', 'Entries refused: too large, or no room.', of => of.stats.rejected)
gauge('entries', 'Entries now.', of => of.stats.entries)
gauge('entries_max', 'The most entries, if that is bounded.', of => of.bounds.max)
gauge('memory_bytes', 'Bytes charged now.', of => of.stats.bytes)
gauge('memory_max_bytes', 'The most bytes, if that is bounded.', of => of.bounds.maxBytes)
gauge('overhead_bytes', 'Of these, bytes that are neither key nor value.', of => of.stats.overhead)

counter('loads_total', 'Loads begun in this thread.', of => of.stats.loads)
counter('loads_failed_total', 'Of these, loads that failed.', of => of.stats.loadsFailed)
counter(
  'tier_hits_total',
  'Of these, loads that the second tier answered.',
  of => of.stats.tierHits,
)
counter('coalesced_total', 'Reads that waited for a load under way.', of => of.stats.coalesced)
counter('refreshes_total', 'Loads in the background.', of => of.stats.refreshes)
row(
  'histogram',
  ['reason'],
  'load_seconds',
  'How long loads took: of a miss, which is the penalty of a miss, or to refresh.',
  ({ watch }) => each(watch.loads),
)
row(
  'histogram',
  ['operation'],
  'tier_seconds',
  'How long operations of the second tier took.',
  ({ watch }) => each(Object.fromEntries(watch.tier)),
)
counter(
  'tier_failures_total',
  'Operations of the second tier that failed.',
  of => of.watch.tierFailures,
)
row(
  'counter',
  ['reason'],
  'stale_total',
  'Reads answered by a stale value: revalidate, error, timeout or busy.',
  ({ watch }) => each(watch.stale),
)
counter('herds_total', 'Loads that more than 10 reads waited for.', of => of.watch.herds)
gauge('herd_size_max', 'The most reads that waited for one load.', of => of.watch.largestHerd)
row(
  'gauge',
  ['of'],
  'breaker_state',
  'The breaker of the loader or the tier: 0 closed, 1 half open, 2 open.',
  ({ watch }) => each({ loader: 0, ...Object.fromEntries(watch.breakers) }),
)

gauge('writes_pending', 'Writes behind that are pending.', of => of.writes?.pending)
gauge('writes_oldest_seconds', 'How long the oldest write behind has waited.', of =>
  of.writes === undefined ? undefined : of.writes.oldestAge / 1_000,
)
counter('writes_total', 'Entries written behind.', of => of.writes?.written)
counter('writes_failed_total', 'Entries whose write behind was given up.', of => of.writes?.failed)

/** All of them. */
export const cacheMetrics: readonly Metric<CacheSource>[] = rows
