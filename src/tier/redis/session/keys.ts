// Where a cache keeps what in the store: `name:key` for values, readable where keys are texts, and
// `name~...` or `{name}~...` for all else; what a script needs together is in one slot of a cluster.
// Every key has one place, every place one key, and no two caches share any.
import { InvalidKeyError } from '../../../base/errors.ts'
import type { CacheKey } from '../../../base/types.ts'
import { isWhole } from '../../envelope.ts'
import type { ChannelKeys, Stored } from '../channel/contract.ts'
import type { Word } from '../clients/client.ts'

/**
 * Keys that are no plain texts begin with `~` and a letter: `n` for numbers, `b` for bytes, `u` for texts
 * that are no whole Unicode, `s` for texts that begin with `~` themselves.
 */
const MARK = '~'
/** What names of tags begin with. */
const MEMBER = Buffer.from('#')

/** The key of a cache as bytes. */
export function writeKey(key: CacheKey): Buffer {
  if (typeof key === 'number') return Buffer.from(`~n${key}`)
  if (typeof key !== 'string') {
    if (!(key instanceof Uint8Array)) throw new InvalidKeyError(typeof key)
    return Buffer.concat([Buffer.from('~b'), key])
  }
  if (!isWhole(key)) return Buffer.concat([Buffer.from('~u'), Buffer.from(key, 'utf16le')])
  return Buffer.from(key[0] === MARK ? `~s${key}` : key)
}

/** The key of a cache as text. */
export function textOf(key: CacheKey): string {
  if (typeof key === 'string' && key[0] !== MARK && isWhole(key)) return key
  return writeKey(key).toString('latin1')
}

/** The key of bytes; `undefined` if they are of no key. */
export function readKey(bytes: Buffer): CacheKey | undefined {
  if (bytes[0] !== MARK.charCodeAt(0)) return String(bytes)
  const rest = bytes.subarray(2)
  switch (String.fromCharCode(bytes[1] ?? 0)) {
    case 's':
      return String(rest)
    case 'n':
      return rest.length > 0 ? Number(rest) : undefined
    case 'b':
      return new Uint8Array(rest)
    case 'u':
      return rest.toString('utf16le')
    default:
      return undefined
  }
}

/** The places of one cache. */
export class Keys implements ChannelKeys {
  readonly prefixes: readonly string[]
  readonly marks: string
  readonly bus: string
  /** The generation of the values that count, and the clock of the tags. */
  readonly epoch: Buffer
  /** The same as a word. */
  readonly epochWord: string
  /** When which tag was invalidated, by that clock. */
  readonly tags: Buffer
  /** The processes that have published what they read most. */
  readonly hot: string
  readonly #value: string
  readonly #values: Buffer
  readonly #locks: Buffer

  /**
   * @param root - what comes before all.
   * @param name - of the cache.
   */
  constructor(root: string, name: string, space = root) {
    // No name contains what ends it, nor what would put all its keys into one slot of a cluster.
    const escaped = name.replaceAll(/[%:~{}]/g, mark => `%${mark.charCodeAt(0).toString(16)}`)
    const own = root + escaped
    const together = `${root}{${escaped}}`
    this.epochWord = `${together}~e`
    this.epoch = Buffer.from(this.epochWord)
    this.tags = Buffer.from(`${together}~t`)
    this.hot = `${own}~h`
    this.marks = `${together}~m:`
    this.bus = `${space}${escaped}~bus`
    this.prefixes = [`${own}:`]
    this.#value = `${own}:`
    this.#values = Buffer.from(this.#value)
    this.#locks = Buffer.from(`${own}~l:`)
  }

  /** Where the value of a key is. */
  value(key: CacheKey): Buffer {
    return Buffer.concat([this.#values, writeKey(key)])
  }

  /** Where the value of a key is, as a word of a command: clients take texts faster than bytes. */
  word(key: CacheKey): Word {
    const isPlain = typeof key === 'string' && key[0] !== MARK && isWhole(key)
    return isPlain ? this.#value + key : this.value(key)
  }

  /** What a tag is called among {@link Keys.tags}. */
  member(tag: string): Buffer {
    return Buffer.concat([MEMBER, writeKey(tag)])
  }

  /** Who loads a key. */
  lock(key: CacheKey): Buffer {
    return Buffer.concat([this.#locks, writeKey(key)])
  }

  /** What a process reads most. */
  hotOf(process: string): string {
    return `${this.hot}:${process}`
  }

  read(stored: Buffer): Stored | undefined {
    if (!startsWith(stored, this.#values)) return undefined
    const key = readKey(stored.subarray(this.#values.length))
    return key === undefined ? undefined : { key }
  }
}

function startsWith(bytes: Buffer, head: Buffer): boolean {
  return bytes.subarray(0, head.length).equals(head)
}
