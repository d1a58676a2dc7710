// What stands for a key where keys are compared: bytes by what they hold, types never by accident.
import type { CacheKey } from './types.ts'

/** Equal for equal keys of one type, and only for those. */
export type Identity = string | number

/** What stands for a key in a `Map`. */
export function identityOf(key: CacheKey): Identity {
  if (typeof key === 'number') return key
  if (typeof key === 'string') return `s${key}`
  return `b${Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')}`
}
