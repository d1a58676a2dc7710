// The options of a tier over Redis.
import { checkDuration, checkOneOf, checkShape } from '../../base/checks.ts'
import { InvalidOptionError } from '../../base/errors.ts'
import type { Duration, Size } from '../../base/types.ts'
import { byteCount, milliseconds } from '../../base/units.ts'
import { type BreakerOptions, checkBreaker } from '../../guard/breaker.ts'
import { type CompressionName, DEFAULT_COMPRESSION, hasCompression } from '../compression.ts'
import { isWhole, type Packing } from '../envelope.ts'
import {
  type CheckedInvalidation,
  checkInvalidation,
  type InvalidationOptions,
} from './channel/options.ts'

/** How a cache uses Redis as its second tier. */
export interface RedisTierOptions {
  /**
   * What all keys in Redis begin with, such as `'app:'`; nothing if left out. At most 256 characters,
   * without `{}`. Processes that share values need the same.
   */
  prefix?: string | undefined
  /** The longest that a value is fresh in Redis, whatever the cache says; `'1d'` if left out. */
  ttl?: Duration | undefined
  /**
   * How long a value stays in Redis when it is no longer fresh, for who takes stale values; as long
   * as `staleIfError` of the cache is of use. 0 if left out.
   */
  grace?: Duration | undefined
  /** How long an answer of Redis is waited for; `'500ms'` if left out. */
  timeout?: Duration | undefined
  /** When Redis is left alone for a while because it fails. */
  breaker?: BreakerOptions | undefined
  /**
   * How values of {@link RedisTierOptions.compressAbove} and more are compressed; `false`: not at all.
   * All processes must be able to read it: `'zstd'` takes Node.js 22.15 or later, and is what is used
   * there if this is left out; older ones use `'brotli'`.
   */
  compression?: CompressionName | false | undefined
  /** From what size on values are compressed; `'1kb'` if left out. Large ones are by other threads. */
  compressAbove?: Size | undefined
  /**
   * The largest value that is written or read, in bytes before compression; `'64mb'` if left out. What
   * is larger removes the older value.
   */
  maxValueSize?: Size | undefined
  /**
   * How long Redis remembers that a key was deleted, so that a load which began before does not store
   * its value; what took longer to load is not stored there. `'1m'` if left out.
   */
  rememberDeletions?: Duration | undefined
  /** How changes of other processes are heard of; `false`: not at all. */
  invalidation?: InvalidationOptions | false | undefined
}

/** Options after the checks. */
export interface CheckedRedisTier {
  readonly prefix: string
  readonly ttl: number
  readonly grace: number
  readonly timeout: number
  readonly breaker: BreakerOptions | undefined
  readonly packing: Packing
  readonly maxValueSize: number
  readonly rememberDeletions: number
  readonly invalidation: CheckedInvalidation
}

const known: readonly (keyof RedisTierOptions)[] = [
  'prefix',
  'ttl',
  'grace',
  'timeout',
  'breaker',
  'compression',
  'compressAbove',
  'maxValueSize',
  'rememberDeletions',
  'invalidation',
]

/** The most bytes that the head of a value can say. */
const LARGEST = 2 ** 32 - 1

/** Checks the options and fills in what was left out. */
export function checkRedisTier(given: RedisTierOptions | undefined): CheckedRedisTier {
  const options = checkShape<RedisTierOptions>('options', given, known)
  const { ttl = '1d', grace = 0, timeout = '500ms', rememberDeletions = '1m' } = options
  checkBreaker(options.breaker)
  return {
    prefix: checkPrefix(options.prefix),
    ttl: milliseconds('ttl', ttl),
    grace: grace === 0 ? 0 : checkDuration('grace', grace),
    timeout: checkDuration('timeout', timeout),
    breaker: options.breaker,
    packing: {
      compression: checkCompression(options.compression),
      above: byteCount('compressAbove', options.compressAbove ?? '1kb'),
    },
    maxValueSize: Math.min(byteCount('maxValueSize', options.maxValueSize ?? '64mb'), LARGEST),
    rememberDeletions: checkDuration('rememberDeletions', rememberDeletions),
    invalidation: checkInvalidation(options.invalidation),
  }
}

/** Braces around nothing would keep a cluster from having what belongs together in one place. */
function checkPrefix(given: unknown = ''): string {
  if (typeof given === 'string' && given.length <= 256 && isWhole(given) && !given.includes('{}')) {
    return given
  }
  throw new InvalidOptionError('prefix', given, 'a text of at most 256 characters without {}')
}

function checkCompression(given: CompressionName | false | undefined): CompressionName | undefined {
  if (given === undefined) return DEFAULT_COMPRESSION
  if (given === false) return undefined
  const name = checkOneOf('compression', given, ['zstd', 'brotli', 'deflate'])
  if (hasCompression(name)) return name
  throw new InvalidOptionError('compression', name, 'one that this Node.js has: brotli or deflate')
}
