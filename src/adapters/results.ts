// The results of a memoized function as a cache keeps them, and the codecs for that.

import { InvalidOptionError } from '../base/errors.ts'
import {
  any,
  bytes,
  type Codec,
  type CodecName,
  heap,
  json,
  string,
  structured,
} from '../codec/codecs.ts'

/** A result that is remembered. */
export interface Result<V> {
  /** The result; of a promise, what it was fulfilled with. */
  readonly value: V
  /** Whether the function gave a promise of it. */
  readonly promised: boolean
}

/** How results are kept: the name of a codec, but for `'number'`, or a codec. */
export type MemoizeCodec<V> = Codec<V> | Exclude<CodecName, 'number'>

const named = new Map<unknown, () => Codec<never>>([
  ['heap', heap],
  ['any', any],
  ['json', json],
  ['structured', structured],
  ['string', string as () => Codec<never>],
  ['bytes', bytes as () => Codec<never>],
])

/** A character before each result: whether it was promised, and whether it is undefined. */
const marks = ['v', 'p', 'u', 'w']

/**
 * A codec for results, by one for their values, which never sees an undefined value.
 *
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: it is none.
 */
export function codecOfResults<V>(given: MemoizeCodec<V>): Codec<Result<V>> {
  const codec = typeof given === 'string' ? named.get(given)?.() : given
  const { name = 'custom', encode, decode } = codec ?? {}
  if (typeof encode !== 'function' || typeof decode !== 'function' || name === 'number') {
    const allowed = `one of ${[...named.keys()].join(', ')}, or an object { encode, decode }`
    throw new InvalidOptionError('codec', given, allowed)
  }
  if (name === 'heap') return heap()
  if (name === 'any') return any()
  return {
    name: `memoize ${name}`,
    encode: result => marked(mark(result), codec as Codec<V>, result.value),
    decode: stored => unmarked(codec as Codec<V>, stored),
  }
}

function mark({ promised, value }: Result<unknown>): number {
  return (promised ? 1 : 0) + (value === undefined ? 2 : 0)
}

function marked<V>(mark: number, codec: Codec<V>, value: V): string | Uint8Array {
  const char = marks[mark] as string
  if (value === undefined) return char
  const stored: unknown = codec.encode(value)
  if (typeof stored === 'string') return char + stored
  if (stored instanceof Uint8Array) return Buffer.concat([Buffer.from(char), stored])
  throw new TypeError('the codec must give text or bytes')
}

function unmarked<V>(codec: Codec<V>, stored: string | Buffer): Result<V> {
  const text = typeof stored === 'string'
  const mark = marks.indexOf(text ? stored.slice(0, 1) : String.fromCharCode(stored[0] ?? 0))
  const promised = (mark & 1) === 1
  if (mark >= 2) return { promised, value: undefined as V }
  return { promised, value: codec.decode(text ? stored.slice(1) : stored.subarray(1)) }
}
