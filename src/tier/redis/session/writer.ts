// What is written and removed: in the order in which it was asked for, and only if nothing newer is
// there. Then the others are told.

import { TierError } from '../../../base/errors.ts'
import type { CacheKey } from '../../../base/types.ts'
import type { TierHost, TierValue } from '../../contract.ts'
import { type Signature, sign } from '../../envelope.ts'
import type { Channel } from '../channel/contract.ts'
import type { Change } from '../channel/messages.ts'
import type { Reply, Word } from '../clients/client.ts'
import type { Connection } from '../clients/connection.ts'
import type { CheckedRedisTier } from '../options.ts'
import { wholeMs } from '../wire.ts'
import { Batching } from './batching.ts'
import type { Echoes } from './echoes.ts'
import { drawGeneration, type Epochs } from './epochs.ts'
import { chunks, type GuardedStore, MOST_KEYS } from './guarded-store.ts'
import type { Keys } from './keys.ts'
import { Owed } from './owed.ts'
import { ADVANCE, call, INVALIDATE, REMOVE, type Script, type ScriptCommand } from './scripts.ts'
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

/** What writing needs of its session. */
export interface Parts {
  readonly host: TierHost
  /** What to write by, which is another one at times. */
  connection(): Connection
  readonly store: GuardedStore
  readonly keys: Keys
  readonly epochs: Epochs
  readonly channel: Channel
  readonly echoes: Echoes
  readonly options: CheckedRedisTier
}

/** Writes of one cache. */
export class Writer {
  readonly #parts: Parts
  /** What should have been removed. */
  readonly owed: Owed
  readonly #batching = new Batching<Write>(writes => this.#queue(writes))
  /** Resolves when all that was queued is sent. */
  #sent: Promise<void> = Promise.resolve()
  /** How many batches are queued. */
  #unsent = 0
  readonly #unanswered = new Set<Promise<void>>()

  constructor(parts: Parts) {
    this.#parts = parts
    this.owed = new Owed(parts.host, change => this.#pay(change))
  }

  async set(key: CacheKey, value: TierValue): Promise<boolean> {
    const { keys, options } = this.#parts
    const signature = this.#parts.echoes.sign()
    const isOfNow = value.since === undefined
    const stored = storing(key, value, signature, keys, options)
    const made = stored instanceof Promise ? stored.catch(error => this.#refused(error)) : stored
    if (made instanceof TierError) this.#refused(made)
    if (made === undefined || made instanceof TierError) {
      // What is there is older than what is not stored.
      if (isOfNow) await this.delete([key])
      return false
    }
    this.#expect([keys.value(key)])
    const [stamp] = await this.#send({ operation: 'set', isOfNow, made })
    // What a load brought was missing before.
    if (stamp === undefined && isOfNow) this.owed.add({ keys: [key] })
    if (stamp === null) return false
    // What was not answered may have been done.
    this.#tell({ keys: [key] }, signature)
    if (stamp === undefined) return false
    if (isOfNow) this.owed.settle(key)
    return true
  }

  async delete(keys: readonly CacheKey[]): Promise<void> {
    this.owed.add({ keys: await this.#remove(keys) })
  }

  async invalidateTag(tag: string): Promise<void> {
    if (!(await this.#invalidate(tag))) this.owed.add({ tags: [tag] })
  }

  async clear(): Promise<void> {
    if (!(await this.#advance())) this.owed.add({ clear: true })
  }

  /** Removes keys; gives those for which the store did not answer. */
  async #remove(keys: readonly CacheKey[]): Promise<CacheKey[]> {
    const parts = chunks(keys, this.#parts.connection().isCluster ? 1 : MOST_KEYS)
    const signature = this.#parts.echoes.sign()
    const args = [wholeMs(this.#parts.options.rememberDeletions), sign(signature)]
    const made = parts.map(part => {
      const places = part.map(key => this.#parts.keys.value(key))
      this.#expect(places)
      return call(REMOVE, places, args)
    })
    if (made.length === 0) return []
    const replies = await this.#send({ operation: 'delete', made })
    this.#tell({ keys }, signature)
    const left: CacheKey[] = []
    for (const [i, part] of parts.entries()) {
      if (replies[i] === undefined) left.push(...part)
      else for (const key of part) this.owed.settle(key)
    }
    return left
  }

  async #invalidate(tag: string): Promise<boolean> {
    const args = [drawGeneration(), this.#parts.keys.member(tag), String(MOST_TAGS)]
    return this.#change('invalidateTag', { tags: [tag] }, INVALIDATE, args)
  }

  async #advance(): Promise<boolean> {
    return this.#change('clear', { clear: true }, ADVANCE, [drawGeneration()])
  }

  /** Changes the epoch, and tells of that; whether the store did. */
  async #change(
    operation: 'invalidateTag' | 'clear',
    change: Partial<Change>,
    script: Script,
    args: readonly Word[],
  ): Promise<boolean> {
    const { keys, channel, echoes } = this.#parts
    const signature = echoes.sign()
    const mark = channel.mark(change, signature.at)
    const places = [keys.epoch, keys.tags, ...(mark === undefined ? [] : [mark])]
    const [epoch] = await this.#send({ operation, made: [call(script, places, args)] })
    this.#tell(change, signature)
    return epoch !== undefined
  }

  /** Removes what is owed; whether all of it was. */
  async #pay({ keys, tags, clear }: Change): Promise<boolean> {
    if (clear) return this.#advance()
    const removed = this.#remove(keys).then(left => left.length === 0)
    const all = [removed, ...tags.map(tag => this.#invalidate(tag))]
    return (await Promise.all(all)).every(Boolean)
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
    this.#parts.store.failed('set', error)
  }

  #send(write: Omit<Write, 'resolve'>): Promise<(Reply | undefined)[]> {
    return new Promise(resolve => this.#batching.add({ ...write, resolve }))
  }

  /** The server will tell of these keys. */
  #expect(places: readonly Buffer[]): void {
    if (!this.#parts.channel.tracks) return
    for (const place of places) this.#parts.echoes.expect(place)
  }

  /** Sends one batch after the other. */
  #queue(writes: Write[]): void {
    // Scripts of a server alone find the epoch of now by themselves.
    const parts = this.#parts.connection().isCluster ? apart(writes) : [writes]
    for (const part of parts) {
      this.#unsent++
      this.#sent = this.#sent
        .then(() => this.#start(part))
        .catch(error => this.#fail(part, error))
        .finally(() => this.#unsent--)
    }
  }

  /** Whoever asked is answered, whatever went wrong. */
  #fail(writes: readonly Write[], error: unknown): void {
    for (const { operation, resolve } of writes) {
      this.#parts.store.failed(operation, error)
      resolve([])
    }
  }

  /** Resolves when they are sent. */
  async #start(writes: Write[]): Promise<void> {
    const made = await Promise.all(writes.map(({ made }) => made))
    const connection = this.#parts.connection()
    const needsEpoch = connection.isCluster && writes.some(({ isOfNow }) => isOfNow)
    const epoch = needsEpoch ? await this.#parts.epochs.begin('set', connection) : undefined
    const commands = made.map((one, i): readonly ScriptCommand[] => {
      if (typeof one !== 'function') return one ?? []
      return connection.isCluster && writes[i]?.isOfNow && !epoch ? [] : [one(epoch)]
    })
    const answered = this.#write(connection, writes, commands)
      .catch(error => this.#fail(writes, error))
      .finally(() => this.#unanswered.delete(answered))
    this.#unanswered.add(answered)
  }

  async #write(
    connection: Connection,
    writes: readonly Write[],
    commands: readonly (readonly ScriptCommand[])[],
  ): Promise<void> {
    const operations = [...new Set(writes.map(({ operation }) => operation))].join(', ')
    const replies = await this.#parts.store.send(operations, connection, commands.flat())
    let at = 0
    for (const [i, { resolve }] of writes.entries()) {
      const { length } = commands[i] as readonly ScriptCommand[]
      resolve(replies.slice(at, at + length))
      at += length
    }
  }

  /** Where the server tells of each key that was written there is nothing to add. */
  #tell(change: Partial<Change>, { at }: Signature): void {
    if (!this.#parts.channel.tracks) this.#parts.channel.publish(change, at)
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
