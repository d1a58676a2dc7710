/**
 * The drop-in against lru-cache: get, all hits, and set into a full cache where each evicts, with
 * keys of seven kinds. Each side runs in a process of its own for each kind and size; the rounds of
 * the sides alternate, and the price of building a fresh key is measured alike and taken off both.
 * What counts is the time of the processor: other programs of the machine take none of it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LRUCache as Peer } from 'lru-cache'
import { DROP_IN, type Key } from './lib/any-key.ts'
import { answer } from './lib/child.ts'
import { random, short, shuffled, text, zipf } from './lib/data.ts'
import { LRUCache } from './lib/drop-in.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { alternate, isWanted, quotient, withChildren } from './lib/rounds.ts'
import { PEER } from './lib/sides.ts'

/** How the key of an id is made. Called again it makes another one, of the same text. */
const KINDS = {
  'keys of 8 characters': (id: number): Key => `u${id + 1_000_000}`,
  'keys of 16 characters': (id: number): Key => `user:${id + 1_000_000}:abc`,
  'keys of 24 characters': (id: number): Key => `user:${id + 10_000_000}:profile:en`,
  'keys of 36 characters': (id: number): Key => `user:${id + 10_000_000}:abcd-ef01-2345-67890ab`,
  'keys of 60 characters': (id: number): Key =>
    `tenant:0123456789abcdef:service:accounts:region:eu:u${id + 10_000_000}`,
  'number keys': (id: number): Key => id,
  'object keys': (id: number): Key => ({ id }),
}
type Kind = keyof typeof KINDS

/** What is done over and over. */
interface Work {
  /** Which loop runs. */
  loop: keyof typeof loops
  /** How the ids are drawn; `rising`: each is new to the cache. */
  ids: 'zipf' | 'uniform' | 'rising'
  /** Fresh keys are built in the loop, at a price that is taken off: that of this work. */
  floor?: string
}

const WORKS: Readonly<Record<string, Work>> = {
  'get, same keys, zipf': { loop: 'get', ids: 'zipf' },
  'get, same keys, uniform': { loop: 'get', ids: 'uniform' },
  'get, fresh keys, zipf': { loop: 'getFresh', ids: 'zipf', floor: 'build, zipf' },
  'get, fresh keys, uniform': { loop: 'getFresh', ids: 'uniform', floor: 'build, uniform' },
  // The last one, for it fills the cache with other keys.
  'set, fresh keys, each evicts': { loop: 'setFresh', ids: 'rising', floor: 'build, rising' },
}
const FLOORS: Readonly<Record<string, Work>> = {
  'build, zipf': { loop: 'build', ids: 'zipf' },
  'build, uniform': { loop: 'build', ids: 'uniform' },
  'build, rising': { loop: 'buildRising', ids: 'rising' },
}

/** What a kind of key can do: an object is found by itself, and a number is never fresh. */
function able(kind: Kind): string[] {
  const texts = kind.startsWith('keys of')
  return Object.keys(WORKS).filter(work => texts || WORKS[work]?.loop !== 'getFresh')
}

type Request = { side: string; kind: Kind; entries: number } | { work: string }

/** What is measured, and how often. */
interface Options {
  sizes: number[]
  rounds: number
  /** Parts of the names of kinds and of works; all, if absent. */
  kinds: readonly string[] | undefined
  cases: readonly string[] | undefined
}

/** Runs it and returns its figures. */
export async function dropIn(options: Options): Promise<Row[]> {
  const rows: Row[] = []
  for (const entries of options.sizes) {
    console.log(`\ndrop-in: ${short(entries)} entries, ns per operation`)
    const lines: (string | number)[][] = [['', DROP_IN, PEER, 'ratio', 'key build incl.']]
    for (const kind of Object.keys(KINDS) as Kind[]) {
      if (!isWanted(kind, options.kinds)) continue
      for (const { work, ours, theirs, ratio, gross } of await measure(kind, entries, options)) {
        lines.push([`${kind}: ${work}`, ours.toFixed(0), theirs.toFixed(0), times(ratio), gross])
        const row = { bench: 'drop-in', what: `${kind}: ${work}`, entries, unit: 'ns' }
        rows.push({ ...row, side: DROP_IN, value: ours, ratio })
        rows.push({ ...row, side: PEER, value: theirs })
      }
    }
    table(lines)
  }
  return rows
}

async function measure(kind: Kind, entries: number, { rounds, cases }: Options) {
  const begin = (side: string) => [side, { side, kind, entries } satisfies Request]
  const sides = Object.fromEntries([DROP_IN, PEER].map(begin))
  return withChildren(import.meta.url, sides, async children => {
    const ask = (work: string) => alternate<number>(children, rounds, { work } satisfies Request)
    const works = able(kind).filter(work => isWanted(work, cases))
    const floors = new Set(works.map(work => WORKS[work]?.floor ?? ''))
    const builds = new Map<string, Map<string, number[]>>()
    for (const floor of Object.keys(FLOORS)) {
      if (floors.has(floor)) builds.set(floor, await ask(floor))
    }
    const results = []
    for (const work of works) {
      const samples = await ask(work)
      const builder = builds.get(WORKS[work]?.floor ?? '')
      // The same code on both sides: the lower figure is the one less disturbed.
      const build = builder ? Math.min(...[...builder.values()].map(median)) : 0
      const all = (side: string) => samples.get(side) ?? []
      const net = (side: string) => all(side).map(ns => ns - build)
      results.push({
        work,
        ours: median(net(DROP_IN)),
        theirs: median(net(PEER)),
        ratio: quotient(net(PEER), net(DROP_IN)),
        gross: builder ? times(quotient(all(PEER), all(DROP_IN))) : '',
      })
    }
    return results
  })
}

const COUNT = 2 ** 20
const MASK = COUNT - 1
/** Operations of a round. */
const OPS = 2 ** 19
/** A round calls a loop so many times, for V8 compiles best what is called often. */
const SLICES = 32

let cache: { get(key: Key): string | undefined; set(key: Key, value: string): unknown }
let fresh: (id: number) => Key
let keys: Key[]
let values: string[]
let drawn: Record<Work['ids'], Uint32Array>
/** Where a work goes on in its next round. */
const turns = new Map<string, number>()

function make(side: string, kind: Kind, entries: number): void {
  fresh = KINDS[kind]
  const next = random(4)
  const uniform = Uint32Array.from({ length: COUNT }, () => next() % entries)
  drawn = { zipf: zipf(entries, COUNT), uniform, rising: new Uint32Array() }
  keys = Array.from({ length: entries }, (_, id) => fresh(id))
  values = Array.from({ length: 1024 }, (_, id) => text(id))
  const options = { max: entries }
  cache = side === PEER ? new Peer<Key, string>(options) : new LRUCache<Key, string>(options)
  for (const id of shuffled(entries)) cache.set(keys[id] as Key, values[id & 1023] as string)
  for (let id = 0; id < entries; id++) {
    if (cache.get(keys[id] as Key) !== values[id & 1023]) throw new Error(`${side} lost ${id}`)
  }
  // Above all ids that the cache holds.
  for (const work of ['setFresh', 'buildRising']) turns.set(work, entries)
  global.gc?.()
}

/** Keeps the compiler from leaving out a key that nobody reads. */
let built: Key | undefined

/** Each does its work from one place in the order of its ids to another, and counts successes. */
const loops = {
  get(ids: Uint32Array, from: number, to: number): number {
    let hits = 0
    for (let at = from; at < to; at++) {
      if (cache.get(keys[ids[at & MASK] as number] as Key) !== undefined) hits++
    }
    return hits
  },
  getFresh(ids: Uint32Array, from: number, to: number): number {
    let hits = 0
    for (let at = from; at < to; at++) {
      if (cache.get(fresh(ids[at & MASK] as number)) !== undefined) hits++
    }
    return hits
  },
  setFresh(_: Uint32Array, from: number, to: number): number {
    for (let id = from; id < to; id++) cache.set(fresh(id), values[id & 1023] as string)
    return to - from
  },
  build(ids: Uint32Array, from: number, to: number): number {
    for (let at = from; at < to; at++) built = fresh(ids[at & MASK] as number)
    return built === undefined ? 0 : to - from
  },
  buildRising(_: Uint32Array, from: number, to: number): number {
    for (let id = from; id < to; id++) built = fresh(id)
    return built === undefined ? 0 : to - from
  },
}

/** Nanoseconds of the processor that an operation of a work takes, after V8 has compiled it. */
async function run(name: string): Promise<number> {
  const work = WORKS[name] ?? FLOORS[name]
  if (!work) throw new Error(`no such work: ${name}`)
  if (!warm.has(name)) {
    warm.add(name)
    const end = performance.now() + 200
    while (performance.now() < end) slice(name, work)
    // The compiler has a thread of its own.
    await sleep(50)
  }
  let ns = 0
  for (let turn = 0; turn < SLICES; turn++) ns += slice(name, work)
  return ns / OPS
}
const warm = new Set<string>()

/** A part of a round; nanoseconds of the processor. */
function slice(name: string, work: Work): number {
  const ids = drawn[work.ids]
  const from = turns.get(work.loop) ?? 0
  const ops = OPS / SLICES
  turns.set(work.loop, from + ops)
  const start = process.cpuUsage()
  const done = loops[work.loop](ids, from, from + ops)
  const { user, system } = process.cpuUsage(start)
  if (done !== ops) throw new Error(`${name}: ${ops - done} of ${ops} missed`)
  return (user + system) * 1000
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  answer<Request>(request => {
    if ('work' in request) return run(request.work)
    make(request.side, request.kind, request.entries)
    return true
  })
}
