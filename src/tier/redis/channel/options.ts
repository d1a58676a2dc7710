// The options of the channel.
import { checkDuration, checkOneOf, checkShape } from '../../../base/checks.ts'
import { InvalidOptionError } from '../../../base/errors.ts'
import type { Duration } from '../../../base/types.ts'
import type { Pulse } from './footing.ts'

/** How changes of other processes are heard of. */
export interface InvalidationOptions {
  /**
   * `'tracking'`: the server tells which keys were written (Redis 6 and later). `'bus'`: the processes
   * tell each other. `'auto'`: by tracking, or by the bus if the server refuses to track; the default.
   */
  mode?: 'auto' | 'tracking' | 'bus' | undefined
  /** How often the connections are asked for a sign of life; `'1s'` if left out. */
  heartbeat?: Duration | undefined
  /**
   * How long they may go without one until changes count as no longer heard of; `'2s'` if left out.
   * More than `heartbeat`.
   */
  bound?: Duration | undefined
}

/** Options after the checks; `false`: nothing is heard. */
export type CheckedInvalidation = false | (Pulse & { mode: 'auto' | 'tracking' | 'bus' })

/** Checks the options. */
export function checkInvalidation(
  given: InvalidationOptions | false | undefined,
): CheckedInvalidation {
  if (given === false) return false
  const known = ['mode', 'heartbeat', 'bound'] as const
  const options = checkShape<InvalidationOptions>('invalidation', given, known)
  const modes = ['auto', 'tracking', 'bus'] as const
  const mode = checkOneOf('invalidation.mode', options.mode ?? 'auto', modes)
  const heartbeat = checkDuration('invalidation.heartbeat', options.heartbeat ?? 1000)
  const bound = checkDuration('invalidation.bound', options.bound ?? 2 * heartbeat)
  if (bound > heartbeat) return { mode, heartbeat, bound }
  throw new InvalidOptionError('invalidation.bound', bound, `more than heartbeat, ${heartbeat} ms`)
}
