// The codec `any`: text and numbers go in as they are. All else is bytes, and the first of them says
// what they are; crates/node/src/cache/values.rs knows those of bytes as well.
import { types } from 'node:util'
import { CLONE, fromClone, toClone } from './clone.ts'

/** The first byte. A value of any other kind is a structured clone, which begins with {@link CLONE}. */
const Tag = { BUFFER: 0, BYTES: 1, FALSE: 2, TRUE: 3, NULL: 4 } as const

const NAME = 'any'
const FALSE = Uint8Array.of(Tag.FALSE)
const TRUE = Uint8Array.of(Tag.TRUE)
const NULL = Uint8Array.of(Tag.NULL)

/** A value as text, a number or bytes. */
export function encodeAny(value: unknown): string | number | Uint8Array {
  switch (typeof value) {
    case 'string':
    case 'number':
      return value
    case 'boolean':
      return value ? TRUE : FALSE
    default:
  }
  if (value === null) return NULL
  if (types.isUint8Array(value)) {
    const tag = tagOf(value)
    if (tag !== undefined) return tagged(tag, value)
  }
  return toClone(NAME, value)
}

/** The value again. The bytes are its own. */
export function decodeAny(stored: string | number | Buffer): unknown {
  if (typeof stored !== 'object') return stored
  switch (stored[0]) {
    case CLONE:
      return fromClone(stored)
    case Tag.FALSE:
      return false
    case Tag.TRUE:
      return true
    case Tag.NULL:
      return null
    case Tag.BUFFER:
      return stored.subarray(1)
    case Tag.BYTES:
      return new Uint8Array(stored.subarray(1))
    default:
      throw new TypeError(`a value of kind ${stored[0]}, which is unknown here`)
  }
}

/** What bytes are that come back as they were; `undefined` for those of a class derived from them. */
function tagOf(bytes: Uint8Array): number | undefined {
  if (Buffer.isBuffer(bytes)) return Tag.BUFFER
  return Object.getPrototypeOf(bytes) === Uint8Array.prototype ? Tag.BYTES : undefined
}

function tagged(tag: number, bytes: Uint8Array): Uint8Array {
  const all = Buffer.allocUnsafe(bytes.length + 1)
  all[0] = tag
  all.set(bytes, 1)
  return all
}
