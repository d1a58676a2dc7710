// What the processes of a fleet read most: each says it for itself, in a key that ends by itself if the
// process does not come back to it.
import { randomUUID } from 'node:crypto'
import type { CacheKey } from '../../types.ts'
import type { Connection, Reply } from './client.ts'
import { type Keys, readKey, writeKey } from './keys.ts'
import type { Store } from './store.ts'

/** Milliseconds that what a process has said counts. */
const LIFE = 600_000

/** A key and how often it was read. */
interface Hot {
  readonly key: CacheKey
  readonly count: number
}

/** The hot keys of one cache. */
export class HotKeys {
  readonly #connection: Connection
  readonly #store: Store
  readonly #keys: Keys
  readonly #process = randomUUID()

  constructor(connection: Connection, store: Store, keys: Keys) {
    this.#connection = connection
    this.#store = store
    this.#keys = keys
  }

  async publish(hot: readonly Hot[]): Promise<void> {
    const own = this.#keys.hotOf(this.#process)
    const index = this.#keys.hot
    const text = JSON.stringify(hot.map(({ key, count }) => [toText(key), count]))
    await this.#store.send('hot', this.#connection, [
      { words: ['SET', own, text, 'PX', String(LIFE)], key: own },
      { words: ['SADD', index, this.#process], key: index },
      { words: ['PEXPIRE', index, String(LIFE)], key: index },
    ])
  }

  /** The keys that are read most, by the sum of what all have counted. */
  async fleet(limit: number): Promise<CacheKey[]> {
    const counts = new Map<string, number>()
    for (const reply of await this.#published()) {
      for (const [text, count] of this.#parse(reply)) {
        counts.set(text, (counts.get(text) ?? 0) + count)
      }
    }
    const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, Math.max(0, limit))
    return sorted.flatMap(([text]) => readKey(Buffer.from(text, 'base64')) ?? [])
  }

  /** What each process has said; who has not for long is taken off the index. */
  async #published(): Promise<Reply[]> {
    const index = this.#keys.hot
    const [members] = await this.#send([{ words: ['SMEMBERS', index], key: index }])
    if (!Array.isArray(members) || members.length === 0) return []
    const processes = members.map(String)
    const places = processes.map(process => this.#keys.hotOf(process))
    const said = await this.#send(places.map(key => ({ words: ['GET', key], key })))
    const gone = processes.filter((_, i) => said[i] === null)
    if (gone.length > 0) await this.#send([{ words: ['SREM', index, ...gone], key: index }])
    return said.filter(reply => reply !== undefined && reply !== null)
  }

  #send(commands: { words: string[]; key: string }[]): Promise<(Reply | undefined)[]> {
    return this.#store.send('hot', this.#connection, commands)
  }

  #parse(reply: Reply): [text: string, count: number][] {
    try {
      const list: unknown = JSON.parse(String(reply))
      if (Array.isArray(list) && list.every(isHot)) return list
      throw new TypeError('not a list of keys and counts')
    } catch (error) {
      this.#store.failed('hot', error)
      return []
    }
  }
}

function toText(key: CacheKey): string {
  return writeKey(key).toString('base64')
}

function isHot(item: unknown): item is [string, number] {
  return Array.isArray(item) && typeof item[0] === 'string' && Number.isFinite(item[1])
}
