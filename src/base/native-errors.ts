// The errors that the native side throws: it gives a code and details.
import { article, Verbatim } from './describe.ts'
import {
  type BreakwaterError,
  CacheClosedError,
  CacheFullError,
  CodecMismatchError,
  EntryTooLargeError,
  InternalError,
  InvalidHandleError,
  InvalidKeyError,
  InvalidOptionError,
  InvalidValueError,
  KeyTooLongError,
  NoSuchCacheError,
  SnapshotDamagedError,
  SnapshotIoError,
  SnapshotNoRoomError,
  TraceError,
} from './errors.ts'

/** How each code of the native side becomes an error. */
const makers: Record<string, (a: never, b: never, c: never) => BreakwaterError> = {
  ERR_INVALID_KEY: (got: string) => new InvalidKeyError(article(got)),
  ERR_KEY_TOO_LONG: (length: number) => new KeyTooLongError(length),
  ERR_INVALID_VALUE: (codec: string, got: string) => new InvalidValueError(codec, article(got)),
  ERR_CODEC_MISMATCH: () => new CodecMismatchError(),
  ERR_ENTRY_TOO_LARGE: (size: number, max: number) => new EntryTooLargeError(size, max),
  ERR_CACHE_FULL: () => new CacheFullError(),
  ERR_CACHE_CLOSED: () => new CacheClosedError(),
  ERR_INVALID_HANDLE: () => new InvalidHandleError(),
  ERR_NO_SUCH_CACHE: (name: string) => new NoSuchCacheError(name),
  ERR_INVALID_OPTION: (option: string, value: string, allowed: string) =>
    new InvalidOptionError(camel(option), new Verbatim(value), allowed),
  ERR_SNAPSHOT_DAMAGED: (what: string) => new SnapshotDamagedError(what),
  ERR_SNAPSHOT_IO: (what: string) => new SnapshotIoError(what),
  ERR_SNAPSHOT_NO_ROOM: (loaded: number, why: string) => new SnapshotNoRoomError(loaded, why),
  ERR_TRACE: (what: string) => new TraceError(what),
  ERR_INTERNAL: (what: string) => new InternalError(what),
}

/** Makes the error that the native side throws. */
export function makeError(code: string, ...details: never[]): BreakwaterError {
  const make = makers[code]
  if (!make) return new InternalError(code)
  const [a, b, c] = details
  const error = make(a as never, b as never, c as never)
  // The stack begins where the user called.
  Error.captureStackTrace?.(error, makeError)
  return error
}

/** The engine's options by their names here. */
function camel(option: string): string {
  const names: Record<string, string> = { max_entries: 'max', max_bytes: 'maxBytes' }
  return names[option] ?? option
}
