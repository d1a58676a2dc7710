// Checks that options share. Each error names the option, what was given and what is allowed.
import { types } from 'node:util'
import { closest } from './closest.ts'
import { InvalidOptionError } from './errors.ts'
import type { Duration } from './types.ts'
import { milliseconds } from './units.ts'

/** Options that had another name once, and how they are written now. */
export type Renamed = Readonly<Record<string, string>>

/**
 * Refuses options that do not exist.
 *
 * @param path - what the options are a part of, with a dot at its end; empty for those of the top.
 */
export function checkKnown(
  path: string,
  given: object,
  known: readonly string[],
  renamed: Renamed = {},
): void {
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) throw unknownOption(path, name, known, renamed)
  }
}

function unknownOption(
  path: string,
  name: string,
  known: readonly string[],
  renamed: Renamed,
): InvalidOptionError {
  const now = Object.hasOwn(renamed, name) ? renamed[name] : undefined
  const meant = closest(name, known)
  const allowed = `options are ${known.map(each => path + each).join(', ')}`
  let hint = `: ${allowed}`
  if (now !== undefined) hint = `; write '${now}', its new name`
  else if (meant !== undefined) hint = `; did you mean '${path}${meant}'?`
  const shown = name.length > 64 ? `${name.slice(0, 64)}...` : name
  const message = `unknown option '${path}${shown}'${hint}`
  return new InvalidOptionError(path + name, 'given', allowed, { message })
}

/** How deep options are looked into. */
const DEEPEST = 8

/**
 * Refuses `null` anywhere in options: nobody means it, and an option that is left out may permit more. A
 * YAML file has it where a name has nothing behind it.
 *
 * @param path - where `given` is; empty for the whole.
 */
export function checkNoNull(path: string, given: unknown, depth = 0): void {
  if (given === null) throw new InvalidOptionError(path, given, 'left out, or have a value')
  if (typeof given !== 'object' || depth > DEEPEST) return
  const isList = Array.isArray(given)
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(given))
  if (!isList && !isPlain) return
  for (const [name, value] of Object.entries(given)) {
    const inner = isList ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`
    checkNoNull(inner, value, depth + 1)
  }
}

/** An object that has only these members, or `{}` if it was left out. */
export function checkShape<T extends object>(
  option: string,
  given: T | undefined,
  known: readonly (keyof T & string)[],
): Partial<T> {
  if (given === undefined) return {}
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InvalidOptionError(option, given, `an object { ${known.join(', ')} }`)
  }
  checkKnown(`${option}.`, given, known)
  return given
}

/** A whole number from `least` on; `Infinity` where that is allowed. */
export function checkCount(
  option: string,
  value: number,
  { least = 1, endless = false }: { least?: number; endless?: boolean } = {},
): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  if (endless && value === Number.POSITIVE_INFINITY) return value
  const allowed = `a whole number from ${least} on${endless ? ', or Infinity' : ''}`
  throw new InvalidOptionError(option, value, allowed)
}

/** A duration that ends. */
export function checkDuration(option: string, value: Duration): number {
  const ms = milliseconds(option, value)
  if (ms !== Number.POSITIVE_INFINITY) return ms
  throw new InvalidOptionError(option, value, 'a duration that ends, such as 250 or "250ms"')
}

/** What can be walked through, at once or by waiting. */
export function checkIterable(
  option: string,
  value: unknown,
  allowed: string,
  waits = false,
): void {
  const { [Symbol.iterator]: walk, [Symbol.asyncIterator]: wait } = Object(value ?? {})
  if (typeof walk === 'function' || (waits && typeof wait === 'function')) return
  throw new InvalidOptionError(option, value, allowed)
}

const PAIRS = 'an iterable of [key, value]'

/** What gives pairs: what it gives is for {@link pairOf} to look at. */
export function pairs<E>(entries: Iterable<E>): Iterable<E> {
  checkIterable('entries', entries, PAIRS)
  return entries
}

/** One of them, which can be taken apart. */
export function pairOf<E extends readonly [unknown, unknown]>(entry: E): E {
  if (typeof entry === 'object' && typeof entry?.[Symbol.iterator] === 'function') return entry
  throw new InvalidOptionError('entries', entry, PAIRS)
}

/** A function, if there is one. */
export function checkFunction<F>(option: string, value: F | undefined): F | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw new InvalidOptionError(option, value, 'a function')
}

/** A function that must be there. */
export function needFunction<F>(option: string, value: F): F {
  if (typeof value === 'function') return value
  throw new InvalidOptionError(option, value, 'a function')
}

/** A signal that ends waiting, of whatever realm or library. */
export function checkSignal(option: string, value: AbortSignal | undefined): void {
  if (value === undefined) return
  const { aborted, addEventListener, removeEventListener } = (value ?? {}) as Partial<AbortSignal>
  const isHeard = typeof addEventListener === 'function'
  if (isHeard && typeof removeEventListener === 'function' && typeof aborted === 'boolean') return
  throw new InvalidOptionError(option, value, 'an AbortSignal')
}

/** One of some texts. */
export function checkOneOf<T extends string>(option: string, value: T, of: readonly T[]): T {
  if (of.includes(value)) return value
  throw new InvalidOptionError(option, value, `one of ${of.join(', ')}`)
}

/** True or false. */
export function checkFlag(option: string, value: boolean): boolean {
  if (typeof value === 'boolean') return value
  throw new InvalidOptionError(option, value, 'true or false')
}

/** An array that the native side takes: a proxy of an array is none to it. */
export function plainArray<T>(option: string, value: readonly T[]): readonly T[] {
  if (!Array.isArray(value)) throw new InvalidOptionError(option, value, 'an array')
  return types.isProxy(value) ? Array.from(value) : value
}
