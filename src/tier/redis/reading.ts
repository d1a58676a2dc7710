// Values as they are read: what is damaged, or was invalidated since, counts as missing.

import type { CacheKey } from '../../types.ts'
import { type Opened, unseal } from '../envelope.ts'
import type { TierMark, TierValue } from '../tier.ts'
import { Batching } from './batching.ts'
import type { Connection } from './client.ts'
import type { Keys } from './keys.ts'
import type { Read } from './scripts.ts'
import type { Store } from './store.ts'

/** A key that is asked for. */
interface Wanted {
  readonly key: CacheKey
  readonly mark: TierMark | undefined
  resolve(value: TierValue | undefined): void
}

/**
 * Microseconds by which the clocks of a cluster's servers may differ: a value is taken for older than
 * an invalidation that it follows by less, since another server has told the time of that.
 */
const SKEW = 1_000_000

/** Reads the values of one cache. */
export class Reading {
  readonly #connection: Connection
  readonly #store: Store
  readonly #keys: Keys
  readonly #maxValueSize: number
  readonly #skew: number
  readonly #batching = new Batching<Wanted>(wanted => void this.#read(wanted))

  constructor(connection: Connection, store: Store, keys: Keys, maxValueSize: number) {
    this.#connection = connection
    this.#store = store
    this.#keys = keys
    this.#maxValueSize = maxValueSize
    this.#skew = connection.isCluster ? SKEW : 0
  }

  get(key: CacheKey, mark?: TierMark): Promise<TierValue | undefined> {
    return new Promise(resolve => this.#batching.add({ key, mark, resolve }))
  }

  async #read(wanted: Wanted[]): Promise<void> {
    const { cleared, tagged } = this.#keys
    const places = wanted.map(({ key }) => this.#keys.value(key))
    const found = await this.#store.read(this.#connection, [cleared, tagged, ...places])
    const [clearing, tagging, ...values] = found ?? []
    const opened = wanted.map(({ mark }, i) => {
      const read = values[i]
      if (read === undefined) return undefined
      if (mark !== undefined) mark.since = read.now
      const opened = this.#open(read)
      return opened !== undefined && this.#follows(opened, clearing) ? opened : undefined
    })
    const dated = opened.filter(one => one?.value.tags && !this.#follows(one, tagging))
    const outdated = await this.#outdated(dated as Opened[])
    for (const [i, one] of wanted.entries()) {
      const value = opened[i]
      one.resolve(value === undefined || outdated.has(value) ? undefined : value.value)
    }
  }

  #open({ bytes, now }: Read): Opened | undefined {
    if (bytes === undefined) return undefined
    try {
      return unseal(bytes, now, this.#maxValueSize)
    } catch (error) {
      this.#store.failed('get', error)
      return undefined
    }
  }

  /** Whether a value was known after an invalidation, the time of which was read. */
  #follows({ known }: Opened, stamp: Read | undefined): boolean {
    const time = stamp?.bytes === undefined ? Number.NEGATIVE_INFINITY : Number(String(stamp.bytes))
    return known > time + this.#skew
  }

  /** Those of which a tag was invalidated since. */
  async #outdated(dated: Opened[]): Promise<ReadonlySet<Opened>> {
    if (dated.length === 0) return new Set()
    const tags = [...new Set(dated.flatMap(({ value }) => value.tags ?? []))]
    const stamps = await this.#store.read(
      this.#connection,
      tags.map(tag => this.#keys.tag(tag)),
    )
    // Not to know is to take none of them.
    if (stamps === undefined) return new Set(dated)
    const stampOf = new Map(tags.map((tag, i) => [tag, stamps[i]]))
    const isOutdated = (one: Opened) =>
      one.value.tags?.some(tag => !this.#follows(one, stampOf.get(tag)))
    return new Set(dated.filter(isOutdated))
  }
}
