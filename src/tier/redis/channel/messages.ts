// What processes tell each other over the bus: messages as text, and how a receiver finds out that it
// missed one. Nothing here sends or waits.
import type { CacheKey } from '../../../base/types.ts'
import type { TierHost } from '../../contract.ts'

/** What was written or removed. */
export interface Change {
  readonly keys: readonly CacheKey[]
  readonly tags: readonly string[]
  /** Everything. */
  readonly clear: boolean
}

/** A change to which others are added. */
export interface Changes extends Change {
  keys: CacheKey[]
  tags: string[]
  clear: boolean
}

/**
 * - `alive`: a sign of life.
 * - `bye`: who sends it will be silent.
 * - `change`: something was written or removed.
 */
export type Kind = 'alive' | 'bye' | 'change'

/** A message. */
export interface Message {
  readonly kind: Kind
  /** Who sends it: a random text of one session. */
  readonly origin: string
  /** How many changes it has sent, with this one. */
  readonly sequence: number
  /** What a `change` tells. */
  readonly change?: Change | undefined
  /** When the first of it was asked for, in microseconds of the sender's process. */
  readonly at?: number | undefined
}

/** The first item of every message: others are of another version, or no messages. */
const VERSION = 1
const KINDS: readonly Kind[] = ['alive', 'bye', 'change']

/** A message as text: a JSON array. */
export function writeMessage({ kind, origin, sequence, change, at }: Message): string {
  const head = [VERSION, KINDS.indexOf(kind), origin, sequence]
  if (change === undefined) return JSON.stringify(head)
  const told = [change.keys.map(writeKey), change.tags, change.clear ? 1 : 0]
  return JSON.stringify(at === undefined ? [...head, ...told] : [...head, ...told, at])
}

/** The message of a text; throws if it is none. */
export function readMessage(text: string): Message {
  const parts: unknown = JSON.parse(text)
  if (!Array.isArray(parts) || parts[0] !== VERSION) throw new SyntaxError('not a message')
  const [, kindAt, origin, sequence, keys, tags, clear, at] = parts as unknown[]
  const kind = KINDS[kindAt as number]
  if (kind === undefined || typeof origin !== 'string' || origin === '') {
    throw new SyntaxError('a message of nobody')
  }
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 0) {
    throw new SyntaxError('a message without a number')
  }
  const head = { kind, origin, sequence: sequence as number }
  if (kind !== 'change') return head
  if (!isTexts(keys) || !isTexts(tags) || (clear !== 0 && clear !== 1)) {
    throw new SyntaxError('a change of nothing')
  }
  if (at !== undefined && !Number.isSafeInteger(at)) throw new SyntaxError('a change at no time')
  const change = { keys: keys.map(readKey), tags, clear: clear === 1 }
  return at === undefined ? { ...head, change } : { ...head, change, at: at as number }
}

function isTexts(list: unknown): list is string[] {
  return Array.isArray(list) && list.every(item => typeof item === 'string')
}

/** A key as text, its type in the first character. */
function writeKey(key: CacheKey): string {
  if (typeof key === 'string') return `s${key}`
  if (typeof key === 'number') return Object.is(key, -0) ? 'n-0' : `n${key}`
  return `b${Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('base64')}`
}

function readKey(text: string): CacheKey {
  const rest = text.slice(1)
  if (text[0] === 's') return rest
  if (text[0] === 'n' && rest !== '') return Number(rest)
  if (text[0] === 'b') return new Uint8Array(Buffer.from(rest, 'base64'))
  throw new SyntaxError('a key of no type')
}

/** The most keys and tags of a message, and the most characters in them, but for the last one. */
const [MOST, LONGEST] = [500, 64 * 1024]
/** With more keys and tags it is cheaper for everybody to forget everything. */
const TOO_MANY = 20_000

/** A change of nothing, to add to. */
export function nothing(): Changes {
  return { keys: [], tags: [], clear: false }
}

/** Adds a change to others, which become a change of everything if they are too many. */
export function merge(to: Changes, { keys, tags, clear }: Change): void {
  if (clear || to.clear || to.keys.length + to.tags.length + keys.length + tags.length > TOO_MANY) {
    to.clear = true
    to.keys = []
    to.tags = []
    return
  }
  for (const key of keys) to.keys.push(key)
  for (const tag of tags) to.tags.push(tag)
}

/** A change in pieces, each of which is a message of bounded length. */
export function* pieces(change: Change): Generator<Change> {
  if (change.clear) return yield { keys: [], tags: [], clear: true }
  let piece = nothing()
  let room = LONGEST
  for (const list of ['keys', 'tags'] as const) {
    for (const item of change[list]) {
      if (room <= 0 || piece.keys.length + piece.tags.length === MOST) {
        yield piece
        piece = nothing()
        room = LONGEST
      }
      piece[list].push(item as string)
      room -= typeof item === 'number' ? 8 : item.length
    }
  }
  if (piece.keys.length + piece.tags.length > 0) yield piece
}

/** Tells a cache of a change elsewhere. */
export function pass(host: TierHost, { keys, tags, clear }: Change): void {
  if (clear) host.cleared()
  if (keys.length > 0) host.changed(keys)
  if (tags.length > 0) host.tagged(tags)
}

/** Who was heard of, up to which number, and when. */
interface Heard {
  sequence: number
  at: number
}

/**
 * Finds out whether messages are missing. Numbers of one origin come in order and without holes:
 * whatever does not follow the last one is a gap.
 */
export class Sequences {
  readonly #origins = new Map<string, Heard>()
  readonly #keep: number

  /** @param keep - milliseconds of silence after which an origin is forgotten. */
  constructor(keep: number) {
    this.#keep = keep
  }

  /** How many origins are known. */
  get size(): number {
    return this.#origins.size
  }

  /**
   * Notes a message. Returns whether it follows what was heard of its origin.
   *
   * @param trusting - whether to begin with any number of an origin that is not known: right after the
   *   subscription everybody is new.
   */
  follows({ kind, origin, sequence }: Message, now: number, trusting: boolean): boolean {
    const expected = this.#expected(origin, kind)
    if (kind === 'bye') this.#origins.delete(origin)
    else this.#origins.set(origin, { sequence, at: now })
    return expected === undefined ? trusting || sequence === first(kind) : sequence === expected
  }

  /** Forgets who has been silent for long. */
  sweep(now: number): void {
    for (const [origin, { at }] of this.#origins) {
      if (now - at >= this.#keep) this.#origins.delete(origin)
    }
  }

  /** Forgets everybody. */
  clear(): void {
    this.#origins.clear()
  }

  #expected(origin: string, kind: Kind): number | undefined {
    const heard = this.#origins.get(origin)
    return heard && heard.sequence + first(kind)
  }
}

/** The number of an origin's first message of a kind; signs of life do not count. */
function first(kind: Kind): number {
  return kind === 'change' ? 1 : 0
}
