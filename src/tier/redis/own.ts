// Own writes, told from those of others. The server tells whoever tracks a key of each write to it, and
// keeps a connection's own to itself, but not those of its scripts: what a script wrote comes back as
// if somebody else had. So a key that was written here a moment ago is looked at before it is
// forgotten: the stamp that the server put into the value says whose it is.
import type { CacheKey } from '../../types.ts'
import { type Identity, identityOf } from '../../writing/identity.ts'
import type { Connection } from './client.ts'
import type { Keys } from './keys.ts'
import type { Store } from './store.ts'

/** The most keys remembered: of others each change is one of somebody else. */
const MOST = 10_000

/** Where a value's stamp lies: see `STORE`. */
const FIRST = 3
const LAST = 10

/** The writes of one cache. */
export class OwnWrites {
  readonly #connection: Connection
  readonly #store: Store
  readonly #keys: Keys
  /** The stamp of the last write of a key, once the server has said it; 0: it was refused. */
  readonly #stamps = new Map<Identity, Promise<number>>()

  constructor(connection: Connection, store: Store, keys: Keys) {
    this.#connection = connection
    this.#store = store
    this.#keys = keys
  }

  /** A key is being written. To be told before it is sent: the news may be faster than the answer. */
  wrote(key: CacheKey, stamp: Promise<number>): void {
    const id = identityOf(key)
    this.#stamps.delete(id)
    this.#stamps.set(id, stamp)
    if (this.#stamps.size > MOST) {
      const [oldest] = this.#stamps.keys()
      this.#stamps.delete(oldest as Identity)
    }
  }

  /** Gives `forget` the keys that somebody else wrote: those that may be own ones a moment later. */
  sift(keys: readonly CacheKey[], forget: (keys: readonly CacheKey[]) => void): void {
    if (this.#stamps.size === 0) {
      forget(keys)
      return
    }
    const foreign: CacheKey[] = []
    for (const key of keys) {
      const id = identityOf(key)
      const stamp = this.#stamps.get(id)
      if (stamp === undefined) {
        foreign.push(key)
        continue
      }
      this.#isOwn(key, stamp).then(own => {
        if (own) return
        if (this.#stamps.get(id) === stamp) this.#stamps.delete(id)
        forget([key])
      })
    }
    if (foreign.length > 0) forget(foreign)
  }

  async #isOwn(key: CacheKey, stamp: Promise<number>): Promise<boolean> {
    const own = await stamp
    if (own === 0) return false
    const place = this.#keys.value(key)
    const words = ['GETRANGE', place, String(FIRST), String(LAST)]
    const [reply] = await this.#store.send('get', this.#connection, [{ words, key: place }])
    return Buffer.isBuffer(reply) && reply.length === 8 && reply.readDoubleBE() === own
  }
}
