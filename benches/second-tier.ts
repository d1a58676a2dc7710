/**
 * Values that are not in the process but in Redis, against the caches that have such a tier too; and
 * keys that neither has, which a hundred ask for at once. Each side runs in a process of its own for
 * each case, over one redis-server; the rounds of the sides alternate. CPU time, of the process and the
 * system together, says what a read costs where others keep the processor busy.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { answer } from './lib/child.ts'
import { key, profile, shuffled } from './lib/data.ts'
import { redisServer } from './lib/redis-server.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { alternate, isWanted, quotient, withChildren } from './lib/rounds.ts'
import { OURS } from './lib/sides.ts'
import { TIER_SIDES, type TierSide } from './lib/tier-sides.ts'

/** What is read, by what it is called. */
const CASES = {
  alone: 'in Redis, one after the other',
  together: 'in Redis, 100 at a time',
  cold: 'nowhere, 100 callers of a key',
} as const
type Case = keyof typeof CASES

/** Keys in Redis, and how many of them a process holds: so few that none is there when it is asked for. */
const ENTRIES = 10_000
const HELD = 64
/** Reads, or callers, at a time. */
const CALLERS = 100

type Request = { side: string; what: Case; port: number } | { work: 'read' }

/** What a round of a side came to. */
interface Round {
  /** A read; a cold key's burst as a whole. */
  ns: number
  /** CPU time of that, in nanoseconds. */
  cpu: number
  /** Loads, by the keys that were loaded. */
  loads: number
}

/** Runs it and returns its figures. */
export async function secondTier(options: {
  rounds: number
  /** Parts of the names of the rows to be measured; all if left out. */
  cases?: readonly string[] | undefined
}): Promise<Row[]> {
  const server = await redisServer()
  const rows: Row[] = []
  const lines: string[][] = []
  try {
    for (const what of Object.keys(CASES) as Case[]) {
      if (!isWanted(CASES[what], options.cases)) continue
      console.log(`second-tier: ${CASES[what]}`)
      const measured = await measure(what, server.port, options.rounds)
      for (const [at, [side, rounds]] of [...measured].entries()) {
        const ours = [...measured].find(
          ([name]) => name.startsWith(OURS) && name.split(', ')[1] === side.split(', ')[1],
        )
        const cells = (['ns', 'cpu'] as const).flatMap(figure => {
          const all = rounds.map(round => round[figure])
          const value = median(all)
          const ratio = side.startsWith(OURS)
            ? undefined
            : quotient(all, ours?.[1].map(round => round[figure]) ?? [])
          const name = figure === 'cpu' ? `${CASES[what]}, CPU` : CASES[what]
          const row = { bench: 'second-tier', what: name, entries: ENTRIES, side, value }
          rows.push({ ...row, unit: 'ns', ...(ratio && { ratio }) })
          return [(value / 1000).toFixed(1), times(ratio)]
        })
        const loads = what === 'cold' ? median(rounds.map(({ loads }) => loads)).toFixed(0) : ''
        lines.push([at === 0 ? CASES[what] : '', side, ...cells, loads])
      }
    }
  } finally {
    await server.stop()
  }
  console.log('\nsecond-tier: us a read, or a burst of 100 callers; ours by the same library')
  table([['', 'side', 'us', 'ours is', 'CPU us', 'ours is', 'loads a key'], ...lines])
  return rows
}

async function measure(what: Case, port: number, rounds: number) {
  const begin = (side: string) => [side, { side, what, port } satisfies Request]
  const sides = Object.fromEntries(Object.keys(TIER_SIDES).map(begin))
  return withChildren(import.meta.url, sides, children =>
    alternate<Round>(children, rounds, { work: 'read' } satisfies Request),
  )
}

/** Milliseconds of a round, which is made of so many reads, or bursts, at a time. */
const ROUND = 300
const READS = 1000
const BURSTS = 16

type Value = ReturnType<typeof profile>

let side: TierSide<Value>
let what: Case
/** In the order in which they are asked for, again and again. */
let ids: Uint32Array
let at = 0
let loads = 0
/** Rises from one cold key to the next. */
let next = ENTRIES

const idOf = (key: string) => Number(key.slice(key.lastIndexOf(':') + 1))

async function make(name: string, one: Case, port: number): Promise<true> {
  what = one
  const build = TIER_SIDES[name]
  if (build === undefined) throw new Error(`no such side: ${name}`)
  side = await build<Value>({
    max: HELD,
    ttl: 3_600_000,
    objects: true,
    port,
    async origin(key) {
      loads++
      // As short as it can be while others ask.
      await turn()
      return profile(idOf(key))
    },
  })
  ids = shuffled(ENTRIES)
  for (let id = 0; id < ENTRIES; id += CALLERS) {
    const some = Array.from({ length: CALLERS }, (_, place) => id + place)
    await Promise.all(some.map(id => side.write(key(id), profile(id))))
  }
  // What others wrote is news to who listens.
  await sleep(100)
  for (const id of ids.subarray(0, 1000)) check(await side.read(key(id)), id)
  const end = performance.now() + 1500
  while (performance.now() < end) await run()
  await sleep(50)
  global.gc?.()
  return true
}

function check(value: unknown, id: number): void {
  if (JSON.stringify(value) === JSON.stringify(profile(id))) return
  throw new Error(`wrong value of ${id}: ${JSON.stringify(value)}`)
}

/** A round. */
async function run(): Promise<Round> {
  const before = loads
  const count = what === 'cold' ? BURSTS : READS
  let done = 0
  let ns = 0
  const used = process.cpuUsage()
  while (ns < ROUND * 1e6) {
    const start = process.hrtime.bigint()
    if (what === 'alone') await alone()
    else if (what === 'together') await together()
    else for (let burst = 0; burst < BURSTS; burst++) await cold(next++)
    ns += Number(process.hrtime.bigint() - start)
    done += count
  }
  const { user, system } = process.cpuUsage(used)
  const loaded = loads - before
  if (what !== 'cold' && loaded > 0) throw new Error('what Redis has was loaded')
  return { ns: ns / done, cpu: ((user + system) * 1000) / done, loads: loaded / done }
}

const nextId = () => ids[at++ % ENTRIES] as number

async function alone(): Promise<void> {
  for (let read = 0; read < READS; read++) {
    const id = nextId()
    use(await side.read(key(id)), id)
  }
}

async function together(): Promise<void> {
  for (let read = 0; read < READS; read += CALLERS) {
    const some = Array.from({ length: CALLERS }, nextId)
    const values = await Promise.all(some.map(id => side.read(key(id))))
    for (const [place, id] of some.entries()) use(values[place], id)
  }
}

/** All ask at once for a key that nobody has. */
async function cold(id: number): Promise<void> {
  const callers = Array.from({ length: CALLERS }, () => side.read(key(id)))
  for (const value of await Promise.all(callers)) use(value, id)
}

function use(value: Value | undefined | null, id: number): void {
  if (value?.id !== id) throw new Error(`wrong value of ${id}: ${JSON.stringify(value)}`)
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  // Connections would keep it alive.
  process.once('disconnect', () => process.exit())
  answer<Request>(request =>
    'work' in request ? run() : make(request.side, request.what, request.port),
  )
}
