/**
 * The near cache: reads of `Cache` with it, with `near: false`, and of lru-cache, which holds the
 * very objects. Each side runs in a process of its own for each case; the rounds of the sides
 * alternate, and the price of building a fresh key is measured alike and taken off all.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LRUCache as Peer } from 'lru-cache'
import { Cache, type CacheOptions, json } from './lib/breakwater.ts'
import { answer } from './lib/child.ts'
import { key, profile, random, short, shuffled, text, zipf } from './lib/data.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { alternate, quotient, withChildren } from './lib/rounds.ts'
import { PEER } from './lib/sides.ts'

const NEAR = 'near'
const FAR = 'near: false'
const SIDES = [NEAR, FAR, PEER]

/** In which order keys are read. `in turn`: one after the other, and again from the first. */
type Access = 'zipf' | 'uniform' | 'in turn'

/** What is read, and how. */
interface Case {
  values: 'objects' | 'strings'
  entries: number
  access: Access
  keys: 'same keys' | 'fresh keys'
  /** The most copies in the near cache; as many as it has by itself, if left out. */
  near?: number
  /** Of so many operations one is a set; none, if left out. */
  writes?: number
}

const objects = { values: 'objects', access: 'zipf', keys: 'same keys' } as const
const strings = { ...objects, values: 'strings' } as const
const CASES: readonly Case[] = [
  // The near cache holds all of them.
  { ...objects, entries: 1000 },
  { ...objects, entries: 4000 },
  { ...objects, entries: 10_000, near: 10_000 },
  { ...objects, entries: 4000, keys: 'fresh keys' },
  { ...strings, entries: 4000 },
  { ...strings, entries: 4000, keys: 'fresh keys' },
  { ...objects, entries: 4000, writes: 10 },
  // It holds a tenth of them.
  { ...objects, entries: 100_000, near: 10_000 },
  { ...objects, entries: 100_000, near: 10_000, keys: 'fresh keys' },
  { ...strings, entries: 100_000, near: 10_000 },
  { ...objects, entries: 100_000, near: 10_000, writes: 10 },
  // It holds next to none, and no key is read more often than another.
  { ...objects, entries: 1_000_000, access: 'uniform' },
  { ...strings, entries: 1_000_000, access: 'uniform' },
  { ...strings, entries: 1_000_000, access: 'uniform', keys: 'fresh keys' },
  // Whatever it keeps is gone when it is asked for again.
  { ...objects, entries: 10_000, access: 'in turn' },
  { ...strings, entries: 10_000, access: 'in turn' },
]

/** A case by its name, as `4k objects, zipf, same keys, near 10k, a set in 10`. */
function nameOf({ values, entries, access, keys, near, writes }: Case): string {
  const parts = [`${short(entries)} ${values}`, access, keys]
  if (near) parts.push(`near ${short(near)}`)
  if (writes) parts.push(`a set in ${writes}`)
  return parts.join(', ')
}

type Request = { side: string; at: number } | { work: 'read' | 'build' } | { share: true }

/** Runs it and returns its figures. `sizes`: those of the cases to run; all, if left out. */
export async function near(options: { sizes: number[]; rounds: number }): Promise<Row[]> {
  const { sizes, rounds } = options
  const asked = [...CASES.entries()].filter(
    ([, { entries }]) => sizes.length === 0 || sizes.includes(entries),
  )
  if (asked.length === 0) {
    const known = new Set(CASES.map(({ entries }) => entries))
    throw new Error(`near has cases of ${[...known].join(', ')} entries, not of ${sizes}`)
  }
  const rows: Row[] = []
  console.log('\nnear: ns per operation')
  const lines: (string | number)[][] = [['', 'near hits', ...SIDES, `to ${FAR}`, `to ${PEER}`]]
  for (const [at, one] of asked) {
    const { net, share } = await measure(at, rounds)
    const figures = (side: string) => net.get(side) ?? []
    const [toFar, toPeer] = [FAR, PEER].map(side => quotient(figures(side), figures(NEAR)))
    const medians = SIDES.map(side => median(figures(side)))
    const cells = [...medians.map(ns => ns.toFixed(0)), times(toFar), times(toPeer)]
    lines.push([nameOf(one), `${(share * 100).toFixed(0)} %`, ...cells])
    for (const [at, side] of SIDES.entries()) {
      const value = medians[at] as number
      const row = {
        bench: 'near',
        what: nameOf(one),
        entries: one.entries,
        side,
        value,
        unit: 'ns',
      }
      const ratio = side === FAR ? toFar : toPeer
      rows.push(side === NEAR || ratio === undefined ? row : { ...row, ratio })
    }
  }
  table(lines)
  return rows
}

/** Nanoseconds an operation by side and round, and the share of reads that were near hits. */
async function measure(at: number, rounds: number) {
  const sides = Object.fromEntries(SIDES.map(side => [side, { side, at } satisfies Request]))
  return withChildren(import.meta.url, sides, async children => {
    const ask = (work: 'read' | 'build') =>
      alternate<number>(children, rounds, { work } satisfies Request)
    const reads = await ask('read')
    const fresh = CASES[at]?.keys === 'fresh keys'
    // The same code on all sides: the lowest figure is the one least disturbed.
    const build = fresh ? Math.min(...[...(await ask('build')).values()].map(median)) : 0
    const share = await children.get(NEAR)?.ask<number>({ share: true } satisfies Request)
    const net = [...reads].map(([side, all]) => [side, all.map(ns => ns - build)] as const)
    return { net: new Map(net), share: share ?? 0 }
  })
}

const COUNT = 2 ** 20
const MASK = COUNT - 1
/** Operations of a round, and of one call of its loop. */
const OPS = 2 ** 18
const SLICE = 2 ** 14

/** A value: objects and strings both tell which id they belong to. */
interface Value {
  readonly length?: number
  readonly id?: number
}

let cache: { get(key: string): Value | undefined; set(key: string, value: Value): unknown }
let ours: Cache<string, Value> | undefined
let ids: Uint32Array
let keys: string[]
let values: Value[]
let loop: (from: number, to: number) => number
let turn = 0

function make(side: string, at: number): void {
  const { entries, access, keys: kind, near, writes, values: type } = CASES[at] as Case
  ids = draw(access, entries)
  keys = Array.from({ length: entries }, (_, id) => key(id))
  const isText = type === 'strings'
  const value = (id: number): Value => (isText ? (text(id, 200) as Value) : profile(id))
  const options: CacheOptions<Value> = {
    // Room to spare, so that all reads hit.
    max: 2 * entries,
    near: side === FAR ? false : near ? { max: near, maxBytes: '1gb' } : true,
    ...(isText ? {} : { codec: json<Value>() }),
  }
  cache = side === PEER ? new Peer<string, Value>({ max: 2 * entries }) : open(options)
  for (const id of shuffled(entries)) cache.set(keys[id] as string, value(id))
  values = Array.from({ length: 1024 }, (_, id) => value(id))
  const read = kind === 'fresh keys' ? readFresh : readSame
  loop = writes ? readAndWrite(writes) : read
  for (let id = 0; id < entries; id++) {
    const found = cache.get(keys[id] as string)
    if (JSON.stringify(found) !== JSON.stringify(value(id))) throw new Error(`${side} lost ${id}`)
  }
  global.gc?.()
}

function draw(access: Access, entries: number): Uint32Array {
  if (access === 'zipf') return zipf(entries, COUNT)
  const next = random(4)
  const id = (_: unknown, at: number) => (access === 'uniform' ? next() : at) % entries
  return Uint32Array.from({ length: COUNT }, id)
}

function open(options: CacheOptions<Value>): Cache<string, Value> {
  ours = new Cache<string, Value>(options)
  return ours
}

/** Uses what was read, or the compiler might leave out the reading. */
const isHit = (value: Value | undefined) => value !== undefined && value.length !== 0

function readSame(from: number, to: number): number {
  let hits = 0
  for (let at = from; at < to; at++) {
    if (isHit(cache.get(keys[ids[at & MASK] as number] as string))) hits++
  }
  return hits
}

function readFresh(from: number, to: number): number {
  let hits = 0
  for (let at = from; at < to; at++) if (isHit(cache.get(`user:${ids[at & MASK]}`))) hits++
  return hits
}

const readAndWrite = (writes: number) => (from: number, to: number) => {
  let hits = 0
  for (let at = from; at < to; at++) {
    const key = keys[ids[at & MASK] as number] as string
    if (at % writes === 0) cache.set(key, values[at & 1023] as Value)
    else if (!isHit(cache.get(key))) continue
    hits++
  }
  return hits
}

function build(from: number, to: number): number {
  for (let at = from; at < to; at++) built = `user:${ids[at & MASK]}`
  return built ? to - from : 0
}
/** Keeps the compiler from leaving out what nobody reads. */
let built: string | undefined

/** Nanoseconds that an operation takes, after V8 has compiled it and the near cache has settled. */
async function run(work: 'read' | 'build'): Promise<number> {
  if (!warm.has(work)) {
    warm.add(work)
    const end = performance.now() + 500
    while (performance.now() < end) slice(work)
    // The compiler has a thread of its own.
    await sleep(50)
  }
  let ns = 0
  for (let done = 0; done < OPS; done += SLICE) ns += slice(work)
  return ns / OPS
}
const warm = new Set<string>()

/** A part of a round; nanoseconds. */
function slice(work: 'read' | 'build'): number {
  const from = turn
  turn += SLICE
  const start = process.hrtime.bigint()
  const hits = work === 'build' ? build(from, turn) : loop(from, turn)
  const ns = Number(process.hrtime.bigint() - start)
  if (hits !== SLICE) throw new Error(`${SLICE - hits} of ${SLICE} missed`)
  return ns
}

/** The share of the hits that the near cache answered, from now on for a while. */
function share(): number {
  const before = ours?.stats()
  loop(turn, turn + OPS)
  const after = ours?.stats()
  if (!before || !after) return 0
  return (after.nearHits - before.nearHits) / (after.hits - before.hits)
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  answer<Request>(request => {
    if ('share' in request) return share()
    if ('work' in request) return run(request.work)
    make(request.side, request.at)
    return true
  })
}
