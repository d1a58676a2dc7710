// What was to be removed from the store and may be there still, since it did not answer: it is not
// read, and removed when the store answers again.
import type { Cancel } from '../../../base/timers.ts'
import type { CacheKey } from '../../../base/types.ts'
import type { TierHost } from '../../contract.ts'
import { type Change, pass } from '../channel/messages.ts'
import { textOf } from './keys.ts'

/** The most keys and tags that are remembered: with more, everything is to be removed. */
const MOST = 10_000

/** Milliseconds between two attempts. */
const PAUSE = 1_000

/** One removal; another one of the same is another. */
interface Debt<T> {
  readonly of: T
}

/** Removals that are owed to the store. */
export class Owed {
  readonly #host: TierHost
  readonly #pay: (change: Change) => Promise<boolean>
  readonly #keys = new Map<string, Debt<CacheKey>>()
  readonly #tags = new Map<string, Debt<string>>()
  #everything: Debt<'everything'> | undefined
  #cancel: Cancel | undefined
  #isClosed = false

  /** @param pay - removes from the store; whether that was done. */
  constructor(host: TierHost, pay: (change: Change) => Promise<boolean>) {
    this.#host = host
    this.#pay = pay
  }

  add({ keys = [], tags = [], clear = false }: Partial<Change>): void {
    if (this.#isClosed || (keys.length === 0 && tags.length === 0 && !clear)) return
    for (const key of keys) this.#keys.set(textOf(key), { of: key })
    for (const tag of tags) this.#tags.set(tag, { of: tag })
    if (clear || this.#keys.size + this.#tags.size > MOST) {
      this.#everything = { of: 'everything' }
      this.#keys.clear()
      this.#tags.clear()
    }
    this.#schedule()
  }

  /** The store has something newer. */
  settle(key: CacheKey): void {
    if (this.#keys.size > 0) this.#keys.delete(textOf(key))
  }

  /** Whether what the store has of a key is not to be read. */
  hasKey(key: CacheKey): boolean {
    if (this.#everything !== undefined) return true
    return this.#keys.size > 0 && this.#keys.has(textOf(key))
  }

  /** Whether any of the tags is to be invalidated. */
  hasTag(tags: readonly string[] | undefined): boolean {
    return this.#tags.size > 0 && tags?.some(tag => this.#tags.has(tag)) === true
  }

  close(): void {
    this.#isClosed = true
    this.#cancel?.()
  }

  #schedule(): void {
    this.#cancel ??= this.#host.timers.after(PAUSE, () => void this.#attempt())
  }

  /** Whatever an attempt comes to, there is another one as long as anything is owed. */
  async #attempt(): Promise<void> {
    try {
      await this.#try()
    } catch (error) {
      this.#host.failed('delete', error)
    } finally {
      this.#cancel = undefined
      const isOwing = this.#everything !== undefined || this.#keys.size + this.#tags.size > 0
      if (isOwing && !this.#isClosed) this.#schedule()
    }
  }

  async #try(): Promise<void> {
    const [keys, tags] = [[...this.#keys], [...this.#tags]]
    const everything = this.#everything
    const clear = everything !== undefined
    const change = { keys: keys.map(([, { of }]) => of), tags: tags.map(([tag]) => tag), clear }
    const isPaid = await this.#pay(change)
    if (!isPaid || this.#isClosed) return
    // Other threads may have read it meanwhile.
    pass(this.#host, change)
    // What is owed once more since stays so.
    if (this.#everything === everything) this.#everything = undefined
    for (const [text, debt] of keys) if (this.#keys.get(text) === debt) this.#keys.delete(text)
    for (const [tag, debt] of tags) if (this.#tags.get(tag) === debt) this.#tags.delete(tag)
  }
}
