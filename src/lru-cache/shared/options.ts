// What a shared cache is built from, and what cannot be combined with sharing.

import type { ManualClock } from '../../base/clock.ts'
import {
  InvalidOptionError,
  OptionCombinationError,
  OptionConflictError,
} from '../../base/errors.ts'
import type { CacheKey, NearOptions } from '../../base/types.ts'
import { Cache } from '../../cache/cache.ts'
import type { StoreOptions } from '../../cache/options.ts'
import type { Codec, CodecName } from '../../codec/codecs.ts'
import { defaultPerf } from '../options.ts'
import type * as Types from '../types.ts'

/** The options of a cache that every worker of the process shares. Beyond lru-cache. */
export interface SharedOptions<K, V, FC> {
  /**
   * The cache's name: the same name in any worker of the process is the same cache. Options that
   * are given must be those of the cache that exists; those left out are taken from it.
   */
  shared: string
  /** The most entries. */
  max?: Types.Count
  /** The most bytes, or text as `'256mb'`; without `max` and this: `'25%'` of the memory. */
  maxBytes?: number | string
  /** How long an entry lives, in milliseconds; for ever, if left out or 0. */
  ttl?: Types.Milliseconds
  /** Each entry lives its ttl x (1 ± `jitter`): from 0 up to, not including, 1. */
  jitter?: number
  /** Which entry leaves when another needs its room; `'lru'` if left out. */
  policy?: Types.Policy
  /** How values are stored, so that all workers can read them; `'structured'` if left out. */
  codec?: Codec<V> | CodecName
  /**
   * What this worker keeps decoded, so that it need not be decoded again: on by default. Its
   * objects are shared by all who read them in this worker; `{ freeze: true }` lets a change of one
   * throw, `false` gives each reader a copy of its own.
   */
  near?: boolean | NearOptions
  /** A `get` begins the entry's life anew, with the cache's `ttl`. */
  updateAgeOnGet?: boolean
  /** A `has` begins the entry's life anew, with the cache's `ttl`. */
  updateAgeOnHas?: boolean
  /** A `set` of a key that is there leaves its life as it is. */
  noUpdateTTL?: boolean
  /** Where `fetch` takes values from; one call at a time for each key in each worker. */
  fetchMethod?: Types.Fetcher<K, V, FC>
  /** Where `memo` takes values from. */
  memoMethod?: Types.Memoizer<K, V, FC>
  /** A refresh that fails gives the value that was there. */
  allowStaleOnFetchRejection?: boolean
  /** A fetch that is aborted goes on all the same. */
  ignoreFetchAbort?: boolean
  /** Of no effect: a fetch that fails leaves what is there. */
  noDeleteOnFetchRejection?: boolean
  /** Of no effect: the engine removes entries when their time is over. */
  ttlAutopurge?: boolean
  /** Time that stands still until a test moves it, from `breakwater/testing`. */
  clock?: ManualClock
  /** Draws the jitter: evenly from 0 up to, not including, 1. `Math.random` if left out. */
  random?: () => number
}

const BYTES = 'bound the cache by maxBytes instead'
const FRESH = 'a shared cache gives no stale values'
const COPIES = 'values are copies, of which each worker has its own'
const CLOCK = "time is the engine's; a test gives clock, a ManualClock of 'breakwater/testing'"

/** The options that mean nothing to a shared cache, with what to do instead. */
const unsupported: Record<string, string> = {
  dispose: COPIES,
  disposeAfter: COPIES,
  onInsert: COPIES,
  noDisposeOnSet: COPIES,
  maxSize: BYTES,
  maxEntrySize: BYTES,
  sizeCalculation: BYTES,
  size: BYTES,
  allowStale: FRESH,
  noDeleteOnStaleGet: FRESH,
  allowStaleOnFetchAbort: FRESH,
  perf: CLOCK,
  start: CLOCK,
  status: 'stats() tells of a shared cache',
}

/** What a call on a shared cache may be given. */
export type CallOptions = Record<string, unknown>

/**
 * Checks that no option is given that cannot be combined with `shared`. Those that are off as a
 * matter of course, as `allowStale: false`, may be.
 *
 * @throws OptionCombinationError `ERR_OPTION_COMBINATION`
 */
export function refuse(options: object): void {
  for (const [option, allowed] of Object.entries(unsupported)) {
    const value = (options as CallOptions)[option]
    // A cache that is given as the options has the clock that is meant anyhow.
    if (!value || value === defaultPerf) continue
    throw new OptionCombinationError(option, value, 'shared', allowed)
  }
}

/** Whether options are those of a shared cache. `direct`: they are not a subclass's. */
export function shareable<K, V, FC>(
  options: object,
  direct: boolean,
): options is SharedOptions<K, V, FC> {
  const { shared, codec, maxBytes, near } = (options ?? {}) as Partial<SharedOptions<K, V, FC>>
  for (const [option, value] of Object.entries({ codec, maxBytes, near })) {
    if (value === undefined || shared !== undefined) continue
    throw new OptionCombinationError(option, value, 'a cache of one worker', 'give shared as well')
  }
  if (shared !== undefined && !direct) {
    throw new OptionCombinationError('shared', shared, 'a subclass', 'wrap the cache instead')
  }
  return shared !== undefined
}

/** What is taken if an option is left out, unless the cache exists already and has another. */
const defaults = { policy: 'lru', codec: 'structured' } as const

/** Makes the cache of a name, or opens it. */
export function open<K extends CacheKey, V>(
  options: SharedOptions<K, V, unknown>,
): Cache<K & CacheKey, V> {
  const given = checked(options)
  const assumed: Partial<typeof defaults> = { ...defaults }
  for (;;) {
    try {
      return new Cache<K, V>({ ...assumed, ...given })
    } catch (error) {
      // Whoever made the cache chose otherwise.
      const option = error instanceof OptionConflictError ? error.option : ''
      if (!(option in assumed) || option in given) throw error
      delete assumed[option as keyof typeof defaults]
    }
  }
}

function checked<K, V>(options: SharedOptions<K, V, unknown>): StoreOptions<V> {
  const { shared: name, codec, policy } = options
  if (typeof name !== 'string' || name === '') {
    throw new InvalidOptionError('shared', name, 'a text of 1 to 256 characters')
  }
  refuse(options)
  for (const method of ['fetchMethod', 'memoMethod'] as const) {
    const value: unknown = options[method]
    if (value !== undefined && typeof value !== 'function') {
      throw new TypeError(`${method} must be a function, not ${typeof value}`)
    }
  }
  if (codec === 'heap' || (codec as { name?: unknown } | undefined)?.name === 'heap') {
    throw new OptionCombinationError('codec', 'heap', 'shared', 'its objects belong to one worker')
  }
  if (policy !== undefined && policy !== 'lru' && policy !== 'lfu') {
    throw new InvalidOptionError('policy', policy, 'one of lru, lfu')
  }
  const given: StoreOptions<V> = {
    name,
    // lru-cache takes 0 for none.
    max: options.max || undefined,
    maxBytes: options.maxBytes,
    ttl: options.ttl || undefined,
    jitter: options.jitter || undefined,
    policy,
    codec,
    near: options.near,
    clock: options.clock,
    random: options.random,
  }
  const said = Object.entries(given).filter(([, value]) => value !== undefined)
  return Object.fromEntries(said) as StoreOptions<V>
}
