// Which values count: those that were known in the present generation, and after the last invalidation
// of each of their tags. What says so may be evicted or flushed; then values are lost, and none that
// was invalidated comes back: the generation that begins instead is a new one, drawn by chance.
import { randomBytes } from 'node:crypto'
import type { Reply } from '../clients/client.ts'
import type { Connection } from '../clients/connection.ts'
import type { GuardedStore } from './guarded-store.ts'
import type { Keys } from './keys.ts'
import { BEGIN, call, SCORES } from './scripts.ts'

/** What a value that is known now has to show later. */
export interface Epoch {
  /** Another one after each `clear`. */
  readonly generation: number
  /** Goes on with each invalidation of a tag. */
  readonly clock: number
}

/** Another generation than any before. */
export function drawGeneration(): string {
  return String(randomBytes(6).readUIntBE(0, 6))
}

/** The epoch that a text is; `undefined` if it is none. */
function readEpoch(text: string): Epoch | undefined {
  const [, generation, clock] = /^(\d+) (\d+)$/.exec(text) ?? []
  if (clock === undefined) return undefined
  return { generation: Number(generation), clock: Number(clock) }
}

/** The epoch of one cache. */
export class Epochs {
  readonly #store: GuardedStore
  readonly #keys: Keys
  /** The last one that was read: nearly always the next one. */
  #text = ''
  #epoch: Epoch | undefined

  constructor(store: GuardedStore, keys: Keys) {
    this.#store = store
    this.#keys = keys
  }

  /** The epoch as the store has it; `undefined` if it has none. */
  read(reply: Reply | undefined): Epoch | undefined {
    if (!Buffer.isBuffer(reply) && typeof reply !== 'string') return undefined
    const text = typeof reply === 'string' ? reply : reply.toString('latin1')
    if (text !== this.#text) {
      this.#text = text
      this.#epoch = readEpoch(text)
    }
    return this.#epoch
  }

  /** The epoch, which begins if there is none; `undefined` if the store does not answer. */
  async begin(operation: string, connection: Connection): Promise<Epoch | undefined> {
    const { epoch, tags } = this.#keys
    const [reply] = await this.#store.send(operation, connection, [
      call(BEGIN, [epoch, tags], [drawGeneration()]),
    ])
    return this.read(reply)
  }

  /** When each of some tags was invalidated last, by the clock; `undefined` if that is not known. */
  async invalidations(
    connection: Connection,
    tags: readonly string[],
  ): Promise<ReadonlyMap<string, number> | undefined> {
    const members = tags.map(tag => this.#keys.member(tag))
    const [reply] = await this.#store.send('get', connection, [
      call(SCORES, [this.#keys.tags], members),
    ])
    if (!Array.isArray(reply) || reply.length !== tags.length) return undefined
    return new Map(tags.map((tag, i) => [tag, Number(String(reply[i]))]))
  }
}
