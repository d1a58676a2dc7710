// Arguments of a call as a key: different arguments give different keys.
import { article } from '../base/describe.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { shortKey } from './short-key.ts'

/** What begins a key that is not just the one argument. */
const MARK = '\0'

/**
 * The key of primitive arguments. A single text or number is its own key, so that keys can be read.
 * Others are marked and written one after the other, each so that its end can be seen.
 *
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: an argument is no primitive.
 */
export function keyOfArguments(args: readonly unknown[]): string | number {
  const [first] = args
  if (args.length === 1) {
    // A cache cannot tell -0 from 0.
    if (typeof first === 'number' && !Object.is(first, -0)) return first
    if (typeof first === 'string' && !first.startsWith(MARK)) return shortKey(first)
  }
  let key = MARK
  for (let i = 0; i < args.length; i++) key += written(args[i], i)
  return shortKey(key)
}

function written(value: unknown, index: number): string {
  switch (typeof value) {
    case 'string':
      return `s${value.length}:${value}`
    case 'number':
      return `n${Object.is(value, -0) ? '-0' : value};`
    case 'bigint':
      return `i${value};`
    case 'boolean':
      return value ? 't' : 'f'
    case 'undefined':
      return 'u'
    default:
      if (value === null) return 'l'
      throw new InvalidOptionError(
        'key',
        undefined,
        `a function of the arguments that gives a text or a number, since argument ${index + 1} is ${article(typeof value)}`,
      )
  }
}
