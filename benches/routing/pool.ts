// A pool whose workers own keys against one whose tasks go round robin, and against one cache of all:
// hit ratio and throughput, with the same memory in all.
import { LRUCache } from '../../dist/lru-cache/index.js'
import { createPool, type Pool } from '../../dist/routing/index.js'
import { key, zipf } from '../lib/data.ts'
import { median, type Row, table, times } from '../lib/report.ts'

const WORKERS = 8
const KEYS = 20_000
const ENTRIES = 4_000
const TASKS = 60_000
/** Of these the first fill the caches. */
const WARM = TASKS / 3
/** What a miss computes. */
const HASHES = 10
/** Tasks under way at a time. */
const AT_ONCE = 256

interface Task {
  key?: string
  hashes?: number
}

type Tasks = Pool<Task, boolean | number>

interface Outcome {
  hitRatio: number
  /** Tasks a second. */
  perSecond: number
  /** CPU of the process for each task, in microseconds: a busy machine does not change it much. */
  cpu: number
}

const ids = zipf(KEYS, TASKS, 7)

/** A key that each worker owns. */
async function ownKeys(pool: Tasks): Promise<string[]> {
  const keys: string[] = []
  for (let i = 0; Object.keys(keys).length < WORKERS; i++) {
    keys[(await pool.run({}, { key: `own:${i}` })) as number] = `own:${i}`
  }
  return keys
}

async function run(isByKey: boolean): Promise<Outcome> {
  const pool: Tasks = createPool({
    file: new URL('./tasks.mjs', import.meta.url),
    route: task => task.key ?? '',
    workers: WORKERS,
    queue: Number.POSITIVE_INFINITY,
    data: { max: ENTRIES / WORKERS },
  })
  const own = await ownKeys(pool)
  const keyOf = (i: number) => (isByKey ? undefined : own[i % WORKERS])
  let [next, hits] = [0, 0]
  const lane = async (to: number) => {
    while (next < to) {
      const i = next++
      const task = { key: key(ids[i] as number), hashes: HASHES }
      if (await pool.run(task, { key: keyOf(i) })) hits++
    }
  }
  const lanes = (to: number) => Promise.all(Array.from({ length: AT_ONCE }, () => lane(to)))
  await lanes(WARM)
  hits = 0
  const [began, before] = [performance.now(), process.cpuUsage()]
  await lanes(TASKS)
  const seconds = (performance.now() - began) / 1_000
  const { user, system } = process.cpuUsage(before)
  await pool.drain()
  const tasks = TASKS - WARM
  return { hitRatio: hits / tasks, perSecond: tasks / seconds, cpu: (user + system) / tasks }
}

/** The hit ratio of one cache of the whole size. */
function oneCache(): number {
  const cache = new LRUCache<string, true>({ max: ENTRIES })
  let hits = 0
  ids.forEach((id, i) => {
    if (cache.get(key(id)) === undefined) cache.set(key(id), true)
    else if (i >= WARM) hits++
  })
  return hits / (TASKS - WARM)
}

export async function poolOfWorkers({ rounds }: { rounds: number }): Promise<Row[]> {
  const sides: Record<string, Outcome[]> = { 'by key': [], 'round robin': [] }
  for (let round = 0; round < rounds; round++) {
    for (const side of Object.keys(sides)) sides[side]?.push(await run(side === 'by key'))
  }
  const of = (side: string, figure: keyof Outcome) =>
    median((sides[side] as Outcome[]).map(outcome => outcome[figure]))
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`
  console.log(
    `\nA pool of ${WORKERS} workers, each with a cache of 1/${WORKERS} of ${ENTRIES} entries`,
  )
  const lines = [['', 'hit ratio', 'tasks/s', '', 'CPU us a task', '']]
  const [base, work] = [of('round robin', 'perSecond'), of('round robin', 'cpu')]
  for (const side of Object.keys(sides)) {
    const perSecond = of(side, 'perSecond')
    const cpu = of(side, 'cpu')
    const speed = [perSecond.toFixed(0), times(perSecond / base)]
    lines.push([side, percent(of(side, 'hitRatio')), ...speed, cpu.toFixed(1), times(work / cpu)])
  }
  lines.push(['one cache of all', percent(oneCache()), '', '', '', ''])
  table(lines)
  return Object.keys(sides).flatMap(side => [
    row(side, of(side, 'hitRatio') * 100, '%'),
    row(side, of(side, 'perSecond'), 'tasks/s', of(side, 'perSecond') / base),
    row(side, of(side, 'cpu'), 'us CPU', work / of(side, 'cpu')),
  ])
}

function row(side: string, value: number, unit: string, ratio?: number): Row {
  const of = { bench: 'routing', what: 'pool', entries: ENTRIES, side, value, unit }
  return ratio === undefined ? of : { ...of, ratio }
}
