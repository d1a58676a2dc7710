// Random against deterministic routing over a fleet of nodes with local caches: hit ratio, queries,
// latency, throughput of a fixed pool of connections, and what a loss, a join and a deploy cost.
import { type Row, table, times } from '../lib/report.ts'
import { type Fleet, percentile, type Routing, ratio, Simulation } from './fleet.ts'

/** Twenty nodes at 1,500 requests a second, as the published claims have it. */
const FLEET: Fleet = {
  nodes: 20,
  max: 5_000,
  ttl: 60_000,
  keys: 50_000,
  rate: 1_500,
  connections: 20,
  query: 20,
}

/** Fleets in which the gain is small or large: claims depend on them. */
const FLEETS: Readonly<Record<string, Fleet>> = {
  'the claims': FLEET,
  'caches that hold all keys': { ...FLEET, max: 50_000, ttl: 600_000 },
  'few keys, which all nodes hold soon': { ...FLEET, keys: 2_000, max: 2_000 },
  'values that live for 5 s': { ...FLEET, ttl: 5_000 },
  'five nodes': { ...FLEET, nodes: 5 },
}

/** Seconds until caches are as warm as they get, and seconds that are measured. */
const WARM = 180
const MEASURED = 60

interface Steady {
  hitRatio: number
  /** Queries a second. */
  queries: number
  p50: number
  p95: number
  /** The most requests a second whose queries the connections can answer. */
  throughput: number
}

function steady(fleet: Fleet, routing: Routing): Steady {
  const simulation = new Simulation(fleet, routing)
  simulation.run(WARM)
  const outcome = simulation.run(MEASURED)
  const hitRatio = ratio(outcome)
  return {
    hitRatio,
    queries: (outcome.requests - outcome.hits) / MEASURED,
    p50: percentile(outcome.latencies, 0.5),
    p95: percentile(outcome.latencies, 0.95),
    throughput: ((fleet.connections / fleet.query) * 1_000) / (1 - hitRatio),
  }
}

/** Seconds that are looked at together: of a twentieth of the requests, one has too few. */
const STEP = 5

/**
 * What a change costs: the worst second, and the seconds until the hit ratio has nine tenths of what it
 * was; routed by key, that of the keys that moved.
 */
function recovery(routing: Routing, change: (simulation: Simulation) => void) {
  const simulation = new Simulation(FLEET, routing)
  simulation.run(WARM)
  const before = ratio(simulation.run(30))
  change(simulation)
  let worst = 1
  for (let seconds = STEP; ; seconds += STEP) {
    const [all, moved] = [
      { requests: 0, hits: 0 },
      { requests: 0, hits: 0 },
    ]
    for (let second = 0; second < STEP; second++) {
      const outcome = simulation.run(1)
      worst = Math.min(worst, ratio(outcome))
      add(all, outcome)
      add(moved, outcome.moved)
    }
    const looked = routing === 'by key' && moved.requests > 0 ? moved : all
    if (ratio(looked) >= 0.9 * before || seconds >= 600) return { before, worst, seconds }
  }
}

interface Counts {
  requests: number
  hits: number
}

function add(to: Counts, { requests, hits }: Counts): void {
  to.requests += requests
  to.hits += hits
}

const CHANGES: Readonly<Record<string, (simulation: Simulation) => void>> = {
  'a node is lost': simulation => simulation.lose(),
  'a node joins': simulation => simulation.join('node-new'),
  'all nodes are deployed at once': simulation => {
    for (let i = 0; i < simulation.nodes; i++) simulation.restart(i)
  },
}

/** Prints what deterministic routing brings, and gives the rows. */
export function simulate(): Row[] {
  const rows: Row[] = []
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`
  let main: Record<Routing, Steady> | undefined
  console.log(
    '\nTwenty nodes with local caches, 1,500 requests a second, 20 connections, 20 ms a query',
  )
  const lines = [['', 'hit ratio', 'queries/s', 'p50 ms', 'p95 ms', 'requests/s of the pool']]
  for (const [name, fleet] of Object.entries(FLEETS)) {
    const sides = { random: steady(fleet, 'random'), 'by key': steady(fleet, 'by key') }
    main ??= sides
    for (const [side, { hitRatio, queries, p50, p95, throughput }] of Object.entries(sides)) {
      lines.push([
        `${name}: ${side}`,
        percent(hitRatio),
        queries.toFixed(0),
        p50.toFixed(1),
        p95.toFixed(1),
        throughput.toFixed(0),
      ])
      const row = { bench: 'routing', what: name, entries: fleet.max, side }
      rows.push({ ...row, value: hitRatio * 100, unit: '%' })
      rows.push({ ...row, value: p95, unit: 'ms p95' })
    }
    const { random, 'by key': byKey } = sides
    lines.push([
      '  gain',
      `+${((byKey.hitRatio - random.hitRatio) * 100).toFixed(1)} points`,
      times(random.queries / byKey.queries),
      '',
      `${((byKey.p95 / random.p95 - 1) * 100).toFixed(0)} %`,
      times(byKey.throughput / random.throughput),
    ])
  }
  table(lines)
  console.log(
    '\nWhat a change costs: the worst second, and seconds until keys that moved, or all, have 90 % of their hit ratio',
  )
  const changes = [['', 'before', 'worst second', 'seconds']]
  const deployed = { random: 0, 'by key': 0 }
  for (const [name, change] of Object.entries(CHANGES)) {
    for (const routing of ['random', 'by key'] as const) {
      const { before, worst, seconds } = recovery(routing, change)
      // The last one is the deploy.
      deployed[routing] = seconds
      changes.push([`${name}: ${routing}`, percent(before), percent(worst), String(seconds)])
      rows.push({
        ...{ bench: 'routing', what: name, entries: FLEET.max, side: routing },
        ...{ value: seconds, unit: 's' },
      })
    }
  }
  table(changes)
  if (main) claims(main, deployed)
  return rows
}

/** What is claimed of such a change of routing, beside what comes of it here, and when that holds. */
function claims(main: Record<Routing, Steady>, deployed: Record<Routing, number>): void {
  const { random, 'by key': byKey } = main
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`
  const faster = 1 - deployed['by key'] / deployed.random
  console.log(
    '\nPublished claims, and the same figures here: fleet "the claims", by key for random',
  )
  table([
    ['', 'published', 'here', 'holds if'],
    [
      'hit ratio',
      '70 to 94 %',
      `${percent(random.hitRatio)} to ${percent(byKey.hitRatio)}`,
      'all caches together hold what one cannot, and values outlive the gap between two requests',
    ],
    [
      'p95',
      '-29 %',
      `${((byKey.p95 / random.p95 - 1) * 100).toFixed(0)} %`,
      'more than one request in twenty misses at random, so that p95 is a query',
    ],
    [
      'throughput',
      '2.1x',
      times(byKey.throughput / random.throughput),
      'the connections to the database are what is short: it is the ratio of the misses',
    ],
    [
      'recovery',
      '42 % faster',
      `${percent(faster)} faster`,
      'all nodes begin anew, as in a deploy; a node that is lost or joins costs by key more time',
    ],
  ])
}
