// Values as they are read: what is damaged, or was invalidated since, counts as missing.

import { now } from '../../../base/runtime.ts'
import type { CacheKey } from '../../../base/types.ts'
import type { TierMark, TierValue } from '../../contract.ts'
import { type Found, headEnd, unseal } from '../../envelope.ts'
import type { Word } from '../clients/client.ts'
import type { Connection } from '../clients/connection.ts'
import { Batching } from './batching.ts'
import type { Epoch, Epochs } from './epochs.ts'
import type { GuardedStore } from './guarded-store.ts'
import type { Keys } from './keys.ts'
import { Moment } from './moment.ts'
import type { Asked, Recent } from './recent.ts'
import { type Read, TIME, timeOf } from './sending.ts'
import { ServerClock } from './server-clock.ts'
import type { Writer } from './writer.ts'

/** Microseconds by which the guess of the server's time may be ahead. */
const MARGIN = 100_000

/** How much is read of a value to see whether it is there: its head, and as many tags as most have. */
const PEEK = 1024

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
  readonly writer: Writer
  readonly store: GuardedStore
  readonly keys: Keys
  readonly epochs: Epochs
  readonly recent: Recent
  readonly maxValueSize: number
}

/** Reads the values of one cache. */
export class Reader {
  readonly #parts: Parts
  readonly #clock = new ServerClock()
  /** Whether something was missing of late: then the time is asked for as well. */
  #hasMissed = true
  readonly #batching = new Batching<Wanted>(
    wanted => void this.#read(wanted).catch(error => this.#fail(wanted, error)),
  )

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get(key: CacheKey, mark?: TierMark): Promise<TierValue | undefined> {
    if (this.#parts.writer.owed.hasKey(key)) return Promise.resolve(undefined)
    return new Promise(resolve => this.#batching.add({ key, mark, resolve }))
  }

  /** Whether there is a fresh value: what comes before it is read, and what it takes to say so. */
  async has(key: CacheKey): Promise<boolean> {
    const { writer, keys, store, epochs } = this.#parts
    const { sent } = writer
    if (sent !== undefined) await sent
    if (writer.owed.hasKey(key)) return false
    const connection = this.#parts.connection()
    const place = keys.word(key)
    const [epochText, bytes] = await store.send('get', connection, [
      { words: ['GET', keys.epochWord], key: keys.epochWord },
      { words: ['GETRANGE', place, '0', String(PEEK - 1)], key: place },
    ])
    const epoch = epochs.read(epochText)
    if (epoch === undefined || !Buffer.isBuffer(bytes)) return false
    const end = headEnd(bytes)
    if (end === undefined) return false
    // So many tags are read with the value.
    if (end > bytes.length) return (await this.get(key)) !== undefined
    const now = this.#clock.now(connection) ?? (await this.#time(connection))
    const found = [this.#unseal({ now: undefined, bytes }, now, epoch)]
    const [one] = found
    if (one === undefined || now === undefined || writer.owed.hasTag(one.tags)) return false
    if (one.freshUntil * 1000 <= now + this.#clock.late) return false
    if (one.tags && one.clock !== epoch.clock) await this.#dropOutdated(connection, found, [one])
    return found[0] !== undefined
  }

  async #read(wanted: Wanted[]): Promise<void> {
    const { writer, keys, recent, store, epochs } = this.#parts
    // Nothing is read that was removed before.
    const { sent } = writer
    if (sent !== undefined) await sent
    const connection = this.#parts.connection()
    const asked: Asked[] = []
    const places: Word[] = [keys.epochWord]
    for (const { key } of wanted) {
      // Which refuses what can be no key.
      places.push(keys.word(key))
      asked.push(recent.ask(key))
    }
    const guess = this.#clock.now(connection)
    const withTime = guess === undefined || this.#hasMissed
    const begun = now()
    const reads = await store.read(connection, places, withTime)
    const at = reads[0]
    if (at?.now !== undefined) this.#clock.learn(connection, at.now, begun)
    // No value is to seem fresher than it is.
    const latest = guess && guess + this.#clock.late
    const epoch = epochs.read(at?.bytes) ?? (at && (await epochs.begin('get', connection)))
    const found: (Found | undefined)[] = []
    const dated: Found[] = []
    for (let i = 0; i < wanted.length; i++) {
      const read = reads[i + 1]
      const one = read && this.#unseal(read, read.now ?? latest, epoch)
      found.push(one)
      if (one?.tags && one.clock !== epoch?.clock) dated.push(one)
    }
    if (dated.length > 0) await this.#dropOutdated(connection, found, dated)
    if (epoch !== undefined) {
      const marking = this.#mark(connection, wanted, reads, found, guess, epoch)
      if (marking !== undefined) await marking
    }
    for (let i = 0; i < wanted.length; i++) {
      const { key, resolve } = wanted[i] as Wanted
      const one = found[i]
      const question = asked[i] as Asked
      if (one === undefined || writer.owed.hasKey(key) || writer.owed.hasTag(one.tags)) {
        recent.drop(question)
        resolve(undefined)
      } else {
        question.writer = one.signature
        question.tags = one.tags
        this.#open(one, resolve)
      }
    }
  }

  /**
   * Says what a load that follows has to show. Where something was found that counts, any moment since
   * that was known will do. What was missing is dated by the server, before or after it was looked for:
   * the load begins later than either.
   */
  #mark(
    connection: Connection,
    wanted: readonly Wanted[],
    reads: readonly (Read | undefined)[],
    found: readonly (Found | undefined)[],
    guess: number | undefined,
    epoch: Epoch,
  ): Promise<void> | undefined {
    this.#hasMissed = false
    const undated: TierMark[] = []
    for (let i = 0; i < wanted.length; i++) {
      const { mark } = wanted[i] as Wanted
      if (mark === undefined) continue
      const known = found[i]?.known
      if (known === undefined) this.#hasMissed = true
      const read = reads[i + 1]
      if (read === undefined) continue
      if (read.now !== undefined) mark.since = new Moment(read.now, epoch)
      else if (known === undefined || guess === undefined) undated.push(mark)
      else mark.since = new Moment(Math.max(known + 1, guess - MARGIN), epoch)
    }
    return undated.length === 0 ? undefined : this.#date(connection, undated, epoch)
  }

  /** Asks the server when it is. */
  async #date(connection: Connection, marks: readonly TierMark[], epoch: Epoch): Promise<void> {
    const time = await this.#time(connection)
    if (time === undefined) return
    for (const mark of marks) mark.since = new Moment(time, epoch)
  }

  async #time(connection: Connection): Promise<number | undefined> {
    const asked = now()
    const [reply] = await this.#parts.store.send('get', connection, [TIME])
    if (!Array.isArray(reply)) return undefined
    const time = timeOf(reply)
    this.#clock.learn(connection, time, asked)
    return time
  }

  #unseal({ bytes }: Read, now: number | undefined, epoch: Epoch | undefined): Found | undefined {
    if (bytes === undefined || now === undefined) return undefined
    try {
      const found = unseal(bytes, now, this.#parts.maxValueSize)
      return found?.generation === epoch?.generation ? found : undefined
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

  /** Whoever asked is answered, whatever went wrong. */
  #fail(wanted: readonly Wanted[], error: unknown): void {
    this.#damaged(error)
    for (const { resolve } of wanted) resolve(undefined)
  }

  #damaged(error: unknown): undefined {
    this.#parts.store.failed('get', error)
  }

  /** Takes out those of which a tag was invalidated since, or may have been. */
  async #dropOutdated(
    connection: Connection,
    found: (Found | undefined)[],
    dated: readonly Found[],
  ): Promise<void> {
    const tags = [...new Set(dated.flatMap(({ tags }) => tags ?? []))]
    const clocks = await this.#parts.epochs.invalidations(connection, tags)
    for (const one of dated) {
      const isValid = one.tags?.every(tag => (clocks?.get(tag) as number) <= one.clock)
      if (!isValid) found[found.indexOf(one)] = undefined
    }
  }
}
