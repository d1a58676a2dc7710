// One fetch: the call of a fetch method, until its result is stored or of no use.
import type { Core } from './core.ts'
import type { Fetcher, FetcherFetchOptions, FetcherOptions, Status } from './interface.ts'
import type { RunningFetch } from './running-fetch.ts'
import { reserve, store } from './storing.ts'
import type { Milliseconds } from './types.ts'

type Some = NonNullable<unknown>

/** What a fetch is made with. */
export interface RunOptions<K, V, FC> extends FetcherFetchOptions<K, V, FC> {
  ttl: Milliseconds
  status: Status<K, V, FC>
  signal: AbortSignal
}

/** A fetch that is under way. */
export class Fetch<K extends Some, V extends Some, FC> implements RunningFetch<V> {
  readonly #core: Core<K, V, FC>
  readonly #key: K
  readonly #options: RunOptions<K, V, FC>
  readonly #controller = new AbortController()
  /** What it replaces. */
  readonly stale: V | undefined
  /** What becomes of it. */
  readonly promise: Promise<V | undefined>
  /** Whether somebody waits for it, who must hear of its failure. */
  awaited = false
  #slot: number

  /** @param slot - of the entry that is to be refreshed; 0 if there is none. */
  constructor(
    core: Core<K, V, FC>,
    key: K,
    slot: number,
    options: RunOptions<K, V, FC>,
    context: FC,
  ) {
    this.#core = core
    this.#key = key
    this.#slot = slot
    this.#options = options
    this.stale = core.values[slot]
    const { signal } = this.#controller
    options.signal?.addEventListener('abort', () => this.#controller.abort(options.signal.reason), {
      signal,
    })
    if (options.status) options.status.fetchDispatched = true
    this.promise = this.#call({ signal, options, context }).then(
      value => this.#settle(value, false),
      error => this.#reject(error),
    )
    this.#wait()
  }

  /** Tells the fetch method that nobody needs its result. */
  abort(reason: string): void {
    this.#controller.abort(new Error(reason))
  }

  /** What the fetch method gives, or `undefined` as soon as it is aborted. */
  #call(told: FetcherOptions<K, V, FC>): Promise<V | undefined> {
    const { cache } = this.#core
    const options = this.#options
    return new Promise((resolve, reject) => {
      const fetcher = cache.fetchMethod as Fetcher<K, V, FC>
      const result = fetcher.call(cache, this.#key, this.stale, told)
      let give = (value: V | undefined): void => resolve(value)
      told.signal.addEventListener('abort', () => {
        if (options.ignoreFetchAbort && !options.allowStaleOnFetchAbort) return
        resolve(undefined)
        // What comes later is stored all the same, if that was asked for.
        if (options.allowStaleOnFetchAbort) give = value => void this.#settle(value, true)
      })
      if (result instanceof Promise) result.then(value => give(value as V | undefined), reject)
      else give(result as V | undefined)
    })
  }

  /** Takes the place in the cache where the result is expected. */
  #wait(): void {
    const { keys, fetches } = this.#core
    // The fetch method itself may have changed the cache.
    if (this.#slot === 0 || keys.find(this.#key) !== this.#slot) {
      const { status: _, ...options } = this.#options
      this.#slot = reserve(this.#core, this.#key, options)
    }
    if (this.#slot !== 0) fetches?.begin(this.#slot, this)
  }

  get #inPlace(): boolean {
    return this.#slot !== 0 && this.#core.fetches?.of(this.#slot) === this
  }

  /** Nothing has taken the place of a fetch that was removed. */
  get #vacant(): boolean {
    const { fetches, values } = this.#core
    return values[this.#slot] === undefined && fetches?.of(this.#slot) === undefined
  }

  /** The fetch method has given something. `late`: after it was aborted. */
  #settle(value: V | undefined, late: boolean): V | undefined {
    const { aborted, reason } = this.#controller.signal
    const options = this.#options
    const ignored = !!options.ignoreFetchAbort && value !== undefined
    if (options.status && aborted && !late) {
      options.status.fetchAborted = true
      options.status.fetchError = reason
      if (ignored) options.status.fetchAbortIgnored = true
    } else if (options.status) {
      options.status.fetchResolved = true
    }
    if (aborted && !ignored && !late) {
      const goesOn =
        options.ignoreFetchAbort || (options.allowStaleOnFetchAbort && value !== undefined)
      return this.#fail(reason, !!goesOn)
    }
    if (this.#inPlace || (ignored && late && this.#vacant)) this.#land(value)
    return value
  }

  #land(value: V | undefined): void {
    if (value !== undefined) {
      if (this.#options.status) this.#options.status.fetchUpdated = true
      store(this.#core, this.#key, value, this.#options, this)
    } else if (this.stale !== undefined) {
      this.#core.fetches?.forget(this.#slot)
    } else {
      this.#core.delete(this.#key, 'fetch')
    }
  }

  #reject(error: unknown): V | undefined {
    const { status } = this.#options
    if (status) {
      status.fetchRejected = true
      status.fetchError = error as Error
    }
    return this.#fail(error, false)
  }

  /** Gives the stale value, if that is allowed. `goesOn`: a result may still come. */
  #fail(error: unknown, goesOn: boolean): V | undefined {
    const options = this.#options
    const keepsStale = this.#keepsStale
    const givesStale = keepsStale || options.allowStaleOnFetchRejection
    if (this.#inPlace) {
      const stays = givesStale || options.noDeleteOnFetchRejection
      const comesToNothing = this.stale === undefined && !(goesOn && keepsStale)
      if (!stays || comesToNothing) this.#core.delete(this.#key, 'fetch')
      else if (!keepsStale) this.#core.fetches?.forget(this.#slot)
    }
    if (givesStale) {
      if (options.status && this.stale !== undefined) options.status.returnedStale = true
      return this.stale
    }
    if (this.awaited) throw error
    return undefined
  }

  get #keepsStale(): boolean {
    return this.#controller.signal.aborted && !!this.#options.allowStaleOnFetchAbort
  }
}
