/**
 * Our own port of the benchmark by which LRU caches have been compared since bench-lru, and which
 * lru-cache's repository runs: ten kinds of keys, five phases, wrong answers disqualify. Each side
 * runs in a process of its own for each kind; the rounds of the sides alternate.
 */
import { ANY_KEY, DROP_IN, FLOOR, OURS_FAR } from '../lib/any-key.ts'
import { median, type Row, table, times } from '../lib/report.ts'
import { alternate, quotient, withChildren } from '../lib/rounds.ts'
import { OURS, PEER } from '../lib/sides.ts'
import { PHASES, type Phase, type Request, type Round } from './contestant.ts'
import { KINDS, MEANING, PLAIN } from './kinds.ts'

/** What may be chosen. */
export interface Options {
  /** The most entries of a cache. */
  max: number
  rounds: number
  /** Kinds of keys; all, if left out. */
  kinds?: readonly string[] | undefined
  /** The sides besides lru-cache; all, if left out. */
  peers?: readonly string[] | undefined
}

/** Sides that are a `Cache`. */
const CACHES: readonly string[] = [OURS, OURS_FAR]

const COLUMNS = [...PHASES, 'score'] as const
type Column = (typeof COLUMNS)[number]
/** Operations a millisecond, round by round. */
type Speeds = Record<Column, number[]>

/** How much a phase counts in the score: as in the original, reads out of order and eviction. */
const WEIGHT: Record<Phase, number> = { set: 2, get1: 3, update: 1, get2: 5, evict: 5 }

/** Runs it and returns its figures. */
export async function classic(options: Options): Promise<Row[]> {
  const kinds = chosen('kind of key', options.kinds, Object.keys(KINDS))
  const peers = chosen('peer', options.peers, Object.keys(ANY_KEY))
  const sides = Object.keys(ANY_KEY).filter(side => side === PEER || peers.includes(side))
  const rows: Row[] = []
  const scores = new Map<string, number[]>(sides.map(side => [side, []]))
  for (const kind of kinds) {
    const able = sides.filter(side => !CACHES.includes(side) || PLAIN.includes(kind))
    const results = await measure(kind, able, options)
    const reference = results.get(PEER)
    if (!reference || 'wrong' in reference) throw new Error(`${PEER} failed: ${reference?.wrong}`)
    print(kind, sides, results, reference)
    for (const [side, speeds] of results) {
      if ('wrong' in speeds) continue
      scores.get(side)?.push(quotient(speeds.score, reference.score))
      rows.push(...report(kind, side, options.max, speeds, reference))
    }
  }
  console.log(`\nclassic: score to ${PEER}, geometric mean of the kinds that a side can do`)
  table(
    [...scores].map(([side, ratios]) => [
      side,
      times(Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length)),
      `${ratios.length} of ${kinds.length}`,
    ]),
  )
  return rows
}

/** Those asked for, if they exist; otherwise all. */
function chosen(what: string, asked: readonly string[] | undefined, all: string[]): string[] {
  const unknown = asked?.find(name => !all.includes(name))
  if (unknown) throw new Error(`no ${what} is called ${unknown}; there are ${all.join(', ')}`)
  return asked ? [...asked] : all
}

type Result = Speeds | { wrong: string }

async function measure(
  kind: string,
  sides: readonly string[],
  { max, rounds }: Options,
): Promise<Map<string, Result>> {
  const begin = sides.map(side => [side, { side, kind, max } satisfies Request])
  const module = new URL('./contestant.ts', import.meta.url).href
  const answers = await withChildren(module, Object.fromEntries(begin), children =>
    alternate<Round>(children, rounds, { round: true } satisfies Request),
  )
  return new Map([...answers].map(([side, rounds]) => [side, result(rounds)]))
}

/** The rounds of one side, phase by phase; one wrong answer in one round disqualifies. */
function result(rounds: readonly Round[]): Result {
  const speeds: Speeds = { set: [], get1: [], update: [], get2: [], evict: [], score: [] }
  for (const round of rounds) {
    if ('wrong' in round) return round
    for (const phase of PHASES) speeds[phase].push(round[phase])
    speeds.score.push(PHASES.reduce((sum, phase) => sum + WEIGHT[phase] * round[phase], 0))
  }
  return speeds
}

function print(
  kind: string,
  sides: readonly string[],
  results: ReadonlyMap<string, Result>,
  reference: Speeds,
): void {
  console.log(`\nclassic: ${kind}: ${MEANING[kind]}; operations a millisecond, and to ${PEER}`)
  const lines: (string | number)[][] = [['', ...COLUMNS.flatMap(column => [column, ''])]]
  const notes: string[] = []
  for (const side of sides) {
    const speeds = results.get(side)
    const name = side === FLOOR ? `${side} (no bound)` : side
    if (!speeds) lines.push([name, 'n/a'])
    else if ('wrong' in speeds) {
      lines.push([name, '-'])
      notes.push(`${side} DISQUALIFIED: ${speeds.wrong}`)
    } else {
      const cells = COLUMNS.flatMap(column => [
        median(speeds[column]).toFixed(0),
        times(quotient(speeds[column], reference[column])),
      ])
      lines.push([name, ...cells])
    }
  }
  table(lines)
  for (const note of notes) console.log(`  ${note}`)
}

/** The figures of one side; those of ours with the ratio to lru-cache. */
function report(kind: string, side: string, max: number, speeds: Speeds, peer: Speeds): Row[] {
  return COLUMNS.map(column => {
    const value = median(speeds[column])
    const unit = column === 'score' ? 'points' : 'op/ms'
    const row = { bench: 'classic', what: `${kind}, ${column}`, entries: max, side, value, unit }
    const ours = CACHES.includes(side) || side === DROP_IN
    return ours ? { ...row, ratio: quotient(speeds[column], peer[column]) } : row
  })
}
