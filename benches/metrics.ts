/**
 * What it costs that things are counted. A node: the core answers `GET` from memory with all its counts,
 * and built without them (`--features uncounted`); by time, rounds of both alternating, and by
 * instructions where valgrind is installed. What its driver and the system do for a request comes on top
 * of both, so the share of a request's whole CPU is smaller. A cache in the process: CPU of reads and
 * loads of one that a registry watches, and of one that nobody does.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Registry } from 'prom-client'
import { Cache } from '../dist/index.js'
import { registerMetrics } from '../dist/metrics/index.js'
import { answer } from './lib/child.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { alternate, quotient, withChildren } from './lib/rounds.ts'

const SELF = new URL(import.meta.url)
const ROOT = fileURLToPath(new URL('..', SELF))
/** The most that counting may cost. */
const BAR = 1.03

export async function metrics(options: { rounds: number }): Promise<Row[]> {
  return [...node(options), ...(await cache(options))]
}

const PIPELINES = [1, 16] as const
const COUNTED = { 'with all counts': [], 'without any': ['--features', 'uncounted'] } as const
type Counted = keyof typeof COUNTED

/** Hits of a node's core, with its counts and without. */
function node({ rounds }: { rounds: number }): Row[] {
  const programs = new Map(
    Object.entries(COUNTED).map(([side, features]) => [side as Counted, build(side, features)]),
  )
  const rows: Row[] = []
  const add = (what: string, unit: string, figures: Map<Counted, number[]>) => {
    const [within, without] = ['with all counts', 'without any'].map(
      side => figures.get(side as Counted)!,
    ) as [number[], number[]]
    const row = { bench: 'metrics', what, entries: 10_000, unit }
    rows.push({ ...row, side: 'without any', value: median(without) })
    const ratio = 1 / quotient(within, without)
    rows.push({ ...row, side: 'with all counts', value: median(within), ratio })
  }
  for (const pipeline of PIPELINES) {
    const spent = new Map([...programs.keys()].map(side => [side, [] as number[]]))
    for (let round = 0; round < rounds * 3; round++) {
      for (const [side, program] of programs) spent.get(side)!.push(nanos(program, pipeline))
    }
    add(`node: GET from memory, pipeline ${pipeline}`, 'ns', spent)
    const counts = [...programs].map(([side, program]) => [side, instructions(program, pipeline)])
    if (counts.every(([, count]) => count !== undefined)) {
      const figures = counts.map(([side, count]) => [side, [count]] as [Counted, number[]])
      add(`node: GET from memory, pipeline ${pipeline}`, 'instructions', new Map(figures))
    }
  }
  show('a node: its core alone, for a GET that memory answers', rows)
  return rows
}

/** The program that answers from memory, built so. */
function build(side: string, features: readonly string[]): string {
  const target = join(ROOT, 'target', 'costs', side.replaceAll(' ', '-'))
  const what = ['-p', 'breakwater-router', '--example', 'remembered', '--target-dir', target]
  const args = ['build', '--release', '-q', ...what, ...features]
  execFileSync('cargo', args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
  return join(target, 'release', 'examples', 'remembered')
}

/** Nanoseconds of a command. */
function nanos(program: string, pipeline: number): number {
  const chunks = Math.round(2_000_000 / pipeline)
  const said = execFileSync(program, [`chunks=${chunks}`, `pipeline=${pipeline}`], {
    encoding: 'utf8',
  })
  return Number(/^(\d+) ns/.exec(said)?.[1])
}

/** Instructions of a command: what more commands take more. */
function instructions(program: string, pipeline: number): number | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'breakwater-metrics-'))
  const [few, many] = [500, 2500]
  try {
    const of = (chunks: number) => {
      const out = join(dir, `${chunks}`)
      const flags = ['--tool=callgrind', `--callgrind-out-file=${out}`, '-q']
      execFileSync('valgrind', [...flags, program, `chunks=${chunks}`, `pipeline=${pipeline}`], {
        stdio: 'ignore',
      })
      return Number(/^(?:totals|summary): (\d+)/m.exec(readFileSync(out, 'utf8'))?.[1])
    }
    return (of(many) - of(few)) / ((many - few) * pipeline)
  } catch {
    return undefined
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const WATCHED = { watched: { watched: true }, 'nobody watches': { watched: false } } as const
const WORK = { 'get, found': 400_000, 'fetch, found': 400_000, 'fetch, loaded': 100_000 } as const
type Work = keyof typeof WORK

/** Reads and loads of a cache that is watched, and of one that is not. */
async function cache({ rounds }: { rounds: number }): Promise<Row[]> {
  const rows: Row[] = []
  await withChildren(SELF.href, WATCHED, async children => {
    for (const what of Object.keys(WORK)) {
      const spent = await alternate<number>(children, rounds * 3, { what })
      const [within, without] = ['watched', 'nobody watches'].map(side => spent.get(side)!) as [
        number[],
        number[],
      ]
      const row = { bench: 'metrics', what: `cache: ${what}`, entries: 1000, unit: 'ns' }
      rows.push({ ...row, side: 'nobody watches', value: median(without) })
      const ratio = 1 / quotient(within, without)
      rows.push({ ...row, side: 'watched', value: median(within), ratio })
    }
  })
  show('a cache in the process', rows)
  return rows
}

function show(of: string, rows: Row[]): void {
  console.log(`\nmetrics: what counting costs ${of} (at most ${BAR}x)`)
  const lines = rows.map(({ what, side, value, unit, ratio }) => {
    return [`${what}, ${side}`, value.toFixed(1), unit, ratio ? times(1 / ratio) : '']
  })
  table([['', '', '', ''], ...lines])
}

/** In the child: a cache, watched or not. */
if (process.argv[1] === fileURLToPath(SELF)) {
  const keys = Array.from({ length: 1000 }, (_, id) => `key:${id}`)
  const one = new Cache<string, string>({ name: 'one', max: 10_000, loader: key => `of ${key}` })
  for (const key of keys) one.set(key, `of ${key}`)
  let sum = 0
  const work: Record<Work, (count: number) => unknown> = {
    'get, found': count => {
      for (let at = 0; at < count; at++) sum += one.get(keys[at % 1000]!)!.length
    },
    'fetch, found': async count => {
      for (let at = 0; at < count; at++) sum += (await one.fetch(keys[at % 1000]!))!.length
    },
    'fetch, loaded': async count => {
      for (let at = 0; at < count; at++) {
        const key = keys[at % 1000]!
        one.delete(key)
        sum += (await one.fetch(key))!.length
      }
    },
  }
  answer(async (request: { watched: boolean } | { what: Work }) => {
    if ('watched' in request) {
      if (request.watched) registerMetrics(new Registry(), { caches: [one] })
      return sum
    }
    const { what } = request
    const from = process.cpuUsage()
    await work[what](WORK[what])
    const { user, system } = process.cpuUsage(from)
    return ((user + system) * 1000) / WORK[what]
  })
}
