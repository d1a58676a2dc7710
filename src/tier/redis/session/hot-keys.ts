// What the processes of a fleet read most: each says it for itself, in a key that ends by itself if the
// process does not come back to it.
import { randomUUID } from 'node:crypto'
import type { CacheKey } from '../../../base/types.ts'
import type { Command, Reply } from '../clients/client.ts'
import type { Connection } from '../clients/connection.ts'
import type { GuardedStore } from './guarded-store.ts'
import { type Keys, readKey, writeKey } from './keys.ts'

/** Milliseconds that what a process has said counts. */
const LIFE = 600_000

/** Of so many processes it is read what they said: of a large fleet a sample says as much. */
const SAMPLE = 16
/** How often others are drawn in the place of those that are gone, at most. */
const DRAWS = 4

/** A key and how often it was read. */
interface Hot {
  readonly key: CacheKey
  readonly count: number
}

/** The hot keys of one cache. */
export class HotKeys {
  readonly #connection: () => Connection
  readonly #store: GuardedStore
  readonly #keys: Keys
  readonly #process = randomUUID()

  constructor(connection: () => Connection, store: GuardedStore, keys: Keys) {
    this.#connection = connection
    this.#store = store
    this.#keys = keys
  }

  async publish(hot: readonly Hot[]): Promise<void> {
    const own = this.#keys.hotOf(this.#process)
    const index = this.#keys.hot
    const text = JSON.stringify(hot.map(({ key, count }) => [toText(key), count]))
    await this.#store.send('hot', this.#connection(), [
      { words: ['SET', own, text, 'PX', String(LIFE)], key: own },
      {
        words: ['SADD', index, this.#process],
        named: { name: 'BW.JOIN', keys: [index], args: [String(LIFE), this.#process] },
        key: index,
      },
      { words: ['PEXPIRE', index, String(LIFE)], key: index },
    ])
  }

  /** The keys that are read most, by the sum of what all have counted, or a sample of all. */
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

  /** What processes have said. */
  async #published(): Promise<Reply[]> {
    const said = new Map<string, Reply>()
    for (let draw = 0; draw < DRAWS; draw++) {
      if (!(await this.#draw(said))) break
    }
    return [...said.values()]
  }

  /** Adds what a sample of the processes has said; whether some were gone, so that it lacks others. */
  async #draw(said: Map<string, Reply>): Promise<boolean> {
    const index = this.#keys.hot
    const count = String(SAMPLE - said.size)
    const [members] = await this.#send([
      {
        words: ['SRANDMEMBER', index, count],
        named: { name: 'BW.SAMPLE', keys: [index], args: [count] },
        key: index,
      },
    ])
    if (!Array.isArray(members)) return false
    const drawn = members.map(String).filter(process => !said.has(process))
    const places = drawn.map(process => this.#keys.hotOf(process))
    const replies = await this.#send(places.map(key => ({ words: ['GET', key], key })))
    for (const [i, process] of drawn.entries()) {
      const reply = replies[i]
      if (reply !== undefined && reply !== null) said.set(process, reply)
    }
    const gone = drawn.filter((_, i) => replies[i] === null)
    if (gone.length === 0) return false
    await this.#send([
      {
        words: ['SREM', index, ...gone],
        named: { name: 'BW.LEAVE', keys: [index], args: gone },
        key: index,
      },
    ])
    return said.size < SAMPLE
  }

  #send(commands: Command[]): Promise<(Reply | undefined)[]> {
    return this.#store.send('hot', this.#connection(), commands)
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
