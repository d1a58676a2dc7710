// For how long after their end values are given, by the cache's options and those of a call.
import { InvalidOptionError } from '../base/errors.ts'
import type { CacheKey, Duration } from '../base/types.ts'
import { milliseconds } from '../base/units.ts'
import type { FetchOptions, LoadingPolicy } from './options.ts'

/** Milliseconds after its end. */
export interface Grace {
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
}

/** The grace of a call that was checked. */
export function graceOfCall<K extends CacheKey, V>(
  policy: LoadingPolicy,
  options: FetchOptions<K, V> | undefined,
): Grace {
  if (options === undefined) return policy
  const { staleWhileRevalidate, staleIfError } = options
  if (staleWhileRevalidate === undefined && staleIfError === undefined) return policy
  return {
    staleWhileRevalidate:
      spanOf('staleWhileRevalidate', staleWhileRevalidate) ?? policy.staleWhileRevalidate,
    staleIfError: spanOf('staleIfError', staleIfError) ?? policy.staleIfError,
  }
}

/**
 * Checks the grace that a call asks for.
 *
 * @param kept - milliseconds that the cache keeps values after their end.
 */
export function checkGraceOfCall<K extends CacheKey, V>(
  options: FetchOptions<K, V>,
  kept: number,
): void {
  check('staleWhileRevalidate', options.staleWhileRevalidate, kept)
  check('staleIfError', options.staleIfError, kept)
}

function check(option: string, given: Duration | undefined, kept: number): void {
  if ((spanOf(option, given) ?? 0) <= kept) return
  const allowed = `at most ${kept} ms, the longest grace that the cache was made with`
  throw new InvalidOptionError(option, given, allowed)
}

/** In milliseconds; 0 is none. */
function spanOf(option: string, given: Duration | undefined): number | undefined {
  return given === undefined || given === 0 ? given : milliseconds(option, given)
}
