// Values as they are read: what is damaged, or was invalidated since, counts as missing.

import type { CacheKey } from '../../types.ts'
import { type Opened, unseal } from '../envelope.ts'
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
    const opened = wanted.map(({ mark }, i) => {
      const read = values[i]
      if (read === undefined || epoch === undefined) return undefined
      if (mark !== undefined) mark.since = new Moment(read.now, epoch)
      const opened = this.#open(read)
      return opened?.generation === epoch.generation ? opened : undefined
    })
    const dated = opened.filter(one => one?.value.tags && one.clock !== epoch?.clock) as Opened[]
    const outdated = dated.length > 0 ? await this.#outdated(connection, dated) : none
    for (const [i, one] of wanted.entries()) {
      const value = opened[i]
      const question = asked[i] as Asked
      if (value === undefined || outdated.has(value)) {
        this.#recent.drop(question)
        one.resolve(undefined)
      } else {
        question.writer = value.signature
        question.tags = value.value.tags
        one.resolve(value.value)
      }
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

  /** Those of which a tag was invalidated since, or may have been. */
  async #outdated(connection: Connection, dated: Opened[]): Promise<ReadonlySet<Opened>> {
    const tags = [...new Set(dated.flatMap(({ value }) => value.tags ?? []))]
    const clocks = await this.#epochs.invalidations(connection, tags)
    if (clocks === undefined) return new Set(dated)
    const isOutdated = ({ value, clock }: Opened) =>
      value.tags?.some(tag => !((clocks.get(tag) as number) <= clock))
    return new Set(dated.filter(isOutdated))
  }
}

const none: ReadonlySet<Opened> = new Set()
