// Values as they are read: what is damaged, or was invalidated since, counts as missing.

import type { CacheKey } from '../../types.ts'
import { type Found, unseal } from '../envelope.ts'
import type { TierMark, TierValue } from '../tier.ts'
import { Batching } from './batching.ts'
import type { Connection } from './client.ts'
import { type Epochs, readEpoch } from './epochs.ts'
import type { Keys } from './keys.ts'
import { Moment } from './moment.ts'
import type { Asked, Recent } from './recent.ts'
import type { Read } from './scripts.ts'
import type { Store } from './store.ts'
import type { Writing } from './writing.ts'

/** A key that is asked for. */
interface Wanted {
  readonly key: CacheKey
  readonly mark: TierMark | undefined
  resolve(value: TierValue | undefined): void
}

/** What reading needs of its session. */
export interface Parts {
  /** What to read by, which is another one at times: the one that writes go by. */
  connection(): Connection
  readonly writing: Writing
  readonly store: Store
  readonly keys: Keys
  readonly epochs: Epochs
  readonly recent: Recent
  readonly maxValueSize: number
}

/** Reads the values of one cache. */
export class Reading {
  readonly #parts: Parts
  readonly #batching = new Batching<Wanted>(wanted => void this.#read(wanted))

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get(key: CacheKey, mark?: TierMark): Promise<TierValue | undefined> {
    if (this.#parts.writing.owed.hasKey(key)) return Promise.resolve(undefined)
    return new Promise(resolve => this.#batching.add({ key, mark, resolve }))
  }

  async #read(wanted: Wanted[]): Promise<void> {
    // Nothing is read that was removed before.
    const { sent } = this.#parts.writing
    if (sent !== undefined) await sent
    const connection = this.#parts.connection()
    const asked = wanted.map(({ key }) => this.#parts.recent.ask(key))
    const places = wanted.map(({ key }) => this.#parts.keys.value(key))
    const found = await this.#parts.store.read(connection, [this.#parts.keys.epoch, ...places])
    const [at, ...values] = found ?? []
    const epoch =
      readEpoch(at?.bytes) ?? (at && (await this.#parts.epochs.begin('get', connection)))
    const kept = wanted.map(({ mark }, i) => {
      const read = values[i]
      if (read === undefined || epoch === undefined) return undefined
      if (mark !== undefined) mark.since = new Moment(read.now, epoch)
      const one = this.#unseal(read)
      return one?.generation === epoch.generation ? one : undefined
    })
    const dated = kept.filter(one => one?.tags && one.clock !== epoch?.clock) as Found[]
    const outdated = dated.length > 0 ? await this.#outdated(connection, dated) : none
    const { owed } = this.#parts.writing
    for (const [i, { key, resolve }] of wanted.entries()) {
      const one = kept[i]
      const question = asked[i] as Asked
      const isGone = one === undefined || outdated.has(one)
      if (isGone || owed.hasKey(key) || owed.hasTag(one.tags)) {
        this.#parts.recent.drop(question)
        resolve(undefined)
      } else {
        question.writer = one.signature
        question.tags = one.tags
        this.#open(one, resolve)
      }
    }
  }

  #unseal({ bytes, now }: Read): Found | undefined {
    if (bytes === undefined) return undefined
    try {
      return unseal(bytes, now, this.#parts.maxValueSize)
    } catch (error) {
      return this.#damaged(error)
    }
  }

  #open(found: Found, resolve: Wanted['resolve']): void {
    try {
      const value = found.open()
      if (value instanceof Promise) value.catch(error => this.#damaged(error)).then(resolve)
      else resolve(value)
    } catch (error) {
      resolve(this.#damaged(error))
    }
  }

  #damaged(error: unknown): undefined {
    this.#parts.store.failed('get', error)
  }

  /** Those of which a tag was invalidated since, or may have been. */
  async #outdated(connection: Connection, dated: Found[]): Promise<ReadonlySet<Found>> {
    const tags = [...new Set(dated.flatMap(({ tags }) => tags ?? []))]
    const clocks = await this.#parts.epochs.invalidations(connection, tags)
    if (clocks === undefined) return new Set(dated)
    const isOutdated = ({ tags, clock }: Found) =>
      tags?.some(tag => !((clocks.get(tag) as number) <= clock))
    return new Set(dated.filter(isOutdated))
  }
}

const none: ReadonlySet<Found> = new Set()
