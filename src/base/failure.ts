// Errors as text, for waiters in other threads and for entries that remember a failure.
import { types } from 'node:util'
import { adopt, isBreakwaterError } from './errors.ts'

/** The most characters that a failure takes. */
const LONGEST = 32_768

/** The most fields of an error, and the most errors of a list, that are kept. */
const MOST = 64

/** The built-in classes that come back as what they were. */
const builtins = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }

/** What programs ask errors for, and classes give by a getter. */
const CODES = ['code', 'status', 'statusCode', 'errno']

/** Own fields of errors that no loop shows. */
const HIDDEN = ['cause', 'errors']

/** What is kept of an error. */
interface Failure {
  name: string
  message: string
  stack?: string | undefined
  /** Whether it is an error of this package. */
  ours?: boolean | undefined
  /** Its own fields that JSON takes: `code`, `status`. */
  fields: Record<string, unknown>
  /** Its fields that are errors, or lists of them: `cause`, `errors`. */
  nested?: Record<string, Held | Held[]>
}

/** A thrown value: an error, or one that JSON takes, or a number or nothing that it does not. */
type Held = Failure | { thrown: unknown } | { number: string } | { bigint: string } | { none: true }

/** A thrown value as text. */
export function toText(error: unknown): string {
  return held(error, LONGEST, new Set()) ?? brief(error)
}

/** The thrown value again: an error of the same name, message and fields. */
export function fromText(text: string): unknown {
  return revived(JSON.parse(text) as Held)
}

function revived(value: Held): unknown {
  if ('thrown' in value) return value.thrown
  if ('number' in value) return Number(value.number)
  if ('bigint' in value) return BigInt(value.bigint)
  if ('none' in value) return undefined
  return errorOf(value)
}

function errorOf({ name, message, stack, ours, fields, nested = {} }: Failure): Error {
  const isMany = name === 'AggregateError'
  const known = isMany || Object.hasOwn(builtins, name)
  const error = isMany
    ? new AggregateError([], message)
    : new builtins[known ? (name as keyof typeof builtins) : 'Error'](message)
  if (!known) Object.defineProperty(error, 'name', { value: name, configurable: true })
  if (ours === true) adopt(error)
  for (const [field, value] of Object.entries(fields)) put(error, field, value)
  for (const [field, value] of Object.entries(nested)) {
    put(error, field, Array.isArray(value) ? value.map(revived) : revived(value))
  }
  if (stack !== undefined) error.stack = stack
  return error
}

function put(error: Error, field: string, value: unknown): void {
  const enumerable = !HIDDEN.includes(field)
  Object.defineProperty(error, field, { value, writable: true, enumerable, configurable: true })
}

/**
 * A value as the JSON of a {@link Held}; `undefined` if there is none of at most `room` characters.
 *
 * @param within - the errors that this is a part of, which are not described again.
 */
function held(value: unknown, room: number, within: Set<unknown>): string | undefined {
  const text = isAnError(value) ? describe(value, room, within) : thrown(value)
  return text !== undefined && text.length <= room ? text : undefined
}

/** Each field for itself: one that cannot be read, written or held leaves the others alone. */
function describe(error: Error, room: number, within: Set<unknown>): string {
  const head = JSON.stringify({
    name: textOf(error, 'name') ?? 'Error',
    message: textOf(error, 'message') ?? '',
    stack: textOf(error, 'stack'),
    ours: isBreakwaterError(error) || undefined,
  } satisfies Omit<Failure, 'fields'>)
  const parts = { fields: [] as string[], nested: [] as string[] }
  let left = room - head.length - ',"fields":{},"nested":{}'.length
  const inner = new Set(within).add(error)
  for (const field of fieldsOf(error)) {
    const value = fieldOf(error, field)
    const named = `${JSON.stringify(field)}:`
    const nested = nestedOf(value, left - named.length - 1, inner)
    const text = nested ?? jsonOf(value)
    if (text === undefined || named.length + text.length >= left) continue
    parts[nested === undefined ? 'fields' : 'nested'].push(named + text)
    left -= named.length + text.length + 1
  }
  return `${head.slice(0, -1)},"fields":{${parts.fields}},"nested":{${parts.nested}}}`
}

/** A field that is an error or a list of such. */
function nestedOf(value: unknown, room: number, within: Set<unknown>): string | undefined {
  if (within.has(value)) return undefined
  if (isAnError(value)) return held(value, room, within)
  const list: string[] = []
  let left = room - 2
  for (const one of errorsOf(value)) {
    const text = within.has(one) ? undefined : held(one, left - 1, within)
    if (text === undefined) continue
    list.push(text)
    left -= text.length + 1
  }
  return list.length === 0 ? undefined : `[${list}]`
}

/** A list with errors in it; empty if it is none. */
function errorsOf(value: unknown): unknown[] {
  try {
    return Array.isArray(value) && value.some(isAnError) ? value.slice(0, MOST) : []
  } catch {
    return []
  }
}

function fieldsOf(error: Error): string[] {
  try {
    // What is asked for most is kept if not all has room.
    const asked = [...CODES, ...HIDDEN].filter(field => fieldOf(error, field) !== undefined)
    return [...new Set([...asked, ...Object.keys(error)])].slice(0, MOST)
  } catch {
    return []
  }
}

function fieldOf(error: Error, field: string): unknown {
  try {
    return (error as unknown as Record<string, unknown>)[field]
  } catch {
    return undefined
  }
}

/** A value as JSON; `undefined` if there is none. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

function textOf(error: Error, field: 'name' | 'message' | 'stack'): string | undefined {
  try {
    const text: unknown = error[field]
    return text === undefined ? undefined : String(text)
  } catch {
    return undefined
  }
}

function thrown(value: unknown): string | undefined {
  if (value === undefined) return '{"none":true}'
  if (typeof value === 'bigint') return `{"bigint":"${value}"}`
  if (Object.is(value, -0)) return '{"number":"-0"}'
  if (typeof value === 'number' && !Number.isFinite(value)) return `{"number":"${value}"}`
  const json = jsonOf(value)
  return json === undefined ? undefined : `{"thrown":${json}}`
}

function brief(error: unknown): string {
  const isError = isAnError(error)
  const name = (isError ? textOf(error, 'name') : undefined) ?? typeof error
  const message = isError ? textOf(error, 'message') : 'a loader threw a value of this type'
  const short = { name: name.slice(0, 256), message: (message ?? '').slice(0, 4096) }
  return JSON.stringify({ ...short, fields: codeOf(error) })
}

/** What programs ask errors for, of an error that is too long as a whole. */
function codeOf(error: unknown): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  for (const field of CODES) {
    const json = isAnError(error) ? jsonOf(fieldOf(error, field)) : undefined
    if (json !== undefined && json.length < 256) fields[field] = JSON.parse(json)
  }
  return fields
}

/** Whether it is an error, of whatever realm. */
function isAnError(error: unknown): error is Error {
  try {
    return error instanceof Error || types.isNativeError(error)
  } catch {
    // A proxy that throws.
    return false
  }
}
