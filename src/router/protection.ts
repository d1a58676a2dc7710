// What protects a store from the clients of a node, and the node from both: bounds, and their checks.
import { checkKnown } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { Duration, Size } from '../base/types.ts'
import { byteCount, milliseconds } from '../base/units.ts'

/**
 * How many reads a store is asked at once that memory does not answer. All threads have the same share
 * of each number, at least 1.
 */
export interface MissOptions {
  /** The most that each server of a store is asked at once, 1 to 1,000,000. Default: 1,000. */
  max?: number | undefined
  /** The most that wait until it may be asked, 1 to 1,000,000. Default: 10,000. */
  queue?: number | undefined
  /**
   * How long one waits for that; never longer than {@link RouterOptions.storeTimeout}. An hour at the
   * most. Default: `'1s'`.
   */
  wait?: Duration | undefined
}

/**
 * How connections are let in, by the native driver. Those beyond wait where the system keeps them that
 * have not been accepted. All threads have the same share of each number, at least 1.
 */
export interface ConnectionOptions {
  /** The most that are let in a second, 1 to 1,000,000. Default: any number. */
  perSecond?: number | undefined
  /** The most that agree on keys of TLS at once, 1 to 1,000,000. Default: 1,000. */
  handshakes?: number | undefined
}

/** The same, checked; 0 for any number. */
export interface CheckedConnections {
  acceptRate: number
  maxHandshakes: number
}

/** The same, checked and in milliseconds. */
export interface CheckedMisses {
  maxMisses: number
  queuedMisses: number
  missWait: number
}

const MISSES: readonly string[] = ['max', 'queue', 'wait'] satisfies (keyof MissOptions)[]
const CONNECTIONS: readonly string[] = [
  'perSecond',
  'handshakes',
] satisfies (keyof ConnectionOptions)[]
const HOUR = 3_600_000
const DAY = 24 * HOUR
/** The longest argument of a command: no less than a password or a key needs, no more than Redis takes. */
const VALUE = { least: 1024, most: 512 * 1024 * 1024 }
const MOST = 1_000_000

/** Checks the options and fills in what was left out. Throws {@link InvalidOptionError}. */
export function checkMisses(given: MissOptions = {}): CheckedMisses {
  checkGroup('misses', given, MISSES, "{ max: 1000, wait: '1s' }")
  const { max = 1_000, queue = 10_000, wait = '1s' } = given
  return {
    maxMisses: count('misses.max', max),
    queuedMisses: count('misses.queue', queue),
    missWait: duration('misses.wait', wait),
  }
}

/** Checks the options and fills in what was left out. Throws {@link InvalidOptionError}. */
export function checkConnections(given: ConnectionOptions = {}): CheckedConnections {
  checkGroup('connections', given, CONNECTIONS, '{ perSecond: 500 }')
  const { perSecond, handshakes = 1_000 } = given
  return {
    acceptRate: perSecond === undefined ? 0 : count('connections.perSecond', perSecond),
    maxHandshakes: count('connections.handshakes', handshakes),
  }
}

/** The longest argument, in bytes. Throws {@link InvalidOptionError}. */
export function checkValueBytes(given: Size = '512mb'): number {
  const bytes = byteCount('maxValueBytes', given)
  if (bytes !== undefined && bytes >= VALUE.least && bytes <= VALUE.most) return bytes
  throw new InvalidOptionError('maxValueBytes', given, "a size from '1kb' to '512mb'")
}

/** For how long a client may take nothing, in whole milliseconds. Throws {@link InvalidOptionError}. */
export function checkSlowReader(given: Duration = '5m'): number {
  const time = Math.ceil(milliseconds('slowReaderTimeout', given))
  if (time >= 1 && time <= DAY) return time
  throw new InvalidOptionError('slowReaderTimeout', given, 'a duration from a millisecond to a day')
}

/** Refuses what is no object of known options. */
export function checkGroup(
  option: string,
  given: unknown,
  known: readonly string[],
  example: string,
) {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidOptionError(option, given, `an object, as ${example}`)
  }
  checkKnown(`${option}.`, given, known)
}

/** A whole number, at least 1. */
export function count(option: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= MOST) return value
  throw new InvalidOptionError(option, value, `a whole number from 1 to ${MOST}`)
}

/** In whole milliseconds. */
export function duration(option: string, value: Duration): number {
  const time = Math.ceil(milliseconds(option, value))
  if (time <= HOUR) return time
  throw new InvalidOptionError(option, value, 'a duration of an hour at the most')
}
