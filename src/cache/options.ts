// The options of a cache: their shapes, their checks, and what a named cache must agree on.

import { checkFlag, checkKnown, checkOneOf, checkShape } from '../base/checks.ts'
import { ManualClock } from '../base/clock.ts'
import { InvalidOptionError, OptionCombinationError, OptionConflictError } from '../base/errors.ts'
import { checkJitter } from '../base/jitter.ts'
import type { TtlOf } from '../base/lifetimes.ts'
import {
  type CacheKey,
  type Duration,
  type NearOptions,
  type Policy,
  policies,
  type Size,
  type Weigh,
  weighs,
} from '../base/types.ts'
import { byteCount, milliseconds } from '../base/units.ts'
import { type Codec, type CodecName, type Coding, codingNamed, codingOf } from '../codec/codecs.ts'
import {
  type LoadingOptions,
  type LoadingPolicy,
  loadingOptions,
  renamedLoading,
} from '../loading/options.ts'
import { nativeClock } from '../native/clock.ts'
import { binding, type Native } from '../native/native.ts'
import type { NearBase, NearBounds } from '../near/near.ts'
import type { WarmOptions } from '../warm/warm.ts'
import { checkWriting, type WritingOptions, writingOptions } from '../writing/writing.ts'

/**
 * How to build or open a {@link Cache}. A new one needs a bound, `max` or `maxBytes`; with a `name` and
 * no bound the cache of that name is opened, which must be there.
 */
export interface CacheOptions<V = unknown, K extends CacheKey = CacheKey>
  extends Omit<StoreOptions<V>, 'ttl'>,
    LoadingOptions<K, V>,
    WritingOptions<K, V> {
  /** How long an entry lives, or a function of value and key that says so; forever if left out. */
  ttl?: Duration | TtlOf<K, V> | undefined
  /** Whether the cache begins with what was read most before, or by others. */
  warm?: WarmOptions | undefined
}

/** What a cache is told beside how it loads. */
export interface StoreOptions<V = unknown> {
  /**
   * The same name in any worker of the process is the same cache. Options that are given must be
   * those of the cache that exists; those left out are taken from it. At most 256 characters.
   */
  name?: string | undefined
  /** The most entries. */
  max?: number | undefined
  /** The most bytes: index, keys, values and policy together. */
  maxBytes?: Size | undefined
  /** Which entry leaves when another needs its room; `'lfu'` if left out. */
  policy?: Policy | undefined
  /** What the policy `'auto'` hits as much of as it can; `'hits'` if left out. For `'auto'` alone. */
  weigh?: Weigh | undefined
  /** How long an entry lives; forever if left out. */
  ttl?: Duration | undefined
  /** Each entry lives `ttl` x (1 ± `jitter`), drawn evenly: from 0 up to, not including, 1. */
  jitter?: number | undefined
  /**
   * Whether each `get` and each hit of `fetch` begins an entry's life anew, so that it ends when it was
   * not read for its ttl. The cache then knows of every read: there is no near cache.
   */
  touch?: boolean | undefined
  /** How values are stored; `any` value if left out. */
  codec?: Codec<V> | CodecName | undefined
  /** How many parts the cache is cut into, a power of two; decided by its bounds if left out. */
  shards?: number | undefined
  /**
   * Whether each isolate keeps copies of decoded values in front of the cache, on its own heap. If
   * left out it does; a `get` of values that need no decoding (codecs `string`, `number`, `bytes`,
   * `heap`, and `any` until a value had to be decoded) looks there only under keys of up to 12
   * characters. A copy is only ever used while it is what the cache has, for all threads. Callers that
   * get the same object share it: who changes it changes it for all in the isolate, unless
   * `near: { freeze: true }` makes that throw. Of bytes each caller gets a copy of its own.
   */
  near?: boolean | NearOptions | undefined
  /** Time that stands still until a test moves it, from `breakwater/testing`. */
  clock?: ManualClock | undefined
  /** Draws the jitter: evenly from 0 up to, not including, 1. `Math.random` if left out. */
  random?: (() => number) | undefined
}

/** Options as the native side takes them. */
export interface OpenOptions {
  name: string | undefined
  max: number | undefined
  maxBytes: number | undefined
  policy: Policy
  weigh: Weigh
  ttl: number | undefined
  jitter: number
  shards: number | undefined
  codec: string
  codecId: number
  accepts: number
  clock: object | undefined
  near: 0 | 1
  /** How long entries stay after their end, in milliseconds. */
  grace: number
}

/** How much a near cache keeps unless told otherwise: see docs/decisions/0009-near-cache.md. */
const NEAR_MAX = 8192
const NEAR_MAX_BYTES = 16 * 1024 * 1024

/**
 * Of values that need no decoding, a `get` looks in a near cache that nobody asked for under keys up to
 * this length: V8 joins longer ones only when it needs their hash, which takes it longer than a read.
 */
const NEAR_LONGEST_KEY = 12

const known: readonly (keyof CacheOptions)[] = [
  'name',
  'max',
  'maxBytes',
  'policy',
  'weigh',
  'ttl',
  'jitter',
  'touch',
  'codec',
  'shards',
  'near',
  'clock',
  'random',
  ...loadingOptions,
  ...writingOptions,
  'warm',
]

/** Checks that options are some. */
export function checkObject(option: string, options: unknown): void {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError(option, options, 'an object')
  }
}

/**
 * Checks the options and fills in what was left out.
 *
 * @param grace - how long entries stay after their end, in milliseconds.
 */
export function check<V, K extends CacheKey>(
  options: CacheOptions<V, K>,
  grace: number,
): OpenOptions {
  checkKnown('', options, known, renamedLoading)
  const { name, policy = 'lfu', clock, random } = options
  if (name !== undefined && (typeof name !== 'string' || name === '' || name.length > 256)) {
    throw new InvalidOptionError('name', name, 'a text of 1 to 256 characters')
  }
  if (clock !== undefined && !(clock instanceof ManualClock)) {
    throw new InvalidOptionError('clock', clock, 'a ManualClock of breakwater/testing')
  }
  if (random !== undefined && typeof random !== 'function') {
    throw new InvalidOptionError('random', random, 'a function that gives numbers from 0 to 1')
  }
  const coding = codingOf(options.codec) ?? (codingNamed('any') as Coding)
  if (coding.name === 'heap' && name !== undefined) {
    throw new InvalidOptionError('name', name, "left out: a cache of codec 'heap' is not shared")
  }
  checkWriting(options)
  return {
    name,
    ...checkBounds(options),
    policy: checkOneOf('policy', policy, policies),
    weigh: checkWeigh(options),
    ttl: fixedTtl(options.ttl),
    jitter: checkJitter(options.jitter) ?? 0,
    shards: options.shards === undefined ? undefined : checkShards(options.shards),
    codec: coding.name,
    codecId: coding.id,
    accepts: coding.accepts,
    clock: clock && nativeClock(clock),
    near: options.near === false ? 0 : 1,
    grace,
  }
}

/** Checks what is to be weighed. */
function checkWeigh({ weigh, policy = 'lfu' }: Pick<StoreOptions, 'weigh' | 'policy'>): Weigh {
  if (weigh === undefined) return 'hits'
  checkOneOf('weigh', weigh, weighs)
  if (policy !== 'auto') {
    throw new OptionCombinationError('weigh', weigh, `policy '${policy}'`, "it needs policy 'auto'")
  }
  return weigh
}

/** Checks that a cache that may have to be made has a bound. */
export function needBound({ name, max, maxBytes }: OpenOptions): void {
  if (name !== undefined || max !== undefined || maxBytes !== undefined) return
  const allowed = "a whole number of entries above 0, or maxBytes a size such as '256mb'"
  const message = `a cache needs a bound: max must be ${allowed}`
  throw new InvalidOptionError('max', undefined, allowed, { message })
}

/** The life that the cache gives its entries; none if a function does. */
function fixedTtl(ttl: unknown): number | undefined {
  return ttl === undefined || typeof ttl === 'function'
    ? undefined
    : milliseconds('ttl', ttl as Duration)
}

/** Checks the bounds. */
export function checkBounds({ max, maxBytes }: Pick<StoreOptions, 'max' | 'maxBytes'>): {
  max: number | undefined
  maxBytes: number | undefined
} {
  if (max !== undefined && !(Number.isSafeInteger(max) && max > 0)) {
    throw new InvalidOptionError('max', max, 'a whole number of entries above 0')
  }
  return { max, maxBytes: maxBytes === undefined ? undefined : byteCount('maxBytes', maxBytes) }
}

const kindsOfValues: Readonly<Record<string, NearBase['values']>> = {
  any: 'mixed',
  string: 'plain',
  number: 'plain',
  heap: 'plain',
  bytes: 'bytes',
}

/**
 * What values of a codec are to a near cache.
 * @internal
 */
export function kindOfValues(codec: string): NearBase['values'] {
  return kindsOfValues[codec] ?? 'decoded'
}

/**
 * What a near cache may take, and whether it freezes.
 * @internal
 */
export interface NearLimits {
  bounds: NearBounds
  freeze: boolean
  longestKey: number
}

/**
 * What a near cache may take, and whether it freezes; `undefined` for none.
 * @internal
 */
export function checkNear(
  near: boolean | NearOptions | undefined,
  coding: Coding,
  max: number | undefined,
): NearLimits | undefined {
  if (near === false) return undefined
  const given = near === undefined || near === true ? {} : near
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionError('near', near, 'true, false or an object { max, maxBytes, freeze }')
  }
  const shape = checkShape('near', given, ['max', 'maxBytes', 'freeze'])
  const { max: copies = NEAR_MAX, maxBytes = NEAR_MAX_BYTES, freeze = false } = shape
  if (!Number.isSafeInteger(copies) || copies <= 0) {
    throw new InvalidOptionError('near.max', copies, 'a whole number of copies above 0')
  }
  if (typeof freeze !== 'boolean') {
    throw new InvalidOptionError('near.freeze', freeze, 'true or false')
  }
  if (freeze && (coding.name === 'heap' || coding.name === 'bytes')) {
    const allowed = `false: what a cache of codec '${coding.name}' gives cannot be frozen`
    throw new InvalidOptionError('near.freeze', freeze, allowed)
  }
  const bounds = {
    max: Math.min(copies, max ?? copies),
    maxBytes: byteCount('near.maxBytes', maxBytes),
  }
  const unasked = near === undefined && kindOfValues(coding.name) !== 'decoded'
  return { bounds, freeze, longestKey: unasked ? NEAR_LONGEST_KEY : Number.POSITIVE_INFINITY }
}

/**
 * Whether reads begin lives anew.
 * @internal
 */
export function checkTouch({ touch = false, near }: Pick<StoreOptions, 'touch' | 'near'>): boolean {
  checkFlag('touch', touch)
  if (touch && near !== undefined && near !== false) {
    throw new OptionCombinationError('near', near, 'touch', 'the cache is to know of every read')
  }
  return touch
}

function checkShards(shards: number): number {
  if (
    Number.isSafeInteger(shards) &&
    shards > 0 &&
    shards <= 256 &&
    Number.isInteger(Math.log2(shards))
  ) {
    return shards
  }
  throw new InvalidOptionError('shards', shards, 'a power of two from 1 to 256')
}

/**
 * Fails if an option that was given differs from what the cache, which existed already, has.
 *
 * @param asked - the options that were given, checked.
 * @internal
 */
export function checkAgreement<V, K extends CacheKey>(
  given: CacheOptions<V, K>,
  asked: OpenOptions,
  native: Native,
): void {
  const conflict = (option: keyof CacheOptions, value: unknown, has: unknown) =>
    new OptionConflictError(native.name, option, value, has)
  const [max, maxBytes] = binding.bounds(native.number)
  // Bounds may have been resized: the present ones are as good as those it began with.
  const has: Partial<Record<keyof CacheOptions & keyof OpenOptions, unknown[]>> = {
    name: [native.name],
    max: [native.max, max],
    maxBytes: [native.maxBytes, maxBytes],
    policy: [native.policy],
    weigh: [native.weigh],
    ttl: [native.ttl],
    jitter: [native.jitter],
    codec: [native.codec],
    shards: [native.shards],
  }
  for (const [option, values] of Object.entries(has) as [keyof typeof has, unknown[]][]) {
    if (given[option] === undefined || values.includes(asked[option])) continue
    throw conflict(option, asked[option] ?? given[option], values.at(-1))
  }
  if (given.clock !== undefined && !native.sameClock) {
    throw conflict('clock', given.clock, native.systemClock ? 'system' : 'another ManualClock')
  }
  // Whoever wants none has none, whatever the others have.
  if (given.near !== undefined && given.near !== false && !native.near) {
    throw conflict('near', given.near, false)
  }
}

/**
 * Fails if stale values are to be taken for longer than the cache keeps them.
 * @internal
 */
export function checkGrace(policy: LoadingPolicy, native: Native): void {
  for (const option of ['staleWhileRevalidate', 'staleIfError'] as const) {
    if (policy[option] > native.grace) {
      throw new OptionConflictError(native.name, option, policy[option], native.grace)
    }
  }
}

/**
 * How an instance codes values: as its options say, or else as the cache does.
 * @internal
 */
export function agreedCoding(given: Coding | undefined, native: Native): Coding {
  const { name, codec } = native
  const coding = given ?? codingNamed(codec)
  if (coding === undefined) {
    throw new InvalidOptionError('codec', undefined, `the codec '${codec}' of this cache`)
  }
  if (coding.name !== codec) {
    throw new OptionConflictError(name, 'codec', coding.name, codec)
  }
  return coding
}
