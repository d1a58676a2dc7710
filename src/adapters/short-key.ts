// Keys of any length as keys that a cache takes.
import { builtin } from '../base/builtin.ts'

/** A cache's keys have at most 65,535 bytes; this many characters are never more. */
const LONGEST = 16_384

/** The key, or what stands for it if it is long: a mark that ordinary keys lack, and its digest. */
export function shortKey(key: string): string {
  if (key.length <= LONGEST) return key
  // Of the UTF-16 units: UTF-8 would make lone surrogates alike.
  return `\0h${hash(Buffer.from(key, 'utf16le'))}`
}

function hash(bytes: Buffer): string {
  return builtin('node:crypto').createHash('sha256').update(bytes).digest('base64')
}
