// What a loader is, and what it is told of the load that it does.
import type { Awaited } from '../base/awaited.ts'
import type { CacheKey, Duration } from '../base/types.ts'

/**
 * Loads the value of a key from where it really is. `undefined` says that there is none: see
 * {@link LoadingOptions.negativeTtl}.
 *
 * @param key - the key.
 * @param load - the load: a signal that tells when nobody wants it any more, and what is to become
 * of its value.
 */
export type Loader<K extends CacheKey, V> = (
  key: K,
  load: Load<V>,
) => V | undefined | null | PromiseLike<V | undefined | null>

/**
 * One load, as its loader sees it. What a loader sets here goes before the options of the call and
 * of the cache.
 *
 * @example
 * ```ts
 * import { Cache } from 'breakwater'
 *
 * const pages = new Cache<string, string>({
 *   max: 100,
 *   loader: async (path, load) => {
 *     load.ttl = path === '/' ? '10s' : '1h'
 *     load.tags = ['pages']
 *     return `the page of ${path}`
 *   },
 * })
 * assert.equal(await pages.fetch('/'), 'the page of /')
 * assert.ok(pages.ttl('/')! < 11_000)
 * pages.invalidateTag('pages')
 * assert.equal(pages.get('/'), undefined)
 * ```
 */
export interface Load<V> {
  /** Fires when nobody waits for the value any more. */
  readonly signal: AbortSignal
  /** What the cache has, if that is stale: to ask a source whether it has changed. */
  readonly stale: V | undefined
  /** How long the value lives. */
  ttl: Duration | undefined
  /** By which {@link Cache.invalidateTag} finds the value. */
  tags: readonly string[] | undefined
  /** The value's version: it never takes the place of a higher one. */
  version: number | undefined
  /** Whether the cache keeps the value; `true` until the loader says otherwise. */
  keep: boolean
}

/** A load under way. */
export class LoadState<V> implements Load<V> {
  readonly stale: V | undefined
  ttl: Duration | undefined
  tags: readonly string[] | undefined
  version: number | undefined
  keep = true
  /** How much the ttl is drawn by. @internal */
  readonly jitter: number | undefined
  #controller: AbortController | undefined

  constructor(
    stale: V | undefined,
    given: {
      ttl?: Duration | undefined
      tags?: readonly string[] | undefined
      version?: number | undefined
      jitter?: number | undefined
    },
    /** Whether anybody waits for it. @internal */
    readonly awaited: Awaited,
  ) {
    this.stale = stale
    this.ttl = given.ttl
    this.tags = given.tags
    this.version = given.version
    this.jitter = given.jitter
  }

  get signal(): AbortSignal {
    // Made when somebody asks: few loaders do.
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }

  /** Nobody wants the value any more. */
  abort(): void {
    this.#controller ??= new AbortController()
    this.#controller.abort(new DOMException('Nobody waits for this load any more', 'AbortError'))
  }
}
