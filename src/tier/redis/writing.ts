// What is written and removed: in the order in which it was asked for, and only if nothing newer is
// there. Then the others are told.

import { TierError } from '../../errors.ts'
import type { CacheKey } from '../../types.ts'
import { type Signature, sign } from '../envelope.ts'
import type { TierValue } from '../tier.ts'
import { Batching } from './batching.ts'
import type { Channel } from './channel.ts'
import type { Connection, Reply } from './client.ts'
import type { Echoes } from './echoes.ts'
import { drawGeneration, type Epochs } from './epochs.ts'
import type { Keys } from './keys.ts'
import type { Change } from './messages.ts'
import type { CheckedRedisTier } from './options.ts'
import { ADVANCE, call, INVALIDATE, REMOVE, type ScriptCommand } from './scripts.ts'
import { chunks, MOST_KEYS, type Store } from './store.ts'
import { type Storing, storing } from './storing.ts'

/** Of so many tags it is remembered when they were invalidated last. */
const MOST_TAGS = 2 ** 18

/** Commands that belong together. */
interface Write {
  readonly operation: 'set' | 'delete' | 'invalidateTag' | 'clear'
  /** Whether they are made with the epoch of now. */
  readonly isOfNow?: boolean
  /** The commands, or what makes one, in an epoch. */
  readonly made: readonly ScriptCommand[] | Storing | Promise<Storing | undefined>
  resolve(replies: (Reply | undefined)[]): void
}

/** Writes of one cache. */
export class Writing {
  readonly #connection: () => Connection
  readonly #store: Store
  readonly #keys: Keys
  readonly #epochs: Epochs
  readonly #channel: Channel
  readonly #echoes: Echoes
  readonly #options: CheckedRedisTier
  readonly #batching = new Batching<Write>(writes => this.#queue(writes))
  /** Resolves when all that was queued is sent. */
  #sent: Promise<void> = Promise.resolve()
  /** How many batches are queued. */
  #unsent = 0
  readonly #unanswered = new Set<Promise<void>>()

  /** @param connection - what to write by, which is another one at times. */
  constructor(
    connection: () => Connection,
    store: Store,
    keys: Keys,
    epochs: Epochs,
    channel: Channel,
    echoes: Echoes,
    options: CheckedRedisTier,
  ) {
    this.#connection = connection
    this.#store = store
    this.#keys = keys
    this.#epochs = epochs
    this.#channel = channel
    this.#echoes = echoes
    this.#options = options
  }

  async set(key: CacheKey, value: TierValue): Promise<boolean> {
    const signature = this.#echoes.sign()
    const isOfNow = value.since === undefined
    const stored = storing(key, value, signature, this.#keys, this.#options)
    const made = stored instanceof Promise ? stored.catch(error => this.#refused(error)) : stored
    if (made instanceof TierError) this.#refused(made)
    if (made === undefined || made instanceof TierError) {
      // What is there is older than what is not stored.
      if (isOfNow) await this.delete([key])
      return false
    }
    this.#expect([this.#keys.value(key)])
    const [stamp] = await this.#send({ operation: 'set', isOfNow, made })
    const isStored = stamp !== undefined && stamp !== null
    if (isStored) this.#tell({ keys: [key] }, signature)
    return isStored
  }

  async delete(keys: readonly CacheKey[]): Promise<void> {
    if (keys.length === 0) return
    const most = this.#connection().isCluster ? 1 : MOST_KEYS
    const signature = this.#echoes.sign()
    const args = [String(this.#options.rememberDeletions), sign(signature)]
    const places = keys.map(key => this.#keys.value(key))
    this.#expect(places)
    const commands = chunks(places, most).map(part => call(REMOVE, part, args))
    await this.#send({ operation: 'delete', made: commands })
    this.#tell({ keys }, signature)
  }

  async invalidateTag(tag: string): Promise<void> {
    const args = [drawGeneration(), this.#keys.member(tag), String(MOST_TAGS)]
    const signature = this.#echoes.sign()
    const command = call(INVALIDATE, this.#placesOf({ tags: [tag] }, signature), args)
    await this.#send({ operation: 'invalidateTag', made: [command] })
    this.#tell({ tags: [tag] }, signature)
  }

  async clear(): Promise<void> {
    const signature = this.#echoes.sign()
    const command = call(ADVANCE, this.#placesOf({ clear: true }, signature), [drawGeneration()])
    await this.#send({ operation: 'clear', made: [command] })
    this.#tell({ clear: true }, signature)
  }

  /** Resolves when what was asked for up to now is sent; `undefined` if it is. */
  get sent(): Promise<void> | undefined {
    this.#batching.flush()
    return this.#unsent > 0 ? this.#sent : undefined
  }

  /** Sends what waits, and resolves when all is answered. */
  async finish(): Promise<void> {
    await this.sent
    await Promise.all(this.#unanswered)
  }

  #refused(error: unknown): undefined {
    this.#store.failed('set', error)
  }

  /** Where a script changes the epoch, and what it tells of that. */
  #placesOf(change: Partial<Change>, { at }: Signature): Buffer[] {
    const { epoch, tags } = this.#keys
    const mark = this.#channel.mark(change, at)
    return mark === undefined ? [epoch, tags] : [epoch, tags, mark]
  }

  #send(write: Omit<Write, 'resolve'>): Promise<(Reply | undefined)[]> {
    return new Promise(resolve => this.#batching.add({ ...write, resolve }))
  }

  /** The server will tell of these keys. */
  #expect(places: readonly Buffer[]): void {
    if (!this.#channel.tracks) return
    for (const place of places) this.#echoes.expect(place)
  }

  /** Sends one batch after the other. */
  #queue(writes: Write[]): void {
    // Scripts of a server alone find the epoch of now by themselves.
    const parts = this.#connection().isCluster ? apart(writes) : [writes]
    for (const part of parts) {
      this.#unsent++
      this.#sent = this.#sent.then(() => this.#start(part)).finally(() => this.#unsent--)
    }
  }

  /** Resolves when they are sent. */
  async #start(writes: Write[]): Promise<void> {
    const made = await Promise.all(writes.map(({ made }) => made))
    const connection = this.#connection()
    const needsEpoch = connection.isCluster && writes.some(({ isOfNow }) => isOfNow)
    const epoch = needsEpoch ? await this.#epochs.begin('set', connection) : undefined
    const commands = made.map((one, i): readonly ScriptCommand[] => {
      if (typeof one !== 'function') return one ?? []
      return connection.isCluster && writes[i]?.isOfNow && !epoch ? [] : [one(epoch)]
    })
    const answered = this.#write(connection, writes, commands).finally(() =>
      this.#unanswered.delete(answered),
    )
    this.#unanswered.add(answered)
  }

  async #write(
    connection: Connection,
    writes: readonly Write[],
    commands: readonly (readonly ScriptCommand[])[],
  ): Promise<void> {
    const operations = [...new Set(writes.map(({ operation }) => operation))].join(', ')
    const replies = await this.#store.send(operations, connection, commands.flat())
    let at = 0
    for (const [i, { resolve }] of writes.entries()) {
      const { length } = commands[i] as readonly ScriptCommand[]
      resolve(replies.slice(at, at + length))
      at += length
    }
  }

  /** Where the server tells of each key that was written there is nothing to add. */
  #tell(change: Partial<Change>, { at }: Signature): void {
    if (!this.#channel.tracks) this.#channel.publish(change, at)
  }
}

/** Writes in parts, each of which the epoch of now can be asked for before it is sent. */
function apart(writes: readonly Write[]): Write[][] {
  const parts: Write[][] = [[]]
  let hasChanged = false
  for (const write of writes) {
    if (write.isOfNow && hasChanged) {
      parts.push([])
      hasChanged = false
    }
    parts.at(-1)?.push(write)
    hasChanged ||= write.operation === 'invalidateTag' || write.operation === 'clear'
  }
  return parts
}
