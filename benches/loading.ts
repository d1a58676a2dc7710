/**
 * Loading: a warm key and a cold one that a hundred ask for at once, against the caches that load
 * what they do not have. Each side runs in a process of its own for each case; the rounds of the
 * sides alternate, and the price of building a fresh key is measured alike and taken off all. A side
 * that is told how to load when it is made is compared with ours told so, others with `getOrSet`.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { answer } from './lib/child.ts'
import { key, profile, text, zipf } from './lib/data.ts'
import { LOADING_SIDES, type LoadingSide, OURS_ONCE, TOLD_ONCE } from './lib/loading-sides.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { alternate, isWanted, quotient, withChildren } from './lib/rounds.ts'
import { OURS } from './lib/sides.ts'

/** `fresh`: built in the loop. */
type Kind = 'same keys' | 'fresh keys' | 'fresh longer keys'

/** What is read, and how. */
interface Case {
  values: 'strings' | 'objects'
  keys: Kind
  /** `await`: one read after the other. `value`: taken at once if it is there. `cold`: see above. */
  how: 'await' | 'value' | 'cold'
}

const CASES: readonly Case[] = (['strings', 'objects'] as const).flatMap(values => [
  { values, keys: 'same keys', how: 'await' },
  { values, keys: 'fresh keys', how: 'await' },
  { values, keys: 'fresh longer keys', how: 'await' },
  { values, keys: 'same keys', how: 'value' },
  { values, keys: 'fresh keys', how: 'value' },
  { values, keys: 'fresh longer keys', how: 'value' },
  { values, keys: 'fresh keys', how: 'cold' },
])

/** How a case is done and what its figure is. */
const WAYS = { await: 'warm, awaited', value: 'warm, value or promise', cold: 'cold, 100 callers' }
const nameOf = ({ values, keys, how }: Case) =>
  how === 'cold' ? `${WAYS[how]}: ${values}` : `${WAYS[how]}: ${values}, ${keys}`

/** Keys that are read while they are warm; all of them fit. */
const ENTRIES = 1000
/** How many ask for a cold key. */
const CALLERS = 100

type Request = { side: string; at: number } | { work: 'read' | 'build' }

/** What a round of a side came to. */
interface Round {
  /** An operation; a cold key's burst as a whole. */
  ns: number
  /** Loads, by the keys that were loaded. */
  loads: number
}

/** Runs it and returns its figures. */
export async function loading(options: {
  rounds: number
  /** Parts of the names of the rows to be measured; all if left out. */
  cases?: readonly string[] | undefined
}): Promise<Row[]> {
  const rows: Row[] = []
  const lines: string[][] = []
  const wanted = [...CASES.entries()].filter(([, one]) => isWanted(nameOf(one), options.cases))
  for (const [place, [at, one]] of wanted.entries()) {
    // By seven rounds each takes 20 to 35 s where nobody else wants the cores.
    console.log(`loading, ${place + 1} of ${wanted.length}: ${nameOf(one)}`)
    const measured = await measure(at, options.rounds)
    for (const [side, { all, loads }] of measured) {
      const ours = measured.get(TOLD_ONCE.includes(side) ? OURS_ONCE : OURS)?.all ?? []
      const value = median(all)
      const row = { bench: 'loading', what: nameOf(one), entries: ENTRIES, side, value, unit: 'ns' }
      const ratio = side.startsWith(OURS) ? undefined : quotient(all, ours)
      rows.push(ratio === undefined ? row : { ...row, ratio })
      const name = side === OURS ? nameOf(one) : ''
      lines.push([name, side, value.toFixed(0), times(ratio), one.how === 'cold' ? `${loads}` : ''])
    }
  }
  console.log('\nloading: ns a read, or a burst of 100 callers')
  table([['', 'side', 'ns', 'ours is', 'loads a key'], ...lines])
  return rows
}

/** Nanoseconds by round, and the loads of a cold key, by side. */
async function measure(at: number, rounds: number) {
  const begin = (side: string) => [side, { side, at } satisfies Request]
  const sides = Object.fromEntries(Object.keys(LOADING_SIDES).map(begin))
  return withChildren(import.meta.url, sides, async children => {
    const ask = (work: 'read' | 'build') =>
      alternate<Round>(children, rounds, { work } satisfies Request)
    const reads = await ask('read')
    const { keys, how } = CASES[at] as Case
    const isBuilt = keys !== 'same keys' && how !== 'cold'
    // The same code on all sides: the lowest figure is the one least disturbed.
    const builds = isBuilt ? [...(await ask('build')).values()] : []
    const build = Math.min(...builds.map(all => median(all.map(({ ns }) => ns))))
    const net = [...reads].map(([side, all]) => {
      const loads = median(all.map(({ loads }) => loads))
      return [side, { all: all.map(({ ns }) => ns - (isBuilt ? build : 0)), loads }] as const
    })
    return new Map(net)
  })
}

/** Milliseconds of a round, which is made of so many operations at a time. */
const ROUND = 200
const READS = 2 ** 13
const BURSTS = 2 ** 6

type Value = string | ReturnType<typeof profile>

let side: LoadingSide<Value>
let one: Case
let keys: string[]
let ids: Uint32Array
let loads = 0
/** Rises from one cold key to the next. */
let next = ENTRIES

const longer = (id: number) => `tenant:0123456789abcdef:service:accounts:user:${id}`
const idOf = (key: string) => Number(key.slice(key.lastIndexOf(':') + 1))
const makeValue = (id: number): Value => (one.values === 'objects' ? profile(id) : text(id, 200))

async function make(name: string, at: number): Promise<true> {
  one = CASES[at] as Case
  const { values, keys: kind, how } = one
  const build = LOADING_SIDES[name]
  if (build === undefined) throw new Error(`no such side: ${name}`)
  side = build<Value>({
    // Room to spare; a side that is bounded by parts, too, is to hold all of them.
    max: 4 * ENTRIES,
    ttl: 3_600_000,
    objects: values === 'objects',
    async origin(key) {
      loads++
      // As short as it can be while others ask.
      if (how === 'cold') await turn()
      return makeValue(idOf(key))
    },
  })
  keys = Array.from({ length: ENTRIES }, (_, id) =>
    (kind === 'fresh longer keys' ? longer : key)(id),
  )
  ids = zipf(ENTRIES, READS)
  for (let time = 0; time < 2; time++) await checkAll()
  if (loads !== ENTRIES) throw new Error(`${name} loaded ${loads} times for ${ENTRIES} keys`)
  const end = performance.now() + 1000
  while (performance.now() < end) await run('read')
  // The compiler has a thread of its own.
  await sleep(50)
  global.gc?.()
  return true
}

async function checkAll(): Promise<void> {
  for (const [id, key] of keys.entries()) check(await side.read(key), id)
}

function check(value: unknown, id: number): void {
  if (JSON.stringify(value) === JSON.stringify(makeValue(id))) return
  throw new Error(`wrong value of ${id}: ${JSON.stringify(value)}`)
}

/** A round. */
async function run(work: 'read' | 'build'): Promise<Round> {
  const { how } = one
  const before = loads
  const count = how === 'cold' ? BURSTS : READS
  let done = 0
  let ns = 0
  while (ns < ROUND * 1e6) {
    const start = process.hrtime.bigint()
    await some(work)
    ns += Number(process.hrtime.bigint() - start)
    done += count
  }
  const loaded = loads - before
  if (how !== 'cold' && loaded > 0) throw new Error('a warm key was loaded')
  return { ns: ns / done, loads: loaded / done }
}

/** Some operations. */
async function some(work: 'read' | 'build'): Promise<void> {
  const { how, keys: kind } = one
  if (work === 'build') build(kind)
  else if (how === 'cold') for (let at = 0; at < BURSTS; at++) await burst(next++)
  else if (how === 'value' && side.readNow !== undefined) await now[kind](side.readNow)
  else await awaited[kind]()
}

/** Uses what was read, or the compiler might leave out the reading. */
const use = (value: Value | undefined | null) => {
  if (typeof value !== 'string' && value?.id === undefined) throw new Error('a read gave nothing')
}

/** A loop for each kind of key, so that none pays for what another has shown the compiler. */
const awaited: Record<Kind, () => Promise<void>> = {
  async 'same keys'() {
    for (let at = 0; at < READS; at++) use(await side.read(keys[ids[at] as number] as string))
  },
  async 'fresh keys'() {
    for (let at = 0; at < READS; at++) use(await side.read(`user:${ids[at]}`))
  },
  async 'fresh longer keys'() {
    for (let at = 0; at < READS; at++) use(await side.read(longer(ids[at] as number)))
  },
}

const now: Record<Kind, (read: NonNullable<typeof side.readNow>) => Promise<void>> = {
  async 'same keys'(read) {
    for (let at = 0; at < READS; at++) {
      const value = read(keys[ids[at] as number] as string)
      use(value instanceof Promise ? await value : value)
    }
  },
  async 'fresh keys'(read) {
    for (let at = 0; at < READS; at++) {
      const value = read(`user:${ids[at]}`)
      use(value instanceof Promise ? await value : value)
    }
  },
  async 'fresh longer keys'(read) {
    for (let at = 0; at < READS; at++) {
      const value = read(longer(ids[at] as number))
      use(value instanceof Promise ? await value : value)
    }
  },
}

/** Builds keys as the loops do. */
function build(kind: Kind): void {
  if (kind === 'fresh keys') for (let at = 0; at < READS; at++) built = `user:${ids[at]}`
  else for (let at = 0; at < READS; at++) built = longer(ids[at] as number)
  if (built === undefined) throw new Error('nothing was built')
}
/** Keeps the compiler from leaving out what nobody reads. */
let built: string | undefined

/** All ask at once for a key that nobody has. */
async function burst(id: number): Promise<void> {
  const all: Promise<Value | undefined | null>[] = []
  for (let caller = 0; caller < CALLERS; caller++) all.push(side.read(`user:${id}`))
  const values = await Promise.all(all)
  for (const value of values) use(value)
  check(values[0], id)
  check(values[CALLERS - 1], id)
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  answer<Request>(request =>
    'work' in request ? run(request.work) : make(request.side, request.at),
  )
}
