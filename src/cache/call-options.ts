// The options of single calls: one that does not exist is refused, with the one that was meant.
import { checkKnown } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { CacheKey, SetOptions } from '../base/types.ts'
import type { FetchOptions } from '../loading/options.ts'
import type { InvalidateOptions } from '../writing/writing.ts'
import type { IncrementOptions } from './conditional.ts'

/** All names of some options: the compiler asks for each. */
type Names<O> = Readonly<Record<keyof O, true>>

const set: Names<SetOptions> = { ttl: true, jitter: true, tags: true, version: true }

const fetchMany: Names<Omit<FetchOptions<CacheKey>, 'loader'>> = {
  ...set,
  signal: true,
  softTimeout: true,
  timeout: true,
  staleWhileRevalidate: true,
  staleIfError: true,
  fresh: true,
}

/** Checks the options of a `set` and its kind. */
export const checkSetOptions = checkerOf<SetOptions>(set)
/** Checks the options of a `fetch` and its kind. */
export const checkFetchOptions = checkerOf<FetchOptions<never, never>>({
  ...fetchMany,
  loader: true,
})
/** Checks the options of `fetchMany`. */
export const checkFetchManyOptions = checkerOf(fetchMany)
/** Checks the options of `increment`. */
export const checkIncrementOptions = checkerOf<IncrementOptions>({ ...set, initial: true })
/** Checks the options of `invalidate`. */
export const checkInvalidateOptions = checkerOf<InvalidateOptions>({ again: true })
/** Checks the options of `invalidateTag`. */
export const checkInvalidateTagOptions = checkerOf<{ stale?: boolean | undefined }>({ stale: true })

/** Refuses what holds no options, a number of milliseconds say. */
export function checkIsOptions(given: unknown, names: readonly string[] = Object.keys(set)): void {
  // `null` is nothing, from JavaScript.
  if (given === undefined || typeof given === 'object') return
  throw new InvalidOptionError('options', given, `an object { ${names.join(', ')} }`)
}

/** Looks at the names alone: this is done in each call that has options. */
function checkerOf<O extends object>(names: Names<O>): (given: object | null | undefined) => void {
  const list = Object.keys(names)
  const known = new Set(list)
  return given => {
    if (given === undefined || given === null) return
    checkIsOptions(given, list)
    for (const name in given) {
      if (!known.has(name)) checkKnown('', given, list)
    }
  }
}
