/** One side of the classic benchmark, in a process of its own: first its answers, then its speed. */
import { fileURLToPath } from 'node:url'
import { ANY_KEY, FLOOR, type Key, type NumberMap } from '../lib/any-key.ts'
import { answer } from '../lib/child.ts'
import { random, shuffled } from '../lib/data.ts'
import { median } from '../lib/report.ts'
import { keysOf } from './kinds.ts'

/** The phases of a round, in their order. */
export const PHASES = ['set', 'get1', 'update', 'get2', 'evict'] as const
/** One of {@link PHASES}. */
export type Phase = (typeof PHASES)[number]

/** Runs of a round, of which the median counts. */
const RUNS = 5
/** Runs before the first round: by then V8 has compiled what it will compile. */
const WARM_UPS = 25

/** What a round gives: operations a millisecond, or why the side is disqualified. */
export type Round = Record<Phase, number> | { wrong: string }

/** What the process is asked: to make ready, then one round after another. */
export type Request = { side: string; kind: string; max: number } | { round: true }

/** Keys with the value that each is set to, in the order of one phase. */
interface Entries {
  keys: Key[]
  values: number[]
}

let build: () => NumberMap
let max: number
/** Twice as many entries as the cache holds: the second half evicts the first. */
let all: Entries
let updates: Entries
/** The updated entries in another order. */
let mixed: Entries
let wrong: string | undefined

function prepare(request: { side: string; kind: string; max: number }): void {
  const make = ANY_KEY[request.side]
  if (!make) throw new Error(`no such side: ${request.side}`)
  max = request.max
  build = () => make(max)
  const next = random(6)
  const values = (count: number) => Array.from({ length: count }, () => next() % 10_000_000)
  all = { keys: keysOf(request.kind, 2 * max), values: values(2 * max) }
  updates = pick({ keys: all.keys, values: values(max) }, shuffled(max, 7))
  mixed = pick(updates, shuffled(max, 8))
  try {
    wrong = inspect(make, request.side === FLOOR)
    if (wrong) return
    for (let turn = 0; turn < WARM_UPS; turn++) run()
  } catch (error) {
    wrong = String(error)
  }
}

/** Entries in another order. */
function pick({ keys, values }: Entries, order: Uint32Array): Entries {
  return {
    keys: Array.from(order, at => keys[at] as Key),
    values: Array.from(order, at => values[at] as number),
  }
}

/** What a small cache answers wrongly, if it does: it loses entries, or keeps to no bound. */
function inspect(make: (max: number) => NumberMap, unbounded: boolean): string | undefined {
  const few = Math.min(50, max)
  const cache = make(few)
  const { keys, values } = all
  const found = (at: number) => cache.get(keys[at] as Key) === values[at]
  for (let at = 0; at < few; at++) {
    cache.set(keys[at] as Key, values[at] as number)
    if (!found(at)) return `a key just set is not found: ${show(keys[at])}`
  }
  for (let at = 0; at < few; at++) if (!found(at)) return `an entry is lost: ${show(keys[at])}`
  const many = Math.min(5 * few, keys.length)
  for (let at = few; at < many; at++) cache.set(keys[at] as Key, values[at] as number)
  let held = 0
  for (let at = 0; at < many; at++) if (found(at)) held++
  cache.close?.()
  // Caches of two generations may hold twice their bound.
  if (!unbounded && held > 2 * few) return `of at most ${few} entries it holds ${held}`
  return undefined
}

const show = (key: unknown) => (typeof key === 'object' ? JSON.stringify(key) : String(key))

/** Several runs, phase by phase. */
function round(): Round {
  const runs: Record<Phase, number>[] = []
  for (let turn = 0; turn < RUNS && !wrong; turn++) runs.push(run())
  if (wrong) return { wrong }
  const speeds = PHASES.map(phase => [phase, median(runs.map(run => max / run[phase]))])
  return Object.fromEntries(speeds) as Record<Phase, number>
}

/** All phases on a new cache, in milliseconds. */
function run(): Record<Phase, number> {
  const cache = build()
  const took = { set: 0, get1: 0, update: 0, get2: 0, evict: 0 }
  const phase = (name: Phase, work: () => number) => {
    const start = process.hrtime.bigint()
    const mistakes = work()
    took[name] = Number(process.hrtime.bigint() - start) / 1e6
    if (mistakes > 0) wrong ??= `${name} read ${mistakes} wrong values of ${max}`
  }
  phase('set', () => set(cache, all, 0, max))
  phase('get1', () => get(cache, all, 0, max))
  phase('update', () => set(cache, updates, 0, max))
  phase('get2', () => get(cache, mixed, 0, max))
  phase('evict', () => set(cache, all, max, 2 * max))
  // Not timed: what the last phase stored.
  const mistakes = get(cache, all, max, 2 * max)
  if (mistakes > 0) wrong ??= `after evict ${mistakes} wrong values of ${max}`
  cache.close?.()
  // No collection is forced: V8 would throw away code in which it had put the cache of this run.
  return took
}

function set(cache: NumberMap, { keys, values }: Entries, from: number, to: number): number {
  for (let at = from; at < to; at++) cache.set(keys[at] as Key, values[at] as number)
  return 0
}

/** Reads entries and returns how many of the values are wrong. */
function get(cache: NumberMap, { keys, values }: Entries, from: number, to: number): number {
  let mistakes = 0
  for (let at = from; at < to; at++) if (cache.get(keys[at] as Key) !== values[at]) mistakes++
  return mistakes
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  answer<Request>(request => {
    if ('round' in request) return round()
    prepare(request)
    return true
  })
}
