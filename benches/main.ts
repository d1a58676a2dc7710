/** `npm run bench -- [NAME...]`: runs benchmarks, prints the ratio to each peer, writes JSON. */

import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { above0, commandLine, text, wholes } from '../scripts/command-line.mjs'
import { bounded } from './bounded.ts'
import { classic } from './classic/main.ts'
import { dropIn } from './drop-in.ts'
import { dropInHeap } from './drop-in-heap.ts'
import { fleet } from './fleet.ts'
import { headline } from './headline.ts'
import { type Row, writeJson } from './lib/report.ts'
import { loading } from './loading.ts'
import { memory } from './memory.ts'
import { metrics } from './metrics.ts'
import { near } from './near.ts'
import { nearWorkers } from './near-workers.ts'
import { pauses } from './pauses.ts'
import { popular } from './popular.ts'
import { hooks } from './router/hooks.ts'
import { router } from './router.ts'
import { routing } from './routing/main.ts'
import { secondTier } from './second-tier.ts'
import { SUITES } from './suites/index.ts'
import { tier } from './tier.ts'
import { warmStart } from './warm-start.ts'
import { workers } from './workers.ts'

const HELP = `npm run bench -- [NAME...] [options]

  headline      get and set against lru-cache, medians of alternating rounds
  workers       two worker threads reading one cache, against one
  pauses        event loop and collector under a million objects
  memory        bytes an entry
  bounded       ledger and resident memory under four workers' churn
  drop-in       the drop-in against lru-cache: get and set with seven kinds of keys
  drop-in-heap  V8's heap and the collector's pauses under a million entries
  near          Cache with its near cache, without it, and lru-cache
  near-workers  one thread reads through its near cache what another writes: nothing stale
  tier          a write in one process until another hears of it, over a redis-server
  loading       warm and cold keys by getOrSet, against the caches that load
  popular       a popular key that expires under 20,000 requests a second
  second-tier   keys that only Redis has, against caches with such a tier
  fleet         a write in one process until another reads it, over a redis-server
  router        CPU an operation of the routing node, against redis-server and twemproxy; hot
                reads, a store 1 ms away, a timer under load, several stores, users
  hooks         what hooks of each kind cost a node
  metrics       what counting costs a node and a cache
  routing       a fleet routed by key and at random, lookups of a ring, a pool of workers
  warm-start    a new process over a warm fleet: its first 100 requests
  classic       the classic benchmark of LRU caches: kinds of keys, phases, every peer
  ${Object.keys(SUITES).join(' ')}   benny, against every peer

Without a name all of them run, which takes about an hour.

  --entries N,...   sizes (headline, drop-in and benny: 1000,10000,100000,1000000; workers:
                    100000; near-workers: 1000,100000; near: all of its cases)
  --rounds N        rounds of headline, workers, drop-in, near, loading and second-tier (7),
                    pauses, memory and drop-in-heap (3), classic (15); writes of tier (3000) and
                    fleet (2000); of router, hooks, metrics and routing (3); starts of
                    warm-start (20)
  --seconds N       a side in benny (0.5), bounded (60), near-workers and popular (10)
  --max N           entries of a cache in classic (10000)
  --cases TEXT,...  rows of drop-in, loading and second-tier whose names have one of these in
                    them (all)
  --kinds NAME,...  kinds of keys in drop-in (parts of their names) and classic (all)
  --peers NAME,...  sides besides lru-cache in classic (all)
  --json FILE       write every figure
`

const ALL = [1000, 10_000, 100_000, 1_000_000]

const BENCHES: Record<string, () => Promise<Row[]>> = {
  headline: () => headline({ sizes: values.entries ?? ALL, rounds: values.rounds ?? 7 }),
  workers: () => workers({ sizes: values.entries ?? [100_000], rounds: values.rounds ?? 7 }),
  pauses: () => {
    const [size = 1_000_000] = values.entries ?? []
    return pauses({ entries: size, rounds: values.rounds ?? 3 })
  },
  memory: () => {
    const [size = 1_000_000] = values.entries ?? []
    return memory({ entries: size, rounds: values.rounds ?? 3 })
  },
  bounded: () => bounded({ maxBytes: 256 * 2 ** 20, seconds: values.seconds ?? 60 }),
  'drop-in': () =>
    dropIn({
      sizes: values.entries ?? ALL,
      rounds: values.rounds ?? 7,
      kinds: values.kinds?.split(','),
      cases: values.cases?.split(','),
    }),
  'drop-in-heap': () => {
    const [size = 1_000_000] = values.entries ?? []
    return dropInHeap({ entries: size, rounds: values.rounds ?? 3 })
  },
  near: () => near({ sizes: values.entries ?? [], rounds: values.rounds ?? 7 }),
  'near-workers': () =>
    nearWorkers({ sizes: values.entries ?? [1000, 100_000], seconds: values.seconds ?? 10 }),
  tier: () => tier({ writes: values.rounds ?? 3000 }),
  loading: () => loading({ rounds: values.rounds ?? 7, cases: values.cases?.split(',') }),
  popular: () => popular({ seconds: values.seconds ?? 10 }),
  fleet: () => fleet({ writes: values.rounds ?? 2000 }),
  router: () => router({ rounds: values.rounds ?? 3 }),
  hooks: () => hooks({ rounds: values.rounds ?? 3 }),
  metrics: () => metrics({ rounds: values.rounds ?? 3 }),
  routing: () => routing({ rounds: values.rounds ?? 3 }),
  'warm-start': () => warmStart({ starts: values.rounds ?? 20 }),
  'second-tier': () => secondTier({ rounds: values.rounds ?? 7, cases: values.cases?.split(',') }),
  classic: () =>
    classic({
      max: values.max ?? 10_000,
      rounds: values.rounds ?? 15,
      kinds: values.kinds?.split(','),
      peers: values.peers?.split(','),
    }),
}
for (const [name, suite] of Object.entries(SUITES)) {
  BENCHES[name] = async () => {
    const rows: Row[] = []
    for (const size of values.entries ?? ALL) {
      rows.push(...(await suite(size, { seconds: values.seconds ?? 0.5 })))
    }
    return rows
  }
}

const { values, names } = commandLine({
  help: HELP,
  options: {
    entries: wholes(),
    rounds: above0(),
    seconds: above0(),
    max: above0(),
    cases: text(),
    kinds: text(),
    peers: text(),
    json: text(),
  },
  names: { one: 'benchmark', among: Object.keys(BENCHES) },
})

async function main(): Promise<void> {
  const rows: Row[] = []
  for (const name of names.length > 0 ? names : Object.keys(BENCHES))
    rows.push(...((await BENCHES[name]?.()) ?? []))
  if (values.json) writeJson(resolve(process.env.INIT_CWD ?? '.', values.json), rows)
}

// The benny suites hold several caches of a million entries, and collect between two of them.
if (!global.gc) {
  const flags = ['--expose-gc', '--max-old-space-size=8192']
  const argv = [...process.execArgv, ...flags, ...process.argv.slice(1)]
  process.exitCode = spawnSync(process.execPath, argv, { stdio: 'inherit' }).status ?? 1
} else {
  main().catch((error: Error) => {
    console.error(error.message)
    process.exitCode = 1
  })
}
