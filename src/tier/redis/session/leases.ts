// Which process loads a key: the one that has its lock. The others wait until the key is written, the
// lock is given back, or their time is over.
import { randomUUID } from 'node:crypto'
import type { CacheKey } from '../../../base/types.ts'
import type { TierHost, TierLease } from '../../contract.ts'
import type { Connection } from '../clients/connection.ts'
import { wholeMs } from '../wire.ts'
import type { GuardedStore } from './guarded-store.ts'
import { type Keys, textOf } from './keys.ts'
import { call, RELEASE } from './scripts.ts'

/** Milliseconds between two looks for a lock: the first, and the most. */
const FIRST = 10
const MOST = 250

/** The locks of one session, and who waits for them. */
export class Leases {
  readonly #host: TierHost
  readonly #connection: () => Connection
  readonly #store: GuardedStore
  readonly #keys: Keys
  /** Who waits for a key, by the key as text. */
  readonly #waiting = new Map<string, Set<() => void>>()
  #closed = false

  constructor(host: TierHost, connection: () => Connection, store: GuardedStore, keys: Keys) {
    this.#host = host
    this.#connection = connection
    this.#store = store
    this.#keys = keys
  }

  async lease(key: CacheKey, ms: number): Promise<TierLease | undefined> {
    const lock = this.#keys.lock(key)
    const token = randomUUID()
    const words = ['SET', lock, token, 'NX', 'PX', wholeMs(ms)]
    const [reply] = await this.#store.send('lease', this.#connection(), [{ words, key: lock }])
    if (reply === null) return undefined
    // Without an answer everybody may load: better twice than not at all.
    if (reply === undefined) return { release: async () => {} }
    return {
      release: async () => {
        await this.#store.send('lease', this.#connection(), [call(RELEASE, [lock], [token])])
      },
    }
  }

  async written(key: CacheKey, ms: number): Promise<void> {
    const { timers } = this.#host
    const end = timers.now() + ms
    let isOver = false
    const told = this.#told(key, () => {
      isOver = true
    })
    try {
      for (let pause = FIRST; ; pause = Math.min(pause * 2, MOST)) {
        const left = end - timers.now()
        if (isOver || this.#closed || left <= 0) return
        await this.#pause(Math.min(pause, left), told.promise)
        if (isOver || timers.now() >= end || (await this.#isFree(key))) return
      }
    } finally {
      told.forget()
    }
  }

  /** Keys were written elsewhere; all of them if none are given. */
  noteChanged(keys?: readonly CacheKey[]): void {
    const texts = keys === undefined ? [...this.#waiting.keys()] : keys.map(textOf)
    for (const text of texts) {
      for (const wake of this.#waiting.get(text) ?? []) wake()
    }
  }

  close(): void {
    this.#closed = true
    this.noteChanged()
  }

  #told(key: CacheKey, f: () => void): { promise: Promise<void>; forget(): void } {
    const text = textOf(key)
    const waiting = this.#waiting.get(text) ?? new Set()
    this.#waiting.set(text, waiting)
    let wake = () => {}
    const promise = new Promise<void>(resolve => {
      wake = () => {
        f()
        resolve()
      }
    })
    waiting.add(wake)
    const forget = () => {
      waiting.delete(wake)
      if (waiting.size === 0) this.#waiting.delete(text)
    }
    return { promise, forget }
  }

  #pause(ms: number, told: Promise<void>): Promise<void> {
    return new Promise(resolve => {
      const cancel = this.#host.timers.after(ms, resolve)
      told.then(() => {
        cancel()
        resolve()
      })
    })
  }

  async #isFree(key: CacheKey): Promise<boolean> {
    const lock = this.#keys.lock(key)
    const command = { words: ['EXISTS', lock], key: lock }
    const [reply] = await this.#store.send('lease', this.#connection(), [command])
    return reply !== undefined && Number(reply) === 0
  }
}
