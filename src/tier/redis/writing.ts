// What is written and removed: in the order in which it was asked for, and only if nothing newer is
// there. Then the others are told.

import { TierError } from '../../errors.ts'
import type { CacheKey } from '../../types.ts'
import { seal } from '../envelope.ts'
import type { TierValue } from '../tier.ts'
import { Batching } from './batching.ts'
import type { Channel } from './channel.ts'
import type { Connection, Reply } from './client.ts'
import type { Echoes } from './echoes.ts'
import type { Keys } from './keys.ts'
import type { CheckedRedisTier } from './options.ts'
import { call, REMOVE, type ScriptCommand, STAMP, STORE } from './scripts.ts'
import { chunks, MOST_KEYS, type Store } from './store.ts'

/** Commands that belong together. */
interface Write {
  readonly operation: string
  readonly commands: readonly ScriptCommand[]
  resolve(replies: (Reply | undefined)[]): void
}

/** Writes of one cache. */
export class Writing {
  readonly #connection: () => Connection
  readonly #store: Store
  readonly #keys: Keys
  readonly #channel: Channel
  readonly #echoes: Echoes
  readonly #options: CheckedRedisTier
  readonly #batching = new Batching<Write>(writes => {
    const sent = this.#write(writes).finally(() => this.#sent.delete(sent))
    this.#sent.add(sent)
  })
  readonly #sent = new Set<Promise<void>>()

  /** @param connection - what to write by, which is another one at times. */
  constructor(
    connection: () => Connection,
    store: Store,
    keys: Keys,
    channel: Channel,
    echoes: Echoes,
    options: CheckedRedisTier,
  ) {
    this.#connection = connection
    this.#store = store
    this.#keys = keys
    this.#channel = channel
    this.#echoes = echoes
    this.#options = options
  }

  async set(key: CacheKey, value: TierValue): Promise<boolean> {
    const command = this.#storing(key, value)
    if (command === undefined) return false
    const [stamp] = await this.#send('set', [command])
    const isStored = stamp !== undefined && stamp !== null
    if (isStored) this.#tell({ keys: [key] })
    return isStored
  }

  async delete(keys: readonly CacheKey[]): Promise<void> {
    if (keys.length === 0) return
    const most = this.#connection().isCluster ? 1 : MOST_KEYS
    const remembered = String(this.#options.rememberDeletions)
    const parts = chunks(
      keys.map(key => this.#keys.value(key)),
      most,
    )
    await this.#send(
      'delete',
      parts.map(part => call(REMOVE, part, [remembered])),
    )
    this.#tell({ keys })
  }

  async invalidateTag(tag: string): Promise<void> {
    const { ttl, grace, rememberDeletions } = this.#options
    // When it ends, every value that it concerns is gone.
    const life = lifeText(ttl + grace + rememberDeletions)
    await this.#send('invalidateTag', [
      call(STAMP, [this.#keys.tag(tag)], [life]),
      call(STAMP, [this.#keys.tagged], ['']),
    ])
    this.#tell({ tags: [tag] })
  }

  async clear(): Promise<void> {
    await this.#send('clear', [call(STAMP, [this.#keys.cleared], [''])])
    this.#tell({ clear: true })
  }

  /** Sends what waits, and resolves when all is answered. */
  async finish(): Promise<void> {
    this.#batching.flush()
    await Promise.all(this.#sent)
  }

  #storing(key: CacheKey, value: TierValue): ScriptCommand | undefined {
    const { ttl, grace, packing, maxValueSize, rememberDeletions } = this.#options
    const freshFor = Math.min(value.freshFor, ttl)
    // It would be gone at once, or nothing says that it is not outdated.
    if (!(freshFor + grace > 0) || value.since === 0) return undefined
    const { encoded } = value
    if (typeof encoded !== 'number' && encoded.length > maxValueSize) {
      const error = `a value of ${encoded.length} bytes is larger than maxValueSize, ${maxValueSize}`
      this.#store.failed('set', new TierError(error))
      return undefined
    }
    const { head, body } = seal(value, packing)
    const since = value.since === undefined ? '' : String(value.since)
    const fresh = freshFor === Number.POSITIVE_INFINITY ? '' : String(freshFor)
    const life = lifeText(freshFor + grace)
    return call(
      STORE,
      [this.#keys.value(key)],
      [head, body, since, fresh, life, String(rememberDeletions)],
    )
  }

  #send(operation: string, commands: readonly ScriptCommand[]): Promise<(Reply | undefined)[]> {
    const replies = new Promise<(Reply | undefined)[]>(resolve =>
      this.#batching.add({ operation, commands, resolve }),
    )
    if (this.#channel.tracks) {
      for (const [i, { keys }] of commands.entries()) {
        const answer = replies.then(replies => replies[i])
        for (const key of keys) this.#echoes.expect(key, answer)
      }
    }
    return replies
  }

  async #write(writes: Write[]): Promise<void> {
    const commands = writes.flatMap(({ commands }) => commands)
    const operations = [...new Set(writes.map(({ operation }) => operation))].join(', ')
    const replies = await this.#store.send(operations, this.#connection(), commands)
    let at = 0
    for (const { commands, resolve } of writes) {
      resolve(replies.slice(at, at + commands.length))
      at += commands.length
    }
  }

  /** Where the server tells of each key that was written there is nothing to add. */
  #tell(change: Parameters<Channel['publish']>[0]): void {
    if (!this.#channel.tracks) this.#channel.publish(change)
  }
}

/** Milliseconds as the server takes them. */
function lifeText(ms: number): string {
  return ms === Number.POSITIVE_INFINITY ? '' : String(Math.max(1, Math.ceil(ms)))
}
