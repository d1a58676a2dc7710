// A tier as the cache may call it, whoever wrote it: what it throws or rejects with is told, and counts as
// no answer. Nothing of it reaches a caller, or the event loop.
import type { CacheKey } from '../base/types.ts'
import type { TierLease, TierMark, TierSession, TierValue } from './contract.ts'

/** Told of each failure. */
type Failed = (operation: string, error: unknown) => void

/** A session that neither throws nor rejects. */
export class GuardedSession implements TierSession {
  readonly ready: Promise<void>
  readonly #session: TierSession
  readonly #failed: Failed

  constructor(session: TierSession, failed: Failed) {
    this.#session = session
    this.#failed = failed
    this.ready = this.#try('ready', () => session.ready, undefined)
  }

  get(key: CacheKey, mark?: TierMark): Promise<TierValue | undefined> {
    return this.#try('get', () => this.#session.get(key, mark), undefined)
  }

  has(key: CacheKey): Promise<boolean> {
    return this.#try('get', () => this.#session.has?.(key) ?? this.#reads(key), false)
  }

  set(key: CacheKey, value: TierValue): Promise<boolean> {
    return this.#try('set', () => this.#session.set(key, value), false)
  }

  delete(keys: readonly CacheKey[]): Promise<void> {
    return this.#try('delete', () => this.#session.delete(keys), undefined)
  }

  invalidateTag(tag: string): Promise<void> {
    return this.#try('invalidateTag', () => this.#session.invalidateTag(tag), undefined)
  }

  clear(): Promise<void> {
    return this.#try('clear', () => this.#session.clear(), undefined)
  }

  /** Everybody may load where nobody says who does. */
  async lease(key: CacheKey, ms: number): Promise<TierLease | undefined> {
    const free: TierLease = { release: async () => {} }
    const lease = await this.#try('lease', () => this.#session.lease(key, ms), free)
    if (lease === undefined || lease === free) return lease
    return { release: () => this.#try('lease', () => lease.release(), undefined) }
  }

  written(key: CacheKey, ms: number): Promise<void> {
    return this.#try('lease', () => this.#session.written(key, ms), undefined)
  }

  publishHot(keys: readonly { key: CacheKey; count: number }[]): Promise<void> {
    return this.#try('hot', () => this.#session.publishHot(keys), undefined)
  }

  fleetHot(limit: number): Promise<CacheKey[]> {
    return this.#try('hot', () => this.#session.fleetHot(limit), [])
  }

  close(): Promise<void> {
    return this.#try('close', () => this.#session.close(), undefined)
  }

  async #reads(key: CacheKey): Promise<boolean> {
    const value = await this.#session.get(key)
    return value !== undefined && value.freshFor > 0
  }

  async #try<T>(operation: string, ask: () => Promise<T>, none: T): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      this.#failed(operation, error)
      return none
    }
  }
}
