// One cache over Redis: puts together what reads, writes, waits and listens.
import type { CacheKey } from '../../base/types.ts'
import type { TierHost, TierLease, TierMark, TierSession, TierValue } from '../tier.ts'
import { type Channel, type ChannelHost, drawOrigin, openChannel } from './channel.ts'
import { type Connection, connectionOf } from './client.ts'
import { Echoes } from './echoes.ts'
import { Epochs } from './epochs.ts'
import { HotKeys } from './hot.ts'
import { Keys } from './keys.ts'
import type { CheckedRedisTier } from './options.ts'
import { Reading } from './reading.ts'
import { Recent } from './recent.ts'
import { Store } from './store.ts'
import { Waits } from './waits.ts'
import { Writing } from './writing.ts'

/** A cache's second tier in Redis. */
export class RedisSession implements TierSession {
  readonly ready: Promise<void>
  readonly #host: TierHost
  readonly #timeout: number
  readonly #connection: Connection
  readonly #store: Store
  readonly #channel: Channel
  readonly #echoes: Echoes
  readonly #reading: Reading
  readonly #writing: Writing
  readonly #waits: Waits
  readonly #hot: HotKeys
  /** What the channel wants writes to go by. */
  #writer: { client: object; connection: Connection } | undefined
  #closed: Promise<void> | undefined

  constructor(client: object, options: CheckedRedisTier, host: TierHost) {
    this.#host = host
    this.#timeout = options.timeout
    this.#connection = connectionOf(client, host.timers, options.timeout)
    const { keyPrefix, addsPrefix } = this.#connection
    const { prefix } = options
    const root = addsPrefix ? prefix : keyPrefix + prefix
    const keys = new Keys(root, host.name, keyPrefix + prefix)
    this.#store = new Store(host, options.breaker)
    this.#waits = new Waits(host, this.#connection, this.#store, keys)
    const origin = drawOrigin()
    const recent = new Recent(host)
    this.#echoes = new Echoes(host, this.#connection, this.#store, keys, origin, recent)
    this.#channel = openChannel(client, options.invalidation, this.#heard(), keys, origin)
    const epochs = new Epochs(this.#store, keys)
    const connection = () => this.#by()
    const store = this.#store
    this.#writing = new Writing({
      host,
      connection,
      store,
      keys,
      epochs,
      channel: this.#channel,
      echoes: this.#echoes,
      options,
    })
    this.#reading = new Reading({
      connection,
      writing: this.#writing,
      store,
      keys,
      epochs,
      recent,
      maxValueSize: options.maxValueSize,
    })
    this.#hot = new HotKeys(this.#connection, this.#store, keys)
    this.ready = this.#channel.ready
  }

  get(key: CacheKey, mark?: TierMark): Promise<TierValue | undefined> {
    return this.#closed ? Promise.resolve(undefined) : this.#reading.get(key, mark)
  }

  async set(key: CacheKey, value: TierValue): Promise<boolean> {
    return this.#closed ? false : this.#writing.set(key, value)
  }

  async delete(keys: readonly CacheKey[]): Promise<void> {
    if (!this.#closed) await this.#writing.delete(keys)
  }

  async invalidateTag(tag: string): Promise<void> {
    if (!this.#closed) await this.#writing.invalidateTag(tag)
  }

  async clear(): Promise<void> {
    if (!this.#closed) await this.#writing.clear()
  }

  async lease(key: CacheKey, ms: number): Promise<TierLease | undefined> {
    return this.#closed ? { release: async () => {} } : this.#waits.lease(key, ms)
  }

  written(key: CacheKey, ms: number): Promise<void> {
    return this.#waits.written(key, ms)
  }

  async publishHot(keys: readonly { key: CacheKey; count: number }[]): Promise<void> {
    if (!this.#closed) await this.#hot.publish(keys)
  }

  async fleetHot(limit: number): Promise<CacheKey[]> {
    return this.#closed ? [] : this.#hot.fleet(limit)
  }

  close(): Promise<void> {
    this.#closed ??= this.#leave()
    return this.#closed
  }

  async #leave(): Promise<void> {
    this.#waits.close()
    this.#writing.owed.close()
    await this.#writing.finish()
    this.#store.silence()
    await this.#channel.close()
  }

  /** What to read and write by: the channel's connection, of whose writes the server does not tell us. */
  #by(): Connection {
    const client = this.#channel.writer()
    if (client === undefined) return this.#connection
    if (this.#writer?.client !== client) {
      const connection = connectionOf(client, this.#host.timers, this.#timeout)
      this.#writer = { client, connection }
    }
    return this.#writer.connection
  }

  /** The cache's side, for the channel: who waits for a key hears of it as well. */
  #heard(): ChannelHost {
    const host = this.#host
    return {
      name: host.name,
      timers: host.timers,
      changed: changed => {
        this.#waits.noteChanged(changed)
        this.#echoes.changed(changed)
      },
      takes: message => {
        if (!this.#echoes.takes(message)) return false
        this.#waits.noteChanged(message.change?.clear ? undefined : message.change?.keys)
        return true
      },
      doubted: keys => host.doubted(keys),
      tagged: tags => host.tagged(tags),
      cleared: () => {
        this.#waits.noteChanged()
        host.cleared()
      },
      lost: () => host.lost(),
      regained: () => host.regained(),
      failed: (operation, error) => host.failed(operation, error),
      breaker: state => host.breaker(state),
    }
  }
}
