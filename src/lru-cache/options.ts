// Checks the options that cannot be changed later.
import { InvalidOptionError } from '../base/errors.ts'
import { checkJitter } from '../base/jitter.ts'
import type { Fetcher, Memoizer, OptionsBase } from './interface.ts'
import { isPositive } from './sizes.ts'
import { type Disposer, type Inserter, type Perf, type Policy, policies } from './types.ts'

/** An array has at most so many elements. */
const MOST = 2 ** 32 - 1

let warned = false

/**
 * Checks what a cache is built from, as lru-cache does.
 *
 * @throws TypeError where lru-cache throws one.
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that lru-cache does not have.
 */
export function check<K, V, FC>(options: OptionsBase<K, V, FC>): void {
  const { max = 0, maxSize = 0, ttl, sizeCalculation, perf, policy, jitter, random } = options
  const maxEntrySize = options.maxEntrySize || maxSize
  if (perf !== undefined && typeof perf?.now !== 'function') {
    throw new TypeError('perf must have a method now')
  }
  checkMax(max)
  if (sizeCalculation) {
    if (!maxSize && !maxEntrySize) {
      throw new TypeError('sizeCalculation needs a bound: give maxSize or maxEntrySize too')
    }
    checkFunction('sizeCalculation', sizeCalculation)
  }
  if (options.memoMethod !== undefined) checkFunction('memoMethod', options.memoMethod)
  if (options.fetchMethod !== undefined) checkFunction('fetchMethod', options.fetchMethod)
  if (maxEntrySize !== 0) {
    if (maxSize !== 0) checkPositive('maxSize', maxSize)
    checkPositive('maxEntrySize', maxEntrySize)
  }
  if (ttl) checkPositive('ttl', ttl)
  if (max === 0 && !ttl && maxSize === 0) {
    throw new TypeError('a cache needs a bound: give at least one of max, maxSize and ttl')
  }
  checkPolicy(policy)
  if (jitter !== undefined) checkJitter(jitter)
  if (random !== undefined && typeof random !== 'function') {
    throw new InvalidOptionError('random', random, 'a function that gives numbers from 0 to 1')
  }
  if (!options.ttlAutopurge && max === 0 && maxSize === 0) warn()
}

/** The options that cannot be changed. */
export interface Fixed<K, V, FC> {
  readonly perf: Perf
  readonly policy: Policy
  readonly jitter: number
  readonly random: () => number
  readonly fetchMethod: Fetcher<K, V, FC> | undefined
  readonly memoMethod: Memoizer<K, V, FC> | undefined
  readonly dispose: Disposer<K, V> | undefined
  readonly disposeAfter: Disposer<K, V> | undefined
  readonly onInsert: Inserter<K, V> | undefined
}

/** These options, with what was left out. */
export function fix<K, V, FC>(given: OptionsBase<K, V, FC>): Fixed<K, V, FC> {
  const { perf = defaultPerf, policy = 'lru', jitter = 0, random = Math.random } = given
  const { fetchMethod, memoMethod } = given
  return {
    ...{ perf, policy, jitter, random, fetchMethod, memoMethod },
    dispose: callable(given.dispose),
    disposeAfter: callable(given.disposeAfter),
    onInsert: callable(given.onInsert),
  }
}

/** Anything but a function is as good as nothing. */
function callable<T>(given: T | undefined): T | undefined {
  return typeof given === 'function' ? given : undefined
}

/** Checks the options of a call: a ttl in their place, as lru-cache 6 took one, would be ignored. */
export function checkOptions(options: unknown): void {
  if (typeof options === 'object' && options !== null) return
  if (typeof options === 'function') return
  throw new TypeError(`the options of a call must be an object, not ${String(options)}`)
}

/** Checks a policy, if there is one. */
export function checkPolicy(policy: unknown): void {
  if (policy === undefined || policies.includes(policy as Policy)) return
  throw new InvalidOptionError('policy', policy, `one of ${policies.join(', ')}`)
}

/** Checks the bound of entries: 0 is none. */
export function checkMax(max: unknown): asserts max is number {
  if (max !== 0 && !isPositive(max)) {
    throw new TypeError(`max must be a whole number from 0, not ${String(max)}`)
  }
  if (max > Number.MAX_SAFE_INTEGER) throw new Error(`max is too large: ${max}`)
  if (max > MOST) throw new RangeError(`max must be below 2 ** 32, not ${max}`)
}

/** Checks a bound or a ttl. */
export function checkPositive(option: string, value: unknown): void {
  if (isPositive(value)) return
  throw new TypeError(`${option} must be a whole number above 0, not ${String(value)}`)
}

/** The clock, if none is given. */
export const defaultPerf: Perf =
  typeof performance === 'object' && typeof performance.now === 'function' ? performance : Date

function checkFunction(option: string, value: unknown): void {
  if (typeof value === 'function') return
  throw new TypeError(`${option} must be a function, not ${typeof value}`)
}

/** Says once in a process that a cache has no bound but time. */
function warn(): void {
  if (warned) return
  warned = true
  const [name, code] = ['UnboundedCacheWarning', 'LRU_CACHE_UNBOUNDED']
  const text = 'a cache with a ttl but without ttlAutopurge, max and maxSize may grow without bound'
  // A browser has no process, and a process that is faked no warnings.
  if (typeof globalThis.process?.emitWarning === 'function') process.emitWarning(text, name, code)
  else console.error(`[${code}] ${name}: ${text}`)
}
