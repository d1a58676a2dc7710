/**
 * The headline: string get with fresh keys and with the same key objects, and set, at four sizes,
 * Zipf 0.99, all hits, 64-byte values, against lru-cache. Each side runs in its own process, the
 * rounds of the sides alternate, and the price of building a fresh key is measured alike and taken
 * off both.
 */
import { fileURLToPath } from 'node:url'
import { answer, Child } from './lib/child.ts'
import { key, short, shuffled, text, zipf } from './lib/data.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { build, type MapLike, OURS, PEER } from './lib/sides.ts'

/**
 * A fresh key is one that the program has just built, as requests bring them. Up to twelve
 * characters V8 joins at once; a longer key is a pair of halves until somebody needs its hash.
 */
const WORK = [
  'get, fresh keys',
  'get, same key objects',
  'set, fresh keys',
  'get, fresh longer keys',
  'set, fresh longer keys',
] as const
const BUILD = ['build a key', 'build a longer key'] as const
type Work = (typeof WORK)[number] | (typeof BUILD)[number]

type Request = { make: string; entries: number } | { work: Work; ops: number }

/** Runs it and returns its figures. */
export async function headline(options: { sizes: number[]; rounds: number }): Promise<Row[]> {
  const rows: Row[] = []
  for (const entries of options.sizes) {
    console.log(`\nheadline: ${short(entries)} entries, ns per operation`)
    const measured = await measure(entries, options.rounds)
    const lines: (string | number)[][] = [['', OURS, PEER, 'ratio', 'key build incl.']]
    for (const what of WORK) {
      const [ours, peers] = [measured[OURS]?.[what], measured[PEER]?.[what]]
      if (!ours || !peers) throw new Error(`${what} was not measured`)
      const ratio = peers.net / ours.net
      lines.push([
        what,
        ours.net.toFixed(0),
        peers.net.toFixed(0),
        times(ratio),
        times(peers.gross / ours.gross),
      ])
      const row = { bench: 'headline', what, entries, unit: 'ns' }
      rows.push({ ...row, side: OURS, value: ours.net })
      rows.push({ ...row, side: PEER, value: peers.net, ratio })
    }
    table(lines)
  }
  return rows
}

type Figures = Partial<Record<Work, { net: number; gross: number }>>

async function measure(entries: number, rounds: number): Promise<Record<string, Figures>> {
  const sides = [OURS, PEER]
  const children = new Map<string, Child>()
  const samples = new Map<string, number[]>()
  const ops = 2 ** 19
  for (const side of sides) {
    const child = new Child(new URL(import.meta.url))
    children.set(side, child)
    await child.ask({ make: side, entries } satisfies Request)
  }
  for (const work of [...WORK, ...BUILD]) {
    // Round 0 warms up.
    for (let round = 0; round <= rounds; round++) {
      for (const side of round % 2 ? sides : sides.toReversed()) {
        const ns = await children.get(side)?.ask<number>({ work, ops } satisfies Request)
        const name = `${side} ${work}`
        if (round > 0 && ns) samples.set(name, [...(samples.get(name) ?? []), ns])
      }
    }
  }
  for (const child of children.values()) await child.end()

  const gross = (side: string, work: Work) => median(samples.get(`${side} ${work}`) ?? [])
  return Object.fromEntries(
    sides.map(side => {
      const figures: Figures = {}
      for (const work of WORK) {
        const build = work.includes('longer') ? 'build a longer key' : 'build a key'
        const price = work.includes('fresh') ? gross(side, build) : 0
        const all = gross(side, work)
        figures[work] = { net: all - price, gross: all }
      }
      return [side, figures]
    }),
  )
}

const MASK = 2 ** 20 - 1
let cache: MapLike
let ids: Uint32Array
let keys: string[]
let values: string[]
let turn = 0
/** Makes the cache again, and fills it with keys of one length. */
let fill: (key: (id: number) => string) => void
let filled = 'short'

function make(side: string, entries: number): void {
  ids = zipf(entries, MASK + 1)
  keys = Array.from({ length: entries }, (_, id) => key(id))
  values = Array.from({ length: 1024 }, (_, id) => text(id))
  fill = keyOf => {
    // Room to spare, so that every side holds all of them.
    cache = build(side, { max: 2 * entries })
    for (const id of shuffled(entries)) cache.set(keyOf(id), values[id & 1023] as string)
    global.gc?.()
  }
  fill(id => keys[id] as string)
}

const loops: Record<Work, (from: number, to: number) => number> = {
  'get, fresh keys': (from, to) => {
    let hits = 0
    for (let at = from; at < to; at++) {
      if (cache.get(`user:${ids[at & MASK]}`) !== undefined) hits++
    }
    return hits
  },
  'get, same key objects': (from, to) => {
    let hits = 0
    for (let at = from; at < to; at++) {
      if (cache.get(keys[ids[at & MASK] as number] as string) !== undefined) hits++
    }
    return hits
  },
  'set, fresh keys': (from, to) => {
    for (let at = from; at < to; at++) {
      cache.set(`user:${ids[at & MASK]}`, values[at & 1023] as string)
    }
    return to - from
  },
  'get, fresh longer keys': (from, to) => {
    let hits = 0
    for (let at = from; at < to; at++) {
      if (cache.get(`session:${ids[at & MASK]}:profile`) !== undefined) hits++
    }
    return hits
  },
  'set, fresh longer keys': (from, to) => {
    for (let at = from; at < to; at++) {
      cache.set(`session:${ids[at & MASK]}:profile`, values[at & 1023] as string)
    }
    return to - from
  },
  'build a longer key': (from, to) => {
    for (let at = from; at < to; at++) built = `session:${ids[at & MASK]}:profile`
    return built ? to - from : 0
  },
  'build a key': (from, to) => {
    for (let at = from; at < to; at++) built = `user:${ids[at & MASK]}`
    return built ? to - from : 0
  },
}
/** Keeps the compiler from leaving out what nobody reads. */
let built: string | undefined

function run(work: Work, ops: number): number {
  const wanted = work.includes('longer') ? 'long' : 'short'
  if (filled !== wanted) {
    fill(wanted === 'long' ? id => `session:${id}:profile` : key)
    filled = wanted
  }
  const start = process.hrtime.bigint()
  const hits = loops[work](turn, turn + ops)
  const ns = Number(process.hrtime.bigint() - start) / ops
  turn += ops
  if (hits !== ops) throw new Error(`${work}: ${ops - hits} of ${ops} missed`)
  return ns
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  answer<Request>(request => {
    if ('work' in request) return run(request.work, request.ops)
    make(request.make, request.entries)
    return true
  })
}
