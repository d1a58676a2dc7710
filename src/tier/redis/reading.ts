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

/** A key that is asked for. */
interface Wanted {
  readonly key: CacheKey
  readonly mark: TierMark | undefined
  resolve(value: TierValue | undefined): void
}

/** Reads the values of one cache. */
export class Reading {
  readonly #connection: () => Connection
  readonly #sent: () => Promise<void> | undefined
  readonly #store: Store
  readonly #keys: Keys
  readonly #epochs: Epochs
  readonly #recent: Recent
  readonly #maxValueSize: number
  readonly #batching = new Batching<Wanted>(wanted => void this.#read(wanted))

  /**
   * @param connection - what to read by, which is another one at times: the one that writes go by, so
   *   that nothing is read that was removed before.
   * @param sent - resolves when what is to be written is sent.
   */
  constructor(
    connection: () => Connection,
    sent: () => Promise<void> | undefined,
    store: Store,
    keys: Keys,
    epochs: Epochs,
    recent: Recent,
    maxValueSize: number,
  ) {
    this.#connection = connection
    this.#sent = sent
    this.#store = store
    this.#keys = keys
    this.#epochs = epochs
    this.#recent = recent
    this.#maxValueSize = maxValueSize
  }

  get(key: CacheKey, mark?: TierMark): Promise<TierValue | undefined> {
    return new Promise(resolve => this.#batching.add({ key, mark, resolve }))
  }

  async #read(wanted: Wanted[]): Promise<void> {
    const sent = this.#sent()
    if (sent !== undefined) await sent
    const connection = this.#connection()
    const asked = wanted.map(({ key }) => this.#recent.ask(key))
    const places = wanted.map(({ key }) => this.#keys.value(key))
    const found = await this.#store.read(connection, [this.#keys.epoch, ...places])
    const [at, ...values] = found ?? []
    const epoch = readEpoch(at?.bytes) ?? (at && (await this.#epochs.begin('get', connection)))
    const kept = wanted.map(({ mark }, i) => {
      const read = values[i]
      if (read === undefined || epoch === undefined) return undefined
      if (mark !== undefined) mark.since = new Moment(read.now, epoch)
      const one = this.#unseal(read)
      return one?.generation === epoch.generation ? one : undefined
    })
    const dated = kept.filter(one => one?.tags && one.clock !== epoch?.clock) as Found[]
    const outdated = dated.length > 0 ? await this.#outdated(connection, dated) : none
    for (const [i, { resolve }] of wanted.entries()) {
      const one = kept[i]
      const question = asked[i] as Asked
      if (one === undefined || outdated.has(one)) {
        this.#recent.drop(question)
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
      return unseal(bytes, now, this.#maxValueSize)
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
    this.#store.failed('get', error)
  }

  /** Those of which a tag was invalidated since, or may have been. */
  async #outdated(connection: Connection, dated: Found[]): Promise<ReadonlySet<Found>> {
    const tags = [...new Set(dated.flatMap(({ tags }) => tags ?? []))]
    const clocks = await this.#epochs.invalidations(connection, tags)
    if (clocks === undefined) return new Set(dated)
    const isOutdated = ({ tags, clock }: Found) =>
      tags?.some(tag => !((clocks.get(tag) as number) <= clock))
    return new Set(dated.filter(isOutdated))
  }
}

const none: ReadonlySet<Found> = new Set()
