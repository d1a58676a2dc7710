// A tier as the cache may call it, whoever wrote it: what it throws or rejects with is told, and counts as
// no answer. Nothing of it reaches a caller, or the event loop.
import type { CacheKey } from '../base/types.ts'
import type { TierLease, TierMark, TierSession, TierValue } from './contract.ts'

/** Told of an operation that has ended. */
export type Called = (call: {
  operation: string
  duration: number
  failed: { error: unknown } | undefined
}) => void

/** Who watches a session. */
export interface Watch {
  /** Told of each failure. */
  failed(operation: string, error: unknown): void
  /** Who is told how long operations take: nobody, mostly. */
  called(): Called | undefined
  /** Calls an operation, traced if anybody wants that. */
  traced<T>(operation: string, ask: () => Promise<T>): Promise<T>
  /** The time, in milliseconds. */
  now(): number
}

/** A session that neither throws nor rejects. */
export class GuardedSession implements TierSession {
  readonly ready: Promise<void>
  readonly #session: TierSession
  readonly #watch: Watch

  constructor(session: TierSession, watch: Watch) {
    this.#session = session
    this.#watch = watch
    this.ready = this.#try('ready', () => session.ready, undefined)
  }

  get(key: CacheKey, mark?: TierMark): Promise<TierValue | undefined> {
    return this.#timed('get', () => this.#session.get(key, mark), undefined)
  }

  /** What is made of the answer to a `get`: by one promise, since all that is missed here waits for it. */
  find<T>(
    key: CacheKey,
    mark: TierMark,
    then: (value: TierValue | undefined) => T | Promise<T>,
  ): Promise<T> {
    if (this.#watch.called() !== undefined) return this.get(key, mark).then(then)
    return settled(() => this.#watch.traced('get', () => this.#session.get(key, mark))).then(
      then,
      error => {
        this.#watch.failed('get', error)
        return then(undefined)
      },
    )
  }

  has(key: CacheKey): Promise<boolean> {
    return this.#timed('get', () => this.#session.has?.(key) ?? this.#reads(key), false)
  }

  set(key: CacheKey, value: TierValue): Promise<boolean> {
    return this.#timed('set', () => this.#session.set(key, value), false)
  }

  delete(keys: readonly CacheKey[]): Promise<void> {
    return this.#timed('delete', () => this.#session.delete(keys), undefined)
  }

  invalidateTag(tag: string): Promise<void> {
    return this.#timed('invalidateTag', () => this.#session.invalidateTag(tag), undefined)
  }

  clear(): Promise<void> {
    return this.#timed('clear', () => this.#session.clear(), undefined)
  }

  /** Everybody may load where nobody says who does. */
  async lease(key: CacheKey, ms: number): Promise<TierLease | undefined> {
    const free: TierLease = { release: async () => {} }
    const lease = await this.#timed('lease', () => this.#session.lease(key, ms), free)
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

  /** As {@link GuardedSession.#try}; who listens is told how long it took. */
  #timed<T>(operation: string, ask: () => Promise<T>, none: T): Promise<T> {
    const traced = () => this.#watch.traced(operation, ask)
    const called = this.#watch.called()
    if (called === undefined) return this.#try(operation, traced, none)
    return this.#tell(called, operation, traced, none)
  }

  async #tell<T>(called: Called, operation: string, traced: () => Promise<T>, none: T): Promise<T> {
    const begun = this.#watch.now()
    let failed: { error: unknown } | undefined
    const answer = await this.#try(
      operation,
      async () => {
        try {
          return await traced()
        } catch (error) {
          failed = { error }
          throw error
        }
      },
      none,
    )
    called({ operation, duration: this.#watch.now() - begun, failed })
    return answer
  }

  async #try<T>(operation: string, ask: () => Promise<T>, none: T): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      this.#watch.failed(operation, error)
      return none
    }
  }
}

/** What is asked for; a promise that rejects if asking throws. */
function settled<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return Promise.resolve(ask())
  } catch (error) {
    return Promise.reject(error)
  }
}
