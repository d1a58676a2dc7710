// A source of a dashboard: what is looked at each time, and what can be done to it.
import type {
  Action,
  KeyText,
  Look,
  Moment,
  Outcome,
  Removal,
  Rows,
  Shape,
  Value,
} from './frames.ts'

/** Told of what happened between two looks. */
export type Tell = (moment: Omit<Moment, 'source' | 'at'> & { at?: number }) => void

/** Something that a dashboard shows. */
export interface Source {
  readonly shape: Shape
  /** Somebody watches from now on: rates begin anew. */
  start(tell: Tell): void
  look(now: number): Look
  /** Nobody watches any more: nothing is listened to. */
  stop(): void
  act(action: Action): Promise<Outcome>
  /** Tells of what leaves until the result is called, where the shape says that it can. */
  removals?(tell: TellRemovals): () => void
}

/** Told of removals, and of how many there were by their route or how they begin. */
export type TellRemovals = (
  removals: readonly Removal[],
  counts: readonly (readonly [of: string, count: number])[],
) => void

/** The most rows of a table that are sent. */
const MOST_ROWS = 100
/** The most characters of a key that are sent. */
const LONGEST_KEY = 512

/** The rows of a table, of which the first are sent. */
export function rowsOf(all: readonly (readonly Value[])[], total = all.length): Rows {
  const rows = all.slice(0, MOST_ROWS)
  return { rows, more: total - rows.length }
}

/** A key as it travels. */
export function keyText(key: unknown): KeyText {
  if (typeof key === 'number') return { kind: 'number', text: String(key) }
  const isText = typeof key === 'string'
  const text = isText ? key : Buffer.from(key as Uint8Array).toString('base64')
  const kind = isText ? 'string' : 'bytes'
  if (text.length <= LONGEST_KEY) return { kind, text }
  return { kind, text: text.slice(0, LONGEST_KEY), cut: true }
}

/** The key that is meant. */
export function keyOf({ kind, text }: KeyText): string | number | Buffer {
  if (kind === 'number') return Number(text)
  return kind === 'bytes' ? Buffer.from(text, 'base64') : text
}

/** Turns counts that only grow into rates a second. */
export class Rates {
  #before = new Map<string, number>()
  #now = new Map<string, number>()
  #seconds = 0
  #at: number | undefined

  /** Begins a look. */
  begin(at: number): void {
    this.#seconds = this.#at === undefined ? 0 : (at - this.#at) / 1000
    this.#at = at
    this.#before = this.#now
    this.#now = new Map()
  }

  /** By how much a count has grown since the last look; `null` on the first one. */
  grown(name: string, count: number): number | null {
    this.#now.set(name, count)
    const before = this.#before.get(name)
    if (before === undefined || this.#seconds <= 0) return null
    // A count that fell was set back to zero meanwhile.
    return count < before ? count : count - before
  }

  /** By how much each of some counts has grown; `undefined` on the first look. */
  grownAll(name: string, counts: readonly number[]): number[] | undefined {
    const grown = counts.map((count, at) => this.grown(`${name} ${at}`, count))
    return grown.some(each => each === null) ? undefined : (grown as number[])
  }

  /** How much that is a second. */
  rate(name: string, count: number): number | null {
    const grown = this.grown(name, count)
    return grown === null ? null : grown / this.#seconds
  }

  /** Forgets everything. */
  clear(): void {
    this.#at = undefined
    this.#now = new Map()
  }
}

/** A share of a whole; `null` where there is no whole. */
export function share(part: number | null, whole: number | null): number | null {
  return part === null || whole === null || whole <= 0 ? null : part / whole
}

/** The sum of what is known; `null` if nothing is. */
export function sum(parts: readonly (number | null)[]): number | null {
  const known = parts.filter(part => part !== null)
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0)
}
