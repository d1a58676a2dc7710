// The options of loading: their shapes, their defaults and their checks.
import { checkFunction, checkShape, type Renamed } from '../base/checks.ts'
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import type { CacheKey, Duration, SetOptions } from '../base/types.ts'
import { milliseconds } from '../base/units.ts'
import { checkOrigin, type OriginOptions } from '../guard/origin.ts'
import { checkSecond, type SecondOptions, secondOptions } from '../tier/second.ts'
import { type BatchLoader, type BatchOptions, checkBatch } from './batch.ts'
import type { Loader } from './load.ts'

/** How a cache loads what it does not have, and when it loads anew. */
export interface LoadingOptions<K extends CacheKey = CacheKey, V = unknown> extends SecondOptions {
  /** What `fetch` calls for a key that has no value. */
  loader?: Loader<K, V> | undefined
  /** As `loader`, for all keys that are missed in one tick. Not together with `loader`. */
  batchLoader?: BatchLoader<K, V> | undefined
  /** How keys are gathered for a `batchLoader`. */
  batch?: BatchOptions | undefined
  /**
   * How long after its end a value is still given to who asks by `fetch` or `getOrSet`, while it is
   * loaded anew in the background.
   */
  staleWhileRevalidate?: Duration | undefined
  /**
   * How long after its end a value is given instead of an error: when the load fails, takes longer
   * than `softTimeout` or `timeout`, or is not begun because the source is busy or its breaker open.
   */
  staleIfError?: Duration | undefined
  /** How long after a load failed stale values are given without another try; `'1s'` if left out. */
  retryAfter?: Duration | undefined
  /**
   * From this part of its life on (above 0, below 1) the next read of a value loads it anew in the
   * background. Not together with `earlyRefresh`.
   */
  refreshAhead?: number | undefined
  /**
   * Whether reads load a value anew before its end, each with a chance that grows towards it and
   * with what loading it took (XFetch): no moment comes at which all find it gone. `beta` above 1
   * does it earlier; 1 if left out.
   */
  earlyRefresh?: boolean | { beta?: number | undefined } | undefined
  /**
   * How long a load that gave `undefined` or `null` is remembered; not at all if left out. Its tags
   * and its version hold for that as for a value.
   */
  negativeTtl?: Duration | undefined
  /** How long a load that failed is remembered, and its error given to who asks; not at all if left out. */
  errorTtl?: Duration | undefined
  /** How long a caller waits for a load before it is given a stale value, if there is one. */
  softTimeout?: Duration | undefined
  /** How long a caller waits at all: then `ERR_LOAD_TIMEOUT`. The load goes on for the cache. */
  timeout?: Duration | undefined
  /**
   * How long a load keeps others from loading the same key; then one of those who wait tries.
   * `'30s'` if left out.
   */
  lockTimeout?: Duration | undefined
  /**
   * Who gets the error of a load: `'share'` all who wait, `'next'` only who asked first, and the
   * next one tries. `'share'` if left out.
   */
  leaderError?: 'share' | 'next' | undefined
  /** How the source that loaders ask is protected. */
  origin?: OriginOptions | undefined
}

/** How one call differs from the cache's options. */
export interface FetchOptions<K extends CacheKey = CacheKey, V = unknown> extends SetOptions {
  /** Goes before the cache's; not with `getOrSet`, which is given one anyway. */
  loader?: Loader<K, V> | undefined
  /** Ends this caller's wait; the load ends if nobody else waits. */
  signal?: AbortSignal | undefined
  /** See {@link LoadingOptions.softTimeout}. */
  softTimeout?: Duration | undefined
  /** See {@link LoadingOptions.timeout}. */
  timeout?: Duration | undefined
  /** See {@link LoadingOptions.staleWhileRevalidate}: 0, or at most the longest grace of the cache. */
  staleWhileRevalidate?: Duration | undefined
  /** See {@link LoadingOptions.staleIfError}: 0, or at most the longest grace of the cache. */
  staleIfError?: Duration | undefined
  /** Whether it is loaded anew although there is a value. */
  fresh?: boolean | undefined
}

/** The options, checked, in milliseconds. */
export interface LoadingPolicy {
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly retryAfter: number
  readonly refreshAhead: number | undefined
  readonly beta: number | undefined
  readonly negativeTtl: number | undefined
  readonly errorTtl: number | undefined
  readonly softTimeout: number | undefined
  readonly timeout: number | undefined
  readonly lockTimeout: number
  readonly leaderError: 'share' | 'next'
}

/** The names of the options, for the check that there are no others. */
export const loadingOptions: readonly (keyof LoadingOptions)[] = [
  'loader',
  'batchLoader',
  'batch',
  'staleWhileRevalidate',
  'staleIfError',
  'retryAfter',
  'refreshAhead',
  'earlyRefresh',
  'negativeTtl',
  'errorTtl',
  'softTimeout',
  'timeout',
  'lockTimeout',
  'leaderError',
  'origin',
  ...secondOptions,
]

/** Options that had another name once. */
export const renamedLoading: Renamed = Object.fromEntries(
  ['concurrency', 'rate', 'queue', 'retry', 'breaker'].map(name => [name, `origin.${name}`]),
)

/** Checks the options and fills in what was left out. */
export function checkLoading<K extends CacheKey, V>(options: LoadingOptions<K, V>): LoadingPolicy {
  const { loader, refreshAhead, leaderError = 'share' } = options
  if (loader !== undefined) checkLoader('loader', loader)
  if (checkFunction('batchLoader', options.batchLoader) !== undefined && loader !== undefined) {
    throw new OptionCombinationError(
      'batchLoader',
      options.batchLoader,
      'loader',
      'say one of them',
    )
  }
  checkBatch(options.batch)
  const isPart = typeof refreshAhead === 'number' && refreshAhead > 0 && refreshAhead < 1
  if (refreshAhead !== undefined && !isPart) {
    throw new InvalidOptionError('refreshAhead', refreshAhead, 'a number above 0 and below 1')
  }
  if (leaderError !== 'share' && leaderError !== 'next') {
    throw new InvalidOptionError('leaderError', leaderError, "'share' or 'next'")
  }
  checkOrigin(options.origin)
  checkSecond(options)
  const beta = checkEarly(options.earlyRefresh)
  if (beta !== undefined && refreshAhead !== undefined) {
    const allowed = 'say one of them'
    throw new OptionCombinationError('refreshAhead', refreshAhead, 'earlyRefresh', allowed)
  }
  const span = (option: keyof LoadingOptions) => {
    const value = options[option] as Duration | undefined
    return value === undefined ? undefined : milliseconds(option, value)
  }
  return {
    staleWhileRevalidate: span('staleWhileRevalidate') ?? 0,
    staleIfError: span('staleIfError') ?? 0,
    retryAfter: span('retryAfter') ?? 1_000,
    refreshAhead,
    beta,
    negativeTtl: span('negativeTtl'),
    errorTtl: span('errorTtl'),
    softTimeout: span('softTimeout'),
    timeout: span('timeout'),
    lockTimeout: span('lockTimeout') ?? 30_000,
    leaderError,
  }
}

/** How long entries stay after their end, for those who take stale ones. */
export function graceOf(policy: LoadingPolicy): number {
  return Math.max(policy.staleWhileRevalidate, policy.staleIfError)
}

/** Checks that a loader can be called. */
export function checkLoader(option: string, loader: unknown): void {
  if (typeof loader !== 'function') {
    throw new InvalidOptionError(option, loader, 'a function (key, load)')
  }
}

function checkEarly(early: LoadingOptions['earlyRefresh']): number | undefined {
  if (early === undefined || early === false) return undefined
  if (early !== true && (typeof early !== 'object' || early === null)) {
    throw new InvalidOptionError('earlyRefresh', early, 'true, false or an object { beta }')
  }
  const { beta = 1 } = early === true ? {} : checkShape('earlyRefresh', early, ['beta'])
  if (typeof beta === 'number' && beta > 0 && Number.isFinite(beta)) return beta
  throw new InvalidOptionError('earlyRefresh.beta', beta, 'a number above 0')
}
