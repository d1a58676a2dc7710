// Codecs: how values become text, numbers or bytes off the V8 heap, and back.
import { InvalidOptionError } from '../base/errors.ts'
import { decodeAny, encodeAny } from './any.ts'
import { fromClone, toClone } from './clone.ts'

/**
 * Turns values into text or bytes, and back.
 *
 * @example A codec of your own: dates as text
 * ```ts
 * import { Cache, type Codec } from 'breakwater'
 *
 * const dates: Codec<Date> = {
 *   name: 'date',
 *   encode: date => date.toISOString(),
 *   decode: text => new Date(String(text)),
 * }
 * const seen = new Cache({ max: 100, codec: dates })
 * seen.set('alice', new Date(0))
 * assert.equal(seen.get('alice')?.getTime(), 0)
 * ```
 */
export interface Codec<V> {
  /** Under this name workers that share a cache agree on the codec; `'custom'` if left out. */
  readonly name?: string
  /** The value as text or bytes. What it throws becomes the cause of `ERR_INVALID_VALUE`. */
  encode(value: V): string | Uint8Array
  /** The value again, of what `encode` gave. What it throws becomes the cause of `ERR_DECODE`. */
  decode(stored: string | Buffer): V
}

/** The codecs that have a name of their own. */
export type CodecName = 'any' | 'string' | 'bytes' | 'number' | 'json' | 'structured' | 'heap'

/** What the native side may be given: a set. */
const TEXT = 1
const NUMBER = 2
const BYTES = 4
/** The bytes that it is given begin with a tag: see any.ts. */
const TAGGED = 8

/** A codec as the cache uses it. */
export interface Coding {
  readonly name: string
  /** Marks stored values, so that no other codec reads them. */
  readonly id: number
  /** A set of TEXT, NUMBER and BYTES, and TAGGED. */
  readonly accepts: number
  /** Left out if values go in as they are. */
  readonly encode?: ((value: never) => unknown) | undefined
  /** Left out if values come out as they are. */
  readonly decode?: ((stored: never) => unknown) | undefined
}

const codings = {
  any: {
    name: 'any',
    id: 7,
    accepts: TEXT | NUMBER | BYTES | TAGGED,
    encode: encodeAny,
    decode: decodeAny,
  },
  string: { name: 'string', id: 0, accepts: TEXT },
  bytes: { name: 'bytes', id: 1, accepts: BYTES },
  number: { name: 'number', id: 2, accepts: NUMBER },
  json: { name: 'json', id: 3, accepts: TEXT, encode: JSON.stringify, decode: parse },
  structured: { name: 'structured', id: 4, accepts: BYTES, encode: clone, decode: fromClone },
  // Its encode and decode are the instance's own: see heap.ts.
  heap: { name: 'heap', id: 5, accepts: NUMBER },
} satisfies Record<CodecName, Coding>

const CUSTOM = 6

function clone(value: unknown): Buffer {
  return toClone('structured', value)
}

function parse(text: string): unknown {
  return JSON.parse(text)
}

/** Leads from a codec of ours to how it is done. */
const CODING = Symbol.for('breakwater.coding')

function builtin<V>(name: CodecName): Codec<V> {
  const { encode, decode }: Coding = codings[name]
  const same = (value: unknown) => value
  const codec = { name, encode: encode ?? same, decode: decode ?? same, [CODING]: codings[name] }
  return codec as unknown as Codec<V>
}

/**
 * Any value, the default: text, numbers, booleans, `null`, bigints, bytes, and whatever the structured
 * clone algorithm copies. What it would lose is refused: functions, symbols, objects of classes.
 * docs/codecs.md lists what comes back of which value.
 *
 * @example
 * ```ts
 * import { Cache } from 'breakwater'
 *
 * const users = new Cache({ max: 1000 })
 * users.set('ada', { name: 'Ada', born: new Date(0) })
 * assert.deepEqual(users.get('ada'), { name: 'Ada', born: new Date(0) })
 * ```
 */
export function any<V = unknown>(): Codec<V> {
  return builtin('any')
}

/**
 * Strings. Those of characters below U+0100 take one byte a character, others two.
 *
 * @example
 * ```ts
 * import { Cache, string } from 'breakwater'
 *
 * const pages = new Cache({ maxBytes: '64mb', codec: string() })
 * pages.set('/', '<h1>Hello</h1>')
 * assert.equal(pages.get('/'), '<h1>Hello</h1>')
 * ```
 */
export function string(): Codec<string> {
  return builtin('string')
}

/**
 * Bytes. A `get` gives a Buffer of its own; `getInto` copies into yours.
 *
 * @example
 * ```ts
 * import { Cache, bytes } from 'breakwater'
 *
 * const images = new Cache({ maxBytes: '64mb', codec: bytes() })
 * images.set('dot', Buffer.from([1, 2, 3]))
 * assert.deepEqual(images.get('dot'), Buffer.from([1, 2, 3]))
 * ```
 */
export function bytes<B extends Uint8Array = Buffer>(): Codec<B> {
  return builtin('bytes')
}

/**
 * Numbers, as the doubles they are.
 *
 * @example
 * ```ts
 * import { Cache, number } from 'breakwater'
 *
 * const scores = new Cache({ max: 1000, codec: number() })
 * scores.set('alice', 0.5)
 * assert.equal(scores.get('alice'), 0.5)
 * ```
 */
export function number(): Codec<number> {
  return builtin('number')
}

/**
 * Whatever `JSON.stringify` writes and `JSON.parse` reads. Callers share the object that a `get`
 * gives: see {@link CacheOptions.near}.
 *
 * @example
 * ```ts
 * import { Cache, json } from 'breakwater'
 *
 * interface User { name: string }
 * const users = new Cache({ max: 1000, codec: json<User>() })
 * users.set('1', { name: 'Alice' })
 * assert.deepEqual(users.get('1'), { name: 'Alice' })
 * ```
 */
export function json<V>(): Codec<V> {
  return builtin('json')
}

/**
 * Whatever the structured clone algorithm copies: dates, maps, sets, typed arrays, cycles. Slower
 * than `json` for plain objects.
 *
 * @example
 * ```ts
 * import { Cache, structured } from 'breakwater'
 *
 * const tags = new Cache({ max: 1000, codec: structured<Set<string>>() })
 * tags.set('post', new Set(['a', 'b']))
 * assert.deepEqual(tags.get('post'), new Set(['a', 'b']))
 * ```
 */
export function structured<V>(): Codec<V> {
  return builtin('structured')
}

/**
 * The very object, not a copy. The cache belongs to one isolate: it has neither a name nor a
 * handle, and is not saved. `maxBytes` does not count the objects; bound it by `max`.
 *
 * @example
 * ```ts
 * import { Cache, heap } from 'breakwater'
 *
 * const sessions = new Cache({ max: 1000, codec: heap<object>() })
 * const session = { user: 'alice' }
 * sessions.set('s1', session)
 * assert.equal(sessions.get('s1'), session)
 * ```
 */
export function heap<V>(): Codec<V> {
  return builtin('heap')
}

/** How the codec that an option names is done; `undefined` if the option was left out. */
export function codingOf(codec: unknown): Coding | undefined {
  if (codec === undefined) return undefined
  if (typeof codec === 'string' && Object.hasOwn(codings, codec)) return codings[codec as CodecName]
  if (typeof codec === 'object' && codec !== null) {
    const ours = (codec as { [CODING]?: Coding })[CODING]
    if (ours !== undefined) return ours
    const coding = custom(codec as Partial<Codec<unknown>>)
    if (coding !== undefined) return coding
  }
  const names = Object.keys(codings).join(', ')
  throw new InvalidOptionError('codec', codec, `one of ${names}, or an object { encode, decode }`)
}

/** The codec of ours that has this name. */
export function codingNamed(name: string): Coding | undefined {
  return Object.hasOwn(codings, name) ? codings[name as CodecName] : undefined
}

function custom(codec: Partial<Codec<unknown>>): Coding | undefined {
  const { name = 'custom', encode, decode } = codec
  if (typeof encode !== 'function' || typeof decode !== 'function') return undefined
  if (typeof name !== 'string' || Object.hasOwn(codings, name)) {
    const allowed = `a text other than ${Object.keys(codings).join(', ')}`
    throw new InvalidOptionError('codec.name', name, allowed)
  }
  return {
    name,
    id: CUSTOM,
    accepts: TEXT | BYTES,
    encode: (value: never) => codec.encode?.(value),
    decode: (stored: never) => codec.decode?.(stored),
  }
}

/** Whether the native side takes what a codec gave. */
export function takes({ accepts }: Coding, encoded: unknown): boolean {
  if (typeof encoded === 'string') return (accepts & TEXT) !== 0
  if (typeof encoded === 'number') return (accepts & NUMBER) !== 0
  return encoded instanceof Uint8Array && (accepts & BYTES) !== 0
}

/** Whether text and numbers pass as they are, though other values do not. */
export function passesText({ accepts }: Coding): boolean {
  return (accepts & TAGGED) !== 0
}
