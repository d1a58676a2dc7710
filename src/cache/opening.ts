// Opening a cache: by its name, its handle or anew, and what its instance then has.
import { codingOf } from '../codec/codecs.ts'
import { Values } from '../codec/values.ts'
import { checkLoading, graceOf, type LoadingPolicy } from '../loading/options.ts'
import { binding, type Native } from '../native/native.ts'
import { Near } from '../near/near.ts'
import {
  agreedCoding,
  type CacheOptions,
  check,
  checkAgreement,
  checkGrace,
  checkNear,
  checkTouch,
  kindOfValues,
  type NearLimits,
  needBound,
  type OpenOptions,
} from './options.ts'

/** Why a cache has no handle. */
export const HEAP_HAS_NO_HANDLE = "a cache of codec 'heap' belongs to one isolate: it has no handle"

/** Opens a cache. */
export type Open = (options: OpenOptions) => Native

/** The cache of this name, or else a new one. */
export function make(options: OpenOptions): Native {
  needBound(options)
  return binding.open(options)
}

/** A cache that is open, as one instance uses it. */
export interface OpenedCache<V> {
  readonly native: Native
  readonly policy: LoadingPolicy
  readonly values: Values<V>
  readonly near: Near<V> | undefined
  /** Whether each read that hits begins an entry's life anew. */
  readonly touches: boolean
}

/** Opens the cache of these options, and checks that it is as they say. */
export function openCache<V>(options: CacheOptions<V, never>, open: Open): OpenedCache<V> {
  const policy = checkLoading(options)
  const asked = check(options, graceOf(policy))
  const native = open(asked)
  try {
    if (!native.created) checkAgreement(options, asked, native)
    checkGrace(policy, native)
    const coding = agreedCoding(codingOf(options.codec), native)
    const touches = checkTouch(options)
    // A copy would answer where the cache is to know of the read.
    const limits = touches ? undefined : checkNear(options.near, coding, native.max)
    const values = new Values<V>(coding, limits?.freeze ?? false)
    return { native, policy, values, touches, near: limits && openNear(native, limits) }
  } catch (error) {
    binding.close(native.number)
    throw error
  }
}

function openNear<V>(native: Native, { bounds, longestKey }: NearLimits): Near<V> | undefined {
  const { number, policy, codec, systemClock } = native
  return Near.open<V>({
    ...bounds,
    at: number,
    exact: policy === 'lru',
    systemClock,
    values: kindOfValues(codec),
    longestKey,
  })
}
