// What a shared cache is built from, and what cannot be combined with sharing.

import {
  InvalidOptionError,
  OptionCombinationError,
  OptionConflictError,
} from '../../base/errors.ts'
import type { CacheKey } from '../../base/types.ts'
import { Cache } from '../../cache/cache.ts'
import type { StoreOptions } from '../../cache/options.ts'
import type { SharedOptions } from '../interface.ts'
import { checkOptions, checkPolicy, defaultPerf } from '../options.ts'

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
 * @throws TypeError if the options are no object.
 * @throws OptionCombinationError `ERR_OPTION_COMBINATION`
 */
export function refuse(options: object): void {
  checkOptions(options)
  for (const [option, allowed] of Object.entries(unsupported)) {
    const value = (options as CallOptions)[option]
    // A cache that is given as the options has the clock that is meant anyhow.
    if (!value || value === defaultPerf) continue
    throw new OptionCombinationError(option, value, 'shared', allowed)
  }
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
  const { shared, codec, policy } = options
  if (typeof shared !== 'string' || shared === '') {
    throw new InvalidOptionError('shared', shared, 'a text of 1 to 256 characters')
  }
  refuse(options)
  for (const method of ['fetchMethod', 'memoMethod'] as const) {
    const value: unknown = options[method]
    if (value !== undefined && typeof value !== 'function') {
      throw new TypeError(`${method} must be a function, not ${typeof value}`)
    }
  }
  const name = typeof codec === 'object' ? codec?.name : String(codec)
  if (name === 'heap') {
    throw new OptionCombinationError('codec', 'heap', 'shared', 'its objects belong to one worker')
  }
  checkPolicy(policy)
  const given: StoreOptions<V> = {
    name: shared,
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
