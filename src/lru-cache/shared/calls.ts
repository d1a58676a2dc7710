// The calls of a shared cache's fetch method: in each worker one for a key, which all join who ask for it.
import { type Identity, identityOf } from '../../base/identity.ts'
import { Pending } from '../../base/pending.ts'
import type { CacheKey } from '../../base/types.ts'
import type * as Types from '../interface.ts'

type Some = NonNullable<unknown>

/** How an entry is stored. */
export type Saving = Pick<
  Types.SetOptions<unknown, unknown, unknown>,
  'ttl' | 'jitter' | 'noUpdateTTL'
>

/** The call of a fetch method. */
interface Call<V> {
  readonly controller: AbortController
  /** What becomes of it. */
  readonly promise: Promise<V | undefined>
}

/** What calls need of their cache, whose settings may change. */
interface Caller<K, V, FC> {
  readonly fetchMethod: Types.Fetcher<K, V, FC> | undefined
  readonly allowStaleOnFetchRejection: boolean
  readonly ignoreFetchAbort: boolean
}

/** The calls of one worker that are under way. */
export class Calls<K extends Some, V extends Some, FC> {
  readonly #cache: Caller<K, V, FC>
  readonly #store: (key: K, value: V, saving: Saving | undefined) => void
  readonly #underWay = new Pending<Identity, Call<V>>()

  /** @param store - puts what a call gave into the cache. */
  constructor(
    cache: Caller<K, V, FC>,
    store: (key: K, value: V, saving: Saving | undefined) => void,
  ) {
    this.#cache = cache
    this.#store = store
  }

  /** What the call for a key will give, if one is under way. */
  of(key: K): Promise<V | undefined> | undefined {
    if (this.#underWay.size === 0) return undefined
    return this.#underWay.of(identityOf(key as K & CacheKey))?.promise
  }

  /** Nobody needs the call for a key any more. */
  abort(key: K, reason: string): void {
    if (this.#underWay.size === 0) return
    this.#underWay.forget(identityOf(key as K & CacheKey))?.controller.abort(new Error(reason))
  }

  /** Nobody needs any call any more. */
  abortAll(reason: Error): void {
    for (const { controller } of this.#underWay.clear()) controller.abort(reason)
  }

  /** Calls the fetch method for a key, in place of whatever is under way for it. */
  begin(key: K, old: V | undefined, options: Types.FetchOptions<K, V, FC>): Promise<V | undefined> {
    const id = identityOf(key as K & CacheKey)
    const controller = new AbortController()
    const { signal } = controller
    const given = options.signal
    const abort = () => controller.abort(given?.reason)
    given?.addEventListener('abort', abort)
    const {
      allowStaleOnFetchRejection = this.#cache.allowStaleOnFetchRejection,
      ignoreFetchAbort = this.#cache.ignoreFetchAbort,
      context,
      forceRefresh: _,
      ...saving
    } = options
    const told = { signal, options: saving, context: context as FC }
    const land = (value: V | undefined): V | undefined => {
      const inPlace = this.#underWay.of(id) === call
      if (value !== undefined && inPlace) this.#store(key, value, saving)
      return value
    }
    const fail = (error: unknown): V => {
      if (allowStaleOnFetchRejection && old !== undefined) return old
      throw error
    }
    const promise = this.#call(key, old, told, ignoreFetchAbort).then(land).catch(fail)
    const call = { controller, promise }
    const end = () => {
      given?.removeEventListener('abort', abort)
      this.#underWay.end(id, call)
    }
    this.#underWay.begin(id, call)
    promise.then(end, end)
    return promise
  }

  /** What the fetch method gives; fails as soon as it is aborted. */
  #call(
    key: K,
    old: V | undefined,
    told: Types.FetcherOptions<K, V, FC>,
    ignoreAbort: boolean,
  ): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      if (!ignoreAbort) {
        told.signal.addEventListener('abort', () => reject(told.signal.reason), { once: true })
      }
      const fetched = this.#cache.fetchMethod?.(key, old, told) as Promise<V | undefined>
      // Not `resolve(fetched)`: after that an abort would come too late.
      Promise.resolve(fetched).then(resolve, reject)
    })
  }
}
