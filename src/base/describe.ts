// How values and types are told in the messages of errors.

/** A type with its article, for messages. */
export function article(type: string): string {
  if (type === 'undefined' || type === 'null') return type
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`
}

/** A text to show as it is. */
export class Verbatim {
  constructor(readonly text: string) {}
}

/** A value of an option, short enough for a message. */
export function describe(value: unknown): string {
  if (value instanceof Verbatim) return value.text
  switch (typeof value) {
    case 'string':
      return value.length > 64 ? `'${value.slice(0, 64)}...'` : `'${value}'`
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'an array' : 'an object'
    case 'function':
      return 'a function'
    case 'undefined':
      return 'none'
    default:
      return String(value)
  }
}
