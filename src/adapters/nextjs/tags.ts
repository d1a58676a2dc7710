// When tags were revalidated. An entry is judged by its tags when it is read, so that revalidating
// a tag costs the same however many entries have it.

import { CacheFullError } from '../../base/errors.ts'
import { Cache } from '../../cache/cache.ts'
import { shortKey } from '../short-key.ts'

/** What an entry is, judged by its tags. */
export type State = 'fresh' | 'stale' | 'expired'

/** When a tag became stale, and from when entries older than that are not served; `null`: never. */
type Stale = [at: number, end: number | null]

/** Two records a tag, each written whole, so that no thread loses what another wrote. */
const EXPIRED = 'e'
const STALE = 's'

const ALL = 'all'

/** The tags of all handlers of one name. */
export class Tags {
  readonly #records: Cache<string, number | Stale>
  /** Until when all tags count as revalidated, because there were too many to remember. */
  readonly #floor: Cache<string, number>
  readonly #now: () => number

  constructor(name: string, max: number, now: () => number) {
    this.#records = new Cache({
      name: `${name} tags`,
      max: 2 * max,
      policy: 'none',
      codec: 'json',
    })
    this.#floor = new Cache({ name: `${name} tags floor`, max: 1, codec: 'number' })
    this.#now = now
  }

  /** From now on, entries that have one of these tags and are older are not served. */
  expire(tags: readonly string[]): void {
    const now = this.#now()
    for (const tag of tags) this.#write(EXPIRED + tag, now)
  }

  /** Entries that have one of these tags are stale, and expired after so many seconds. */
  markStale(tags: readonly string[], seconds = Number.POSITIVE_INFINITY): void {
    const now = this.#now()
    const end = Number.isFinite(seconds) ? now + seconds * 1000 : null
    if (end !== null && end <= now) {
      this.expire(tags)
      return
    }
    for (const tag of tags) {
      this.#settle(tag, now)
      this.#write(STALE + tag, [now, end])
    }
  }

  /** What a lifetime has made expire stays so when another one begins. */
  #settle(tag: string, now: number): void {
    const stale = this.#records.get(shortKey(STALE + tag))
    if (stale === undefined) return
    const [at, end] = stale as Stale
    if (end === null || end > now) return
    const expired = this.#records.get(shortKey(EXPIRED + tag)) as number | undefined
    this.#write(EXPIRED + tag, Math.max(at, expired ?? 0))
  }

  /** What an entry of this time is that has these tags. */
  judge(tags: readonly string[], timestamp: number): State {
    if (tags.length === 0) return 'fresh'
    if (this.#everything() >= timestamp) return 'expired'
    let state: State = 'fresh'
    for (const record of this.#read([EXPIRED, STALE], tags)) {
      // Expired is expired, even if that thread's clock is ahead of this one's.
      const [at, end] = typeof record === 'number' ? [record, 0] : record
      if (at < timestamp) continue
      if (end !== null && end <= this.#now()) return 'expired'
      state = 'stale'
    }
    return state
  }

  /** Which entries these tags have made expire: those that are no younger; 0: none. */
  lastExpired(tags: readonly string[]): number {
    let last = this.#everything()
    for (const record of this.#read([EXPIRED, STALE], tags)) {
      const [at, end] = typeof record === 'number' ? [record, 0] : record
      if (end !== null && end <= this.#now()) last = Math.max(last, at)
    }
    return last
  }

  #everything(): number {
    return this.#floor.get(ALL) ?? 0
  }

  #read(kinds: string[], tags: readonly string[]): (number | Stale)[] {
    const keys = kinds.flatMap(kind => tags.map(tag => shortKey(kind + tag)))
    return this.#records.getMany(keys).filter(record => record !== undefined)
  }

  #write(key: string, record: number | Stale): void {
    try {
      this.#records.set(shortKey(key), record)
    } catch (error) {
      if (!(error instanceof CacheFullError)) throw error
      // First, so that at no time an entry passes for fresh that is not.
      this.#floor.set(ALL, this.#now())
      this.#records.clear()
      this.#records.set(shortKey(key), record)
    }
  }
}
