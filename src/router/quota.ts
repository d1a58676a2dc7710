// How much a user may use, by all its connections together: the shape of the option, and its checks.
import { checkKnown } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { Size } from '../base/types.ts'
import { byteCount } from '../base/units.ts'
import type { NativeQuota } from '../native/router.ts'

/**
 * How much somebody may use, by all connections to this process together. What goes beyond is refused
 * with an error that begins with `LIMIT`, and nothing is done.
 */
export interface LimitOptions {
  /** Requests a second. As many at once as a second brings. Default: any number. */
  requestsPerSecond?: number | undefined
  /**
   * Bytes a second, sent and received, as `'10mb'`. One that is begun is done; while more was used than
   * has come, requests are refused. Default: any number.
   */
  bytesPerSecond?: Size | undefined
  /** Connections at once. Default: any number. */
  connections?: number | undefined
  /** Requests at once that have no reply yet. Default: any number. */
  inFlight?: number | undefined
  /**
   * Bytes that wait, of its connections and for them, as `'64mb'`: what was sent and is not done, and
   * replies that are not taken. Beyond, its connection with most of it is closed. Default: any number.
   */
  bufferedBytes?: Size | undefined
}

const KNOWN: readonly string[] = [
  'requestsPerSecond',
  'bytesPerSecond',
  'connections',
  'inFlight',
  'bufferedBytes',
] satisfies (keyof LimitOptions)[]

const MOST = 10_000_000
/** Beyond that, a byte takes less than the tenth of a nanosecond. */
const MOST_BYTES = 10_000_000_000

/** Checks them; `path` is that of the option. Throws {@link InvalidOptionError}. */
export function checkLimits(
  path: string,
  limits: LimitOptions | undefined,
): NativeQuota | undefined {
  if (limits === undefined) return undefined
  if (typeof limits !== 'object' || limits === null || Array.isArray(limits)) {
    throw new InvalidOptionError(path, typeof limits, 'an object, as { requestsPerSecond: 100 }')
  }
  checkKnown(`${path}.`, limits, KNOWN)
  const most = (name: 'requestsPerSecond' | 'connections' | 'inFlight') => {
    const value = limits[name]
    if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= MOST))
      return value
    throw new InvalidOptionError(`${path}.${name}`, value, `a whole number from 1 to ${MOST}`)
  }
  return {
    requestsPerSecond: most('requestsPerSecond'),
    bytesPerSecond: bytesOf(`${path}.bytesPerSecond`, limits.bytesPerSecond),
    connections: most('connections'),
    inFlight: most('inFlight'),
    bufferedBytes: bytesOf(`${path}.bufferedBytes`, limits.bufferedBytes),
  }
}

function bytesOf(option: string, given: Size | undefined): number | undefined {
  if (given === undefined) return undefined
  const bytes = byteCount(option, given)
  if (bytes >= 1 && bytes <= MOST_BYTES) return bytes
  throw new InvalidOptionError(option, given, "from 1 byte to 10,000,000,000, as '10mb'")
}
