// Tells apart what other processes write from what this one does. The server is asked not to tell a
// connection of its own writes, but does so all the same where a script makes them; and other threads
// of this process, which share the values here, are other sessions to it. So whatever is heard of a key
// that was written in this process of late is looked at: who wrote it is in what the store has.

import { processClock } from '../../../base/process-clock.ts'
import type { CacheKey } from '../../../base/types.ts'
import type { Kin, TierHost } from '../../contract.ts'
import { Head, isTombstone, readSignature, type Signature } from '../../envelope.ts'
import type { Message } from '../channel/messages.ts'
import type { Connection } from '../clients/connection.ts'
import type { GuardedStore } from './guarded-store.ts'
import type { Keys } from './keys.ts'
import type { Asked, Recent } from './recent.ts'

/** What is known in this process of its own writes. */
export class Echoes {
  readonly #host: TierHost
  readonly #connection: () => Connection
  readonly #store: GuardedStore
  readonly #keys: Keys
  readonly #kin: Kin
  readonly #origin: string
  readonly #recent: Recent

  constructor(
    host: TierHost,
    connection: () => Connection,
    store: GuardedStore,
    keys: Keys,
    origin: string,
    recent: Recent,
  ) {
    this.#host = host
    this.#connection = connection
    this.#store = store
    this.#keys = keys
    this.#kin = host.kin ?? new Alone()
    this.#origin = origin
    this.#recent = recent
    this.#kin.add(nameOf(origin))
  }

  /** What is to be written is signed by this. */
  sign(): Signature {
    return { origin: this.#origin, at: processClock() }
  }

  /** A key is about to be written. */
  expect(place: Buffer): void {
    this.#kin.add(place.toString('latin1'))
  }

  /** Passes on keys that were written elsewhere: at once, but for those written in this process too. */
  changed(keys: readonly CacheKey[]): void {
    const foreign: CacheKey[] = []
    const both: { key: CacheKey; place: Buffer }[] = []
    for (const key of keys) {
      const place = this.#keys.value(key)
      if (this.#kin.has(place.toString('latin1'))) both.push({ key, place })
      else foreign.push(key)
    }
    if (foreign.length > 0) this.#host.changed(foreign)
    if (both.length > 0) void this.#askWhoWrote(both).catch(error => this.#failed(error))
  }

  /** Takes what another thread of this process tells; `false` if it is another process's. */
  takes({ origin, change, at = 0 }: Message): boolean {
    if (origin === this.#origin || !this.#isKindred(origin)) return false
    if (change === undefined) return true
    const { keys, tags, clear } = change
    const doubtful = keys.filter(key => this.#recent.find(key, at) !== undefined)
    if (clear || tags.length > 0) {
      const isConcerned = ({ tags: has, writer }: Asked) =>
        clear || writer === undefined || tags.some(tag => has?.includes(tag))
      for (const asked of this.#recent.all(at)) if (isConcerned(asked)) doubtful.push(asked.key)
    }
    if (doubtful.length > 0) this.#host.changed(doubtful)
    return true
  }

  async #askWhoWrote(both: { key: CacheKey; place: Buffer }[]): Promise<void> {
    const commands = both.map(({ place }) => ({
      words: ['GETRANGE', place, '0', String(Head.SIZE - 1)],
      key: place,
    }))
    const found = await this.#store.send('invalidation', this.#connection(), commands)
    const changed: CacheKey[] = []
    const unsure: CacheKey[] = []
    for (const [i, { key }] of both.entries()) {
      const reply = found[i]
      if (reply === undefined) unsure.push(key)
      else if (!Buffer.isBuffer(reply) || this.#isNews(key, reply)) changed.push(key)
    }
    if (changed.length > 0) this.#host.changed(changed)
    if (unsure.length > 0) this.#host.doubted(unsure)
  }

  #failed(error: unknown): void {
    this.#host.failed('invalidation', error)
    this.#host.cleared()
  }

  /** Whether what the store has may be other than what is here. */
  #isNews(key: CacheKey, stored: Buffer): boolean {
    const signature = readSignature(stored)
    if (signature === undefined) return true
    const { origin, at } = signature
    if (origin === this.#origin) return false
    if (!this.#isKindred(origin)) return true
    // Another thread wrote it, and here as well. But what was read here before may have come after.
    const asked = this.#recent.find(key, at)
    if (asked === undefined) return false
    return isTombstone(stored) || asked.writer !== stored.toString('latin1', Head.WRITER, Head.SIZE)
  }

  #isKindred(origin: string): boolean {
    return this.#kin.has(nameOf(origin))
  }
}

/** No place begins so. */
function nameOf(origin: string): string {
  return `\0${origin}`
}

/** The most texts that are kept by one alone. */
const MOST = 10_000

/** What a session knows that shares its values with no other. */
class Alone implements Kin {
  #young = new Set<string>()
  #old = new Set<string>()

  add(text: string): void {
    if (this.#young.size >= MOST) {
      this.#old = this.#young
      this.#young = new Set()
    }
    this.#young.add(text)
  }

  has(text: string): boolean {
    return this.#young.has(text) || this.#old.has(text)
  }
}
