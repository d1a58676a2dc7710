// Errors as text, for waiters in other threads and for entries that remember a failure.
import { adopt, isBreakwaterError } from '../base/errors.ts'

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

/** A thrown value as text. */
export function toText(error: unknown): string {
  const text = error instanceof Error ? describe(error) : thrown(error)
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

function describe(error: Error): string | undefined {
  const { name, message, stack } = error
  const ours = isBreakwaterError(error) || undefined
  const failure: Failure = { name: String(name), message: String(message), stack, ours, fields: {} }
  try {
    for (const field of Object.keys(error)) {
      const value = (error as unknown as Record<string, unknown>)[field]
      if (JSON.stringify(value) !== undefined) failure.fields[field] = value
    }
    return JSON.stringify(failure)
  } catch {
    // A field that JSON does not take, such as a cycle.
    return JSON.stringify({ ...failure, fields: {} })
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
  const name = error instanceof Error ? error.name : typeof error
  const message = error instanceof Error ? error.message : 'a loader threw a value of this type'
  return JSON.stringify({ name: name.slice(0, 256), message: message.slice(0, 4096), fields: {} })
}
