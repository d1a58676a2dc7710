// Jitter: what was stored together does not end together.
import { InvalidOptionError } from './errors.ts'

/** Checks a jitter, if there is one. */
export function checkJitter<T extends number | undefined>(jitter: T): T {
  if (jitter === undefined || (typeof jitter === 'number' && jitter >= 0 && jitter < 1)) {
    return jitter
  }
  throw new InvalidOptionError('jitter', jitter, 'a number from 0 up to, not including, 1')
}

/**
 * How long an entry lives: its ttl x (1 ± `jitter`), drawn evenly, in whole milliseconds and never
 * none.
 *
 * @param random - draws from 0 up to, not including, 1.
 */
export function drawLife(ttl: number, jitter: number, random: () => number): number {
  return Math.max(1, Math.round(ttl * (1 + jitter * (2 * random() - 1))))
}
