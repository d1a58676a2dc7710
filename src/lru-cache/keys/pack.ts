// Strings and numbers as words, with a hash that nobody outside can foresee.
import { builtin } from '../../base/builtin.ts'

/** The kind of a number. That of a string is its length, and 1. */
export const NUMBER = -1

/** The words of the key that was packed last. */
export const WORDS = new Int32Array(32)

/** What else is known of that key: how many words it has, 0 if it cannot be packed. */
export const packed = { length: 0, kind: 0, hash: 0 }

/** What hashes begin with, and are multiplied by; 0 until they are drawn. */
let seed = 0
let factor = 0

/** Draws what hashes depend on, once: before the first is asked for. */
export function drawSeed(): void {
  if (factor !== 0) return
  const drawn = builtin('node:crypto').randomFillSync(new Int32Array(2))
  seed = drawn[0]!
  // Odd, so that no bit of a word is lost.
  factor = drawn[1]! | 1
}

const float = new Float64Array(1)
const halves = new Int32Array(float.buffer)

/**
 * Packs a key; how many words it has, or 0 if it cannot be packed.
 *
 * @param room - how many words it may have, at least 2.
 */
export function pack(key: unknown, room: number): number {
  if (typeof key === 'string') return packText(key, room)
  if (typeof key === 'number') return packNumber(key)
  packed.length = 0
  return 0
}

function packText(key: string, room: number): number {
  const { length } = key
  packed.length = 0
  if (length > 4 * room) return 0
  let hash = seed ^ (length + 1)
  let all = 0
  let count = 0
  let i = 0
  for (; i + 3 < length; i += 4) {
    const a = key.charCodeAt(i)
    const b = key.charCodeAt(i + 1)
    const c = key.charCodeAt(i + 2)
    const d = key.charCodeAt(i + 3)
    all |= a | b | c | d
    const word = a | (b << 8) | (c << 16) | (d << 24)
    WORDS[count++] = word
    hash = mix(hash, word)
  }
  if (i < length) {
    let word = 0
    for (let shift = 0; i < length; i++, shift += 8) {
      const unit = key.charCodeAt(i)
      all |= unit
      word |= unit << shift
    }
    WORDS[count++] = word
    hash = mix(hash, word)
  }
  // An empty string has a word all the same.
  if (count === 0) WORDS[count++] = 0
  if (all > 0xff) return 0
  packed.length = count
  packed.kind = length + 1
  packed.hash = finish(hash)
  return count
}

function packNumber(key: number): number {
  halve(key)
  WORDS[0] = halves[0]!
  WORDS[1] = halves[1]!
  packed.length = 2
  packed.kind = NUMBER
  packed.hash = finish(mix(mix(seed ^ NUMBER, halves[0]!), halves[1]!))
  return 2
}

function halve(key: number): void {
  // There is one 0 in a Map, and one NaN.
  float[0] = Number.isNaN(key) ? Number.NaN : key + 0
}

/** The number of two words. */
export function numberOf(first: number, second: number): number {
  halves[0] = first
  halves[1] = second
  return float[0]!
}

/** The hash of a key, the same as if it were packed; 0 for one that is neither text nor a number. */
export function hashKey(key: unknown): number {
  if (typeof key === 'string') return hashText(key)
  if (typeof key === 'bigint') return hashText(String(key))
  if (typeof key !== 'number') return 0
  halve(key)
  return hashOf(NUMBER, halves, 0)
}

function hashText(key: string): number {
  const { length } = key
  let hash = seed ^ (length + 1)
  for (let i = 0; i < length; i += 4) {
    let word = 0
    for (let j = 0; j < 4 && i + j < length; j++) word |= key.charCodeAt(i + j) << (8 * j)
    hash = mix(hash, word)
  }
  return finish(hash)
}

/** The hash of a key that lies in words. */
export function hashOf(kind: number, words: Int32Array, at: number): number {
  const count = kind === NUMBER ? 2 : (kind + 2) >> 2
  let hash = seed ^ kind
  for (let i = 0; i < count; i++) hash = mix(hash, words[at + i]!)
  return finish(hash)
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, factor)
  return mixed ^ (mixed >>> 15)
}

function finish(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b)
  return mixed ^ (mixed >>> 15)
}
