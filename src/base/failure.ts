// Errors as text, for waiters in other threads and for entries that remember a failure.
import { types } from 'node:util'
import { adopt, isBreakwaterError } from './errors.ts'

/** The most characters that a failure takes. */
const LONGEST = 32_768

/** The built-in classes that come back as what they were. */
const builtins = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }

/** What is kept of an error. */
interface Failure {
  name: string
  message: string
  stack?: string | undefined
  /** Whether it is an error of this package. */
  ours?: boolean | undefined
  /** Its own fields that JSON takes: `code`, `status`. */
  fields: Record<string, unknown>
}

/** The most fields that are kept. */
const MOST_FIELDS = 64

/** A thrown value as text. */
export function toText(error: unknown): string {
  const text = isAnError(error) ? describe(error) : thrown(error)
  return text !== undefined && text.length <= LONGEST ? text : brief(error)
}

/** The thrown value again: an error of the same name, message and fields. */
export function fromText(text: string): unknown {
  const held = JSON.parse(text) as { thrown?: unknown } & Failure
  if ('thrown' in held) return held.thrown
  const { name, message, stack, ours, fields } = held
  const known = Object.hasOwn(builtins, name)
  const error = new builtins[known ? (name as keyof typeof builtins) : 'Error'](message)
  if (!known) Object.defineProperty(error, 'name', { value: name, configurable: true })
  if (ours === true) adopt(error)
  for (const [field, value] of Object.entries(fields)) {
    Object.defineProperty(error, field, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    })
  }
  if (stack !== undefined) error.stack = stack
  return error
}

/** Each field for itself: one that cannot be read, written or held leaves the others alone. */
function describe(error: Error): string {
  const failure: Failure = {
    name: textOf(error, 'name') ?? 'Error',
    message: textOf(error, 'message') ?? '',
    stack: textOf(error, 'stack'),
    ours: isBreakwaterError(error) || undefined,
    fields: {},
  }
  const head = JSON.stringify(failure)
  const fields: string[] = []
  let room = LONGEST - head.length
  for (const field of fieldsOf(error)) {
    const value = jsonOf(error, field)
    if (value === undefined) continue
    const text = `${JSON.stringify(field)}:${value}`
    if (text.length < room) {
      fields.push(text)
      room -= text.length + 1
    }
  }
  // The fields are the last of the head, and there are none in it yet.
  return `${head.slice(0, -2)}${fields.join(',')}}}`
}

function fieldsOf(error: Error): string[] {
  try {
    return Object.keys(error).slice(0, MOST_FIELDS)
  } catch {
    return []
  }
}

/** A field as JSON; `undefined` if there is none. */
function jsonOf(error: Error, field: string): string | undefined {
  try {
    return JSON.stringify((error as unknown as Record<string, unknown>)[field])
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
  try {
    return value === undefined ? undefined : JSON.stringify({ thrown: value })
  } catch {
    return undefined
  }
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
  for (const field of ['code', 'status', 'statusCode', 'errno']) {
    const json = isAnError(error) ? jsonOf(error, field) : undefined
    if (json !== undefined && json.length < 256) fields[field] = JSON.parse(json)
  }
  return fields
}

/** Whether it is an error, of whatever realm. */
function isAnError(error: unknown): error is Error {
  return error instanceof Error || types.isNativeError(error)
}
