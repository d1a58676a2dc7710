// The caches and nodes whose metrics are read, by the names that they have as labels.
import { ManualClock } from '../base/clock.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { queueMicrotask } from '../base/runtime.ts'
import { timersOf } from '../base/timers.ts'
import type { Router } from '../router/index.ts'
import { type CacheSource, cacheMetrics, cacheSource } from './cache.ts'
import type { Metric, Sample } from './metric.ts'
import { type NodeSource, nodeMetrics, nodeSource } from './node.ts'
import { type AnyCache, CacheWatch } from './watch.ts'

/** What metrics are read of. */
export interface Sources {
  /** Caches, each by its name; or by others, as `{ pages: cache }`. */
  caches?: Iterable<AnyCache> | Record<string, AnyCache> | undefined
  /** Nodes, by names; one alone is called `node`. */
  routers?: Iterable<Router> | Record<string, Router> | undefined
  /** The time of tests, of `breakwater/testing`. */
  clock?: ManualClock | undefined
}

/** The kinds of sources, with what is read of each. */
export const kinds = [
  { kind: 'cache', metrics: cacheMetrics as readonly Metric<never>[] },
  { kind: 'node', metrics: nodeMetrics as readonly Metric<never>[] },
] as const

type Kind = (typeof kinds)[number]['kind']

/** Sources that are watched. */
export interface Watched {
  readonly kinds: typeof kinds
  /** Every metric, with what it is now of all its sources. */
  readAll(): { metric: Metric<never>; samples: Sample[] }[]
  /** What a metric of a kind is of each of its sources. */
  read(kind: Kind, metric: Metric<never>): Sample[]
  /** Watches them no more. */
  stop(): void
}

/** Begins to watch sources. */
export function watchSources({ caches = [], routers = [], clock }: Sources): Watched {
  if (clock !== undefined && !(clock instanceof ManualClock)) {
    throw new InvalidOptionError('clock', clock, 'a ManualClock of breakwater/testing')
  }
  const timers = timersOf(clock)
  const watches = new Map(
    named('caches', caches, (_, cache) => cache.name).map(([name, cache]) => {
      return [name, new CacheWatch(cache, timers)] as const
    }),
  )
  const nodes = new Map(named('routers', routers, at => (at === 0 ? 'node' : `node${at + 1}`)))
  const cacheReads = once(() =>
    [...watches]
      .filter(([, { cache }]) => !cache.closed)
      .map(([name, watch]): [string, CacheSource] => [name, cacheSource(watch)]),
  )
  const nodeReads = once(() =>
    [...nodes].map(([name, router]): [string, NodeSource] => [name, nodeSource(router)]),
  )
  const read: Watched['read'] = (kind, metric) => {
    const sources: [string, unknown][] = kind === 'cache' ? cacheReads() : nodeReads()
    return sources.flatMap(([name, source]) =>
      metric
        .read(source as never)
        .map(({ labels, value }) => ({ labels: [name, ...labels], value })),
    )
  }
  return {
    kinds,
    read,
    readAll: () =>
      kinds.flatMap(({ kind, metrics }) =>
        metrics.map(metric => ({ metric, samples: read(kind, metric) })),
      ),
    stop() {
      for (const watch of watches.values()) watch.stop()
    },
  }
}

/** Sources with their names. */
function named<S>(
  option: string,
  sources: Iterable<S> | Record<string, S>,
  nameOf: (at: number, source: S) => string | undefined,
): [string, S][] {
  if (!(Symbol.iterator in sources)) return Object.entries(sources)
  const all = [...sources].map((source, at): [string, S] => {
    const name = nameOf(at, source)
    if (name === undefined) {
      throw new InvalidOptionError(option, source, 'caches with names, or { name: cache }')
    }
    return [name, source]
  })
  const twice = all.find(([name], at) => all.some(([other], later) => later > at && other === name))
  if (twice === undefined) return all
  throw new InvalidOptionError(option, twice[0], 'of different names, or { name: cache }')
}

/** What is read is good for all metrics of one scrape: until the event loop goes on. */
function once<T>(read: () => T): () => T {
  let last: { value: T } | undefined
  return () => {
    if (last === undefined) {
      last = { value: read() }
      queueMicrotask(() => {
        last = undefined
      })
    }
    return last.value
  }
}
