// How long what was loaded is fresh, and when it is loaded anew before its end.
import { InvalidOptionError } from '../base/errors.ts'
import type { Lifetimes } from '../base/lifetimes.ts'
import type { CacheKey } from '../base/types.ts'
import type { Note } from '../native/note.ts'
import type { LoadState } from './load.ts'
import type { LoadingPolicy } from './options.ts'

/** Draws that reach further ahead are one in a million: -ln(1e-6). */
const FURTHEST_DRAW = 14

/** None of a version, and the present as an epoch. */
const NONE = -1

/** What a note may say. */
export interface NoteParts {
  readonly tags?: readonly string[] | undefined
  /** One more tag, which is not the user's. */
  readonly cover?: string | undefined
  readonly version?: number | undefined
  /** Milliseconds before its end from which on the entry is loaded anew. */
  readonly early?: number | undefined
  /** What loading it took, in milliseconds; noted if something else is, or `weighsCost`. */
  readonly cost?: number | undefined
  readonly weighsCost?: boolean | undefined
  /** When it was known, by the tag clock; now if left out. */
  readonly epoch?: number | undefined
}

/** The note of an entry; `undefined` if it needs none. */
export function noteOf(parts: NoteParts): Note | undefined {
  const { tags, cover, version, early = 0, cost = 0, epoch = NONE } = parts
  const isTagged = cover !== undefined || (tags !== undefined && tags?.length !== 0)
  const isWeighed = parts.weighsCost === true && cost > 1
  if (early === 0 && version === undefined && !isTagged && !isWeighed) return undefined
  const note: Note = [Math.round(early), Math.ceil(cost), checkVersion(version), epoch]
  note.push(...checkTags(tags))
  if (cover !== undefined) note.push(cover)
  return note
}

/**
 * Milliseconds before its end here from which on a value may be loaded anew: before its true end, since
 * a value that ends here sooner is only looked up in the tier again.
 *
 * @param freshFor - its life, and `here` what that is in this process, in milliseconds.
 */
export function earlyWindow(
  policy: LoadingPolicy,
  freshFor: number,
  here: number,
  cost: number,
): number {
  const sooner = here < freshFor ? freshFor - here : 0
  return Math.max(0, trueWindow(policy, freshFor, cost) - sooner)
}

function trueWindow(policy: LoadingPolicy, life: number, cost: number): number {
  const { beta, refreshAhead } = policy
  if (!Number.isFinite(life)) return 0
  if (refreshAhead !== undefined) return life * (1 - refreshAhead)
  // Not from its beginning: a value that is loaded at once again would never be read.
  if (beta !== undefined) return Math.min(life / 2, beta * cost * FURTHEST_DRAW)
  return 0
}

/** Decides when values of one cache are loaded anew. */
export class Freshness<K extends CacheKey, V> {
  readonly #policy: LoadingPolicy
  readonly #lives: Lifetimes<K, V>
  readonly #random: () => number

  constructor(policy: LoadingPolicy, lives: Lifetimes<K, V>) {
    this.#policy = policy
    this.#lives = lives
    this.#random = lives.random
  }

  /** The life of a value that was loaded, in milliseconds; `undefined` for the cache's default. */
  lifeOf(key: K, value: V, load: LoadState<V>): number | undefined {
    const { ttl, jitter } = load
    const plain = ttl === undefined && jitter === undefined
    return this.#lives.of(plain ? undefined : { ttl, jitter }, value, key)
  }

  /** Whether a value that another process stored is about to be loaded anew. */
  isEarly(left: number, cost: number): boolean {
    const { beta, refreshAhead } = this.#policy
    if (refreshAhead !== undefined) return left <= (this.#lives.ttl ?? 0) * (1 - refreshAhead)
    return beta !== undefined && this.isDue(left, cost)
  }

  /**
   * Whether a value in its window is loaded anew now. XFetch: see A. Vattani, F. Chierichetti,
   * K. Lowenstein, "Optimal probabilistic cache stampede prevention", VLDB 2015.
   *
   * @param left - milliseconds until its end.
   * @param cost - what loading it took, in milliseconds.
   */
  isDue(left: number, cost: number): boolean {
    const { beta } = this.#policy
    if (beta === undefined) return true
    return left <= -beta * cost * Math.log(1 - this.#random())
  }
}

function checkVersion(version: number | undefined): number {
  if (version === undefined) return NONE
  if (Number.isSafeInteger(version) && version >= 0) return version
  throw new InvalidOptionError('version', version, 'a whole number from 0 to 2^53 - 1')
}

/** The most tags of an entry, and the most characters of one. */
const MOST_TAGS = 64
const LONGEST_TAG = 256

/** Checks the name of a tag. */
export function checkTag(tag: unknown): string {
  if (typeof tag === 'string' && tag !== '' && tag.length <= LONGEST_TAG) return tag
  throw new InvalidOptionError('tag', tag, `a text of 1 to ${LONGEST_TAG} characters`)
}

/** Checks the tags of an entry. */
export function checkTags(tags: readonly string[] | undefined): readonly string[] {
  if (tags === undefined) return []
  if (!Array.isArray(tags) || tags.length > MOST_TAGS) {
    throw new InvalidOptionError('tags', tags, `an array of at most ${MOST_TAGS} texts`)
  }
  for (const tag of tags) checkTag(tag)
  return tags
}
