// How long to wait before trying again: twice as long each time, with some chance in it.
import { checkDuration, checkShape } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { Duration } from '../base/types.ts'

/** How the waits between tries grow. */
export interface BackOffOptions {
  /** The first wait, which doubles from then on; `'100ms'` if left out. */
  initial?: Duration | undefined
  /** The longest wait; `'10s'` if left out. */
  max?: Duration | undefined
  /**
   * Of each wait up to this share is left out by chance, so that those who failed together do not
   * come back together: from 0 to 1; 0.5 if left out.
   */
  jitter?: number | undefined
}

/** Waits, checked. */
export interface BackOff {
  readonly initial: number
  readonly max: number
  readonly jitter: number
}

/** Checks how waits grow and fills in what was left out. */
export function checkBackOff(given: BackOffOptions | undefined, option = 'backOff'): BackOff {
  const shape = checkShape(option, given, ['initial', 'max', 'jitter'])
  const { initial = '100ms', max = '10s', jitter = 0.5 } = shape
  if (!(typeof jitter === 'number' && jitter >= 0 && jitter <= 1)) {
    throw new InvalidOptionError(`${option}.jitter`, jitter, 'a number from 0 to 1')
  }
  return {
    initial: checkDuration(`${option}.initial`, initial),
    max: checkDuration(`${option}.max`, max),
    jitter,
  }
}

/**
 * The wait after so many failures.
 *
 * @param failures - from 1 on.
 * @param random - draws from 0 up to, not including, 1.
 */
export function waitAfter(failures: number, backOff: BackOff, random: () => number): number {
  const { initial, max, jitter } = backOff
  return Math.min(max, initial * 2 ** (failures - 1)) * (1 - jitter * random())
}
