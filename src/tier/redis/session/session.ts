// One cache over Redis: puts together what reads, writes, waits and listens.
import type { CacheKey } from '../../../base/types.ts'
import type { TierHost, TierLease, TierMark, TierSession, TierValue } from '../../contract.ts'
import { drawOrigin, openChannel } from '../channel/channel.ts'
import type { Channel, ChannelHost } from '../channel/contract.ts'
import type { Client } from '../clients/client.ts'
import { Connection } from '../clients/connection.ts'
import { clientOf } from '../clients/known.ts'
import type { CheckedRedisTier } from '../options.ts'
import { Echoes } from './echoes.ts'
import { Epochs } from './epochs.ts'
import { GuardedStore } from './guarded-store.ts'
import { HotKeys } from './hot-keys.ts'
import { Keys } from './keys.ts'
import { Leases } from './leases.ts'
import { Reader } from './reader.ts'
import { Recent } from './recent.ts'
import { Writer } from './writer.ts'

/** A cache's second tier in Redis. */
export class RedisSession implements TierSession {
  readonly ready: Promise<void>
  readonly #host: TierHost
  readonly #timeout: number
  readonly #connection: Connection
  readonly #store: GuardedStore
  readonly #channel: Channel
  readonly #echoes: Echoes
  readonly #reader: Reader
  readonly #writer: Writer
  readonly #leases: Leases
  readonly #hot: HotKeys
  /** What the channel wants writes to go by. */
  #own: Connection | undefined
  #closed: Promise<void> | undefined

  constructor(client: Client, options: CheckedRedisTier, host: TierHost) {
    this.#host = host
    this.#timeout = options.timeout
    this.#connection = new Connection(client, host.timers, options.timeout)
    const { keyPrefix, addsPrefix } = this.#connection
    const { prefix } = options
    const root = addsPrefix ? prefix : keyPrefix + prefix
    const keys = new Keys(root, host.name, keyPrefix + prefix)
    this.#store = new GuardedStore(host, options.breaker, () => this.#channel.doubt())
    const connection = () => this.#by()
    this.#leases = new Leases(host, connection, this.#store, keys)
    const origin = drawOrigin()
    const recent = new Recent(host)
    this.#echoes = new Echoes(host, connection, this.#store, keys, origin, recent)
    this.#channel = openChannel(client, options.invalidation, this.#heard(), keys, origin)
    const epochs = new Epochs(this.#store, keys)
    const store = this.#store
    this.#writer = new Writer({
      host,
      connection,
      store,
      keys,
      epochs,
      channel: this.#channel,
      echoes: this.#echoes,
      options,
    })
    this.#reader = new Reader({
      connection,
      writer: this.#writer,
      store,
      keys,
      epochs,
      recent,
      maxValueSize: options.maxValueSize,
    })
    this.#hot = new HotKeys(connection, this.#store, keys)
    this.ready = this.#channel.ready
  }

  get(key: CacheKey, mark?: TierMark): Promise<TierValue | undefined> {
    return this.#closed ? Promise.resolve(undefined) : this.#reader.get(key, mark)
  }

  async has(key: CacheKey): Promise<boolean> {
    return this.#closed ? false : this.#reader.has(key)
  }

  async set(key: CacheKey, value: TierValue): Promise<boolean> {
    return this.#closed ? false : this.#writer.set(key, value)
  }

  async delete(keys: readonly CacheKey[]): Promise<void> {
    if (!this.#closed) await this.#writer.delete(keys)
  }

  async invalidateTag(tag: string): Promise<void> {
    if (!this.#closed) await this.#writer.invalidateTag(tag)
  }

  async clear(): Promise<void> {
    if (!this.#closed) await this.#writer.clear()
  }

  async lease(key: CacheKey, ms: number): Promise<TierLease | undefined> {
    return this.#closed ? { release: async () => {} } : this.#leases.lease(key, ms)
  }

  written(key: CacheKey, ms: number): Promise<void> {
    return this.#leases.written(key, ms)
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
    this.#leases.close()
    this.#writer.owed.close()
    await this.#writer.finish()
    this.#store.silence()
    await this.#channel.close()
  }

  /**
   * What all commands go by: the channel's connection, of whose writes the server does not tell us. After
   * a failover the user's own may lead to the old server for long, which knows nothing of what is heard.
   */
  #by(): Connection {
    const client = this.#channel.writer()
    if (client === undefined) return this.#connection
    if (this.#own?.of !== client) {
      this.#own = new Connection(clientOf(client), this.#host.timers, this.#timeout)
    }
    return this.#own
  }

  /** The cache's side, for the channel: who waits for a key hears of it as well. */
  #heard(): ChannelHost {
    const host = this.#host
    return {
      name: host.name,
      timers: host.timers,
      changed: changed => {
        this.#leases.noteChanged(changed)
        this.#echoes.changed(changed)
      },
      takes: message => {
        if (!this.#echoes.takes(message)) return false
        this.#leases.noteChanged(message.change?.clear ? undefined : message.change?.keys)
        return true
      },
      doubted: keys => host.doubted(keys),
      tagged: tags => host.tagged(tags),
      cleared: () => {
        this.#leases.noteChanged()
        host.cleared()
      },
      lost: () => host.lost(),
      regained: () => host.regained(),
      failed: (operation, error) => host.failed(operation, error),
      breaker: state => host.breaker(state),
    }
  }
}
