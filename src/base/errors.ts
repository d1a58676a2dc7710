// The errors of this package, each with a code that does not change between versions.

import { describe } from './describe.ts'
import { BreakwaterError } from './error.ts'
import { reasonOf } from './thrown.ts'

export { adopt, BreakwaterError, isBreakwaterError } from './error.ts'
export * from './pool-errors.ts'

/** `ERR_INVALID_OPTION`: an option or argument that cannot be. */
export class InvalidOptionError extends BreakwaterError {
  static override readonly code = 'ERR_INVALID_OPTION'

  /** The option's name. */
  readonly option: string
  /** What was given, as text. */
  readonly value: string
  /** What would have been allowed. */
  readonly allowed: string

  /** @param options - `message`: says it in other words. */
  constructor(
    option: string,
    value: unknown,
    allowed: string,
    options?: ErrorOptions & { message?: string | undefined },
  ) {
    const text = describe(value)
    const { message = `${option} must be ${allowed}, not ${text}` } = options ?? {}
    super('ERR_INVALID_OPTION', message, options)
    this.option = option
    this.value = text
    this.allowed = allowed
  }
}

/** `ERR_OPTION_CONFLICT`: a named cache exists already, and differs in an option. */
export class OptionConflictError extends BreakwaterError {
  static override readonly code = 'ERR_OPTION_CONFLICT'

  /** The option's name. */
  readonly option: string
  /** What was given, as text. */
  readonly value: string
  /** What the cache has, as text. */
  readonly has: string

  constructor(name: string | undefined, option: string, value: unknown, has: unknown) {
    const [given, existing] = [describe(value), describe(has)]
    const cache = name === undefined ? 'this cache' : `the cache '${name}'`
    super(
      'ERR_OPTION_CONFLICT',
      `${cache} has ${option} ${existing}, which conflicts with ${given}: give the same or leave it out`,
    )
    this.option = option
    this.value = given
    this.has = existing
  }
}

/** `ERR_NO_SUCH_CACHE`: a cache was opened by its name, and no cache of this process has it. */
export class NoSuchCacheError extends BreakwaterError {
  static override readonly code = 'ERR_NO_SUCH_CACHE'

  /** The name. */
  readonly cache: string

  constructor(name: string) {
    super(
      'ERR_NO_SUCH_CACHE',
      `no cache of this process is named '${name}': the first to open it gives a bound, max or maxBytes`,
    )
    this.cache = name
  }
}

/** `ERR_OPTION_COMBINATION`: an option, or a method, that does not go with another option. */
export class OptionCombinationError extends BreakwaterError {
  static override readonly code = 'ERR_OPTION_COMBINATION'

  /** The option's name. */
  readonly option: string
  /** What was given, as text. */
  readonly value: string
  /** What would have been allowed. */
  readonly allowed: string

  constructor(option: string, value: unknown, other: string, allowed: string) {
    const text = describe(value)
    super(
      'ERR_OPTION_COMBINATION',
      `${option} (${text}) cannot be combined with ${other}: ${allowed}`,
    )
    this.option = option
    this.value = text
    this.allowed = allowed
  }
}

/** `ERR_INVALID_KEY`: a key that is neither string, number, Buffer nor Uint8Array. */
export class InvalidKeyError extends BreakwaterError {
  static override readonly code = 'ERR_INVALID_KEY'

  constructor(got: string, allowed = 'a string, a number, a Buffer or a Uint8Array') {
    super('ERR_INVALID_KEY', `a key must be ${allowed}, not ${got}`)
  }
}

/** `ERR_KEY_TOO_LONG`: a key of more than 65,535 bytes. */
export class KeyTooLongError extends BreakwaterError {
  static override readonly code = 'ERR_KEY_TOO_LONG'

  /** The key's length: bytes, or characters if even those are too many. */
  readonly length: number

  constructor(length: number) {
    super('ERR_KEY_TOO_LONG', `a key must have at most 65535 bytes, not ${length}`)
    this.length = length
  }
}

/** `ERR_INVALID_VALUE`: a value that the cache's codec does not take. */
export class InvalidValueError extends BreakwaterError {
  static override readonly code = 'ERR_INVALID_VALUE'

  /** The codec's name. */
  readonly codec: string

  constructor(codec: string, got: string, options?: ErrorOptions) {
    super('ERR_INVALID_VALUE', `the codec '${codec}' cannot store ${got}`, options)
    this.codec = codec
  }
}

/** `ERR_DECODE`: a stored value that the cache's codec could not read; `cause` says why. */
export class DecodeError extends BreakwaterError {
  static override readonly code = 'ERR_DECODE'

  /** The codec's name. */
  readonly codec: string

  constructor(codec: string, options?: ErrorOptions) {
    super('ERR_DECODE', `the codec '${codec}' could not read a stored value`, options)
    this.codec = codec
  }
}

/** `ERR_CODEC_MISMATCH`: a stored value was written by another codec, or the codec has no bytes. */
export class CodecMismatchError extends BreakwaterError {
  static override readonly code = 'ERR_CODEC_MISMATCH'

  constructor() {
    super(
      'ERR_CODEC_MISMATCH',
      'the stored value was written by another codec than this cache reads with',
    )
  }
}

/** `ERR_ENTRY_TOO_LARGE`: an entry that is larger than the whole cache may be. */
export class EntryTooLargeError extends BreakwaterError {
  static override readonly code = 'ERR_ENTRY_TOO_LARGE'

  /** What the entry would be charged, in bytes. */
  readonly size: number
  /** What the cache may hold, in bytes. */
  readonly max: number

  constructor(size: number, max: number) {
    super(
      'ERR_ENTRY_TOO_LARGE',
      `an entry of ${size} bytes does not fit a cache of at most ${max} bytes`,
    )
    this.size = size
    this.max = max
  }
}

/** `ERR_CACHE_FULL`: the bounds are reached and the policy is `none`. */
export class CacheFullError extends BreakwaterError {
  static override readonly code = 'ERR_CACHE_FULL'

  constructor() {
    super(
      'ERR_CACHE_FULL',
      "the cache is full and its policy 'none' evicts nothing: delete entries or raise its bounds",
    )
  }
}

/** `ERR_CACHE_CLOSED`: a method of a cache after `close()`. */
export class CacheClosedError extends BreakwaterError {
  static override readonly code = 'ERR_CACHE_CLOSED'

  constructor() {
    super('ERR_CACHE_CLOSED', 'the cache is closed')
  }
}

/** `ERR_INVALID_HANDLE`: no cache of this process that is still open has this handle. */
export class InvalidHandleError extends BreakwaterError {
  static override readonly code = 'ERR_INVALID_HANDLE'

  constructor(message = 'no open cache of this process has this handle') {
    super('ERR_INVALID_HANDLE', message)
  }
}

/** `ERR_SNAPSHOT_DAMAGED`: a file that is no intact snapshot. The cache keeps what it had. */
export class SnapshotDamagedError extends BreakwaterError {
  static override readonly code = 'ERR_SNAPSHOT_DAMAGED'

  constructor(what: string) {
    super('ERR_SNAPSHOT_DAMAGED', `the file is not an intact snapshot: ${what}`)
  }
}

/** `ERR_TRACE`: requests that cannot be read or recorded. */
export class TraceError extends BreakwaterError {
  static override readonly code = 'ERR_TRACE'

  constructor(what: string) {
    super('ERR_TRACE', what)
  }
}

/** `ERR_SNAPSHOT_IO`: a snapshot could not be read or written. */
export class SnapshotIoError extends BreakwaterError {
  static override readonly code = 'ERR_SNAPSHOT_IO'

  constructor(what: string) {
    super('ERR_SNAPSHOT_IO', `the snapshot could not be read or written: ${what}`)
  }
}

/** `ERR_SNAPSHOT_NO_ROOM`: an intact snapshot does not fit; what came before was loaded. */
export class SnapshotNoRoomError extends BreakwaterError {
  static override readonly code = 'ERR_SNAPSHOT_NO_ROOM'

  /** How many entries were loaded. */
  readonly loaded: number

  constructor(loaded: number, why: string) {
    super('ERR_SNAPSHOT_NO_ROOM', `after ${loaded} entries of the snapshot: ${why}`)
    this.loaded = loaded
  }
}

/** `ERR_NO_LOADER`: a `fetch` of a key without a value, by a cache that was given no loader and has no second tier. */
export class NoLoaderError extends BreakwaterError {
  static override readonly code = 'ERR_NO_LOADER'

  constructor() {
    super(
      'ERR_NO_LOADER',
      'there is no value and nothing to load it by: give the cache or the call a loader',
    )
  }
}

/** `ERR_BREAKER_OPEN`: what is behind a breaker failed too often of late and was not called. */
export class BreakerOpenError extends BreakwaterError {
  static override readonly code = 'ERR_BREAKER_OPEN'

  /** How many milliseconds are left until it is tried again; 0 while a try is under way. */
  readonly retryAfter: number

  constructor(retryAfter: number) {
    const when = retryAfter > 0 ? `in ${Math.ceil(retryAfter)} ms` : 'by a call under way'
    super('ERR_BREAKER_OPEN', `the breaker is open after failures: it is tried again ${when}`)
    this.retryAfter = retryAfter
  }
}

/** `ERR_ORIGIN_BUSY`: as many loads as may wait for the origin wait already. */
export class OriginBusyError extends BreakwaterError {
  static override readonly code = 'ERR_ORIGIN_BUSY'

  /** How many waited. */
  readonly waiting: number

  constructor(waiting: number) {
    super('ERR_ORIGIN_BUSY', `the origin is busy and ${waiting} loads wait for it already`)
    this.waiting = waiting
  }
}

/** `ERR_BATCH_RESULT`: a batch loader gave something else than a value for each of its keys. */
export class BatchResultError extends BreakwaterError {
  static override readonly code = 'ERR_BATCH_RESULT'

  constructor(keys: number, got: string) {
    super(
      'ERR_BATCH_RESULT',
      `a batch loader must give a Map, or an array with a place for each of its ${keys} keys, not ${got}`,
    )
  }
}

/** `ERR_LOAD_TIMEOUT`: a load took longer than a caller's `timeout`. It goes on for the cache. */
export class LoadTimeoutError extends BreakwaterError {
  static override readonly code = 'ERR_LOAD_TIMEOUT'

  /** How long the caller waited, in milliseconds. */
  readonly timeout: number

  constructor(timeout: number) {
    super('ERR_LOAD_TIMEOUT', `the value was not loaded within ${timeout} ms`)
    this.timeout = timeout
  }
}

/** `ERR_WRITE_FAILED`: a write did not reach the origin, as far as is known; `cause` says why. */
export class WriteFailedError extends BreakwaterError {
  static override readonly code = 'ERR_WRITE_FAILED'

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_WRITE_FAILED', message, options)
  }
}

/** `ERR_WRITE_QUEUE_FULL`: as many writes as may wait for the origin wait already. */
export class WriteQueueFullError extends BreakwaterError {
  static override readonly code = 'ERR_WRITE_QUEUE_FULL'

  /** How many wait. */
  readonly pending: number

  constructor(pending: number) {
    super('ERR_WRITE_QUEUE_FULL', `${pending} writes wait for the origin already`)
    this.pending = pending
  }
}

/** `ERR_TIER`: the second tier did not do what it was asked; `cause` says why, if that is known. */
export class TierError extends BreakwaterError {
  static override readonly code = 'ERR_TIER'

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_TIER', message, options)
  }
}

/** `ERR_HOOK`: a hook of a router has failed; `cause` is what it threw. */
export class HookError extends BreakwaterError {
  static override readonly code = 'ERR_HOOK'

  /** Which hook. */
  readonly hook: string

  /** @internal */
  constructor(hook: string, cause: unknown, before: number) {
    const why = reasonOf(cause)
    const also = before > 0 ? ` (and ${before} times since the last warning)` : ''
    super('ERR_HOOK', `${hook} failed: ${why}${also}`, { cause })
    this.hook = hook
  }
}

/** `ERR_HOOK_MODULE`: the module of a router's hooks cannot be loaded; `cause` says why. */
export class HookModuleError extends BreakwaterError {
  static override readonly code = 'ERR_HOOK_MODULE'

  /** The module. */
  readonly path: string
  /** Why, in words. */
  readonly why: string

  /** @internal */
  constructor(path: string, cause: unknown) {
    const why = reasonOf(cause)
    super('ERR_HOOK_MODULE', `the hooks in ${path} cannot be loaded: ${why}`, { cause })
    this.path = path
    this.why = why
  }
}

/** `ERR_INTERNAL`: a bug of this package. Please report it. */
export class InternalError extends BreakwaterError {
  static override readonly code = 'ERR_INTERNAL'

  constructor(what: string) {
    super('ERR_INTERNAL', `this is a bug in breakwater, please report it: ${what}`)
  }
}

/** `ERR_NATIVE_DRIVER`: the event loop cannot be reached natively: see `RouterOptions.driver`. */
export class NativeDriverError extends BreakwaterError {
  static override readonly code = 'ERR_NATIVE_DRIVER'

  /** @internal */
  constructor() {
    super(
      'ERR_NATIVE_DRIVER',
      "the native driver of a router needs Node.js on Linux or macOS, whose event loop it lives in: say driver 'net' or 'auto'",
    )
  }
}
