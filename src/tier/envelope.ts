// What a store has of a value: a head of fixed places that a script of the store can read and write,
// then the tags, then the value.
//
//   at  0  a mark, and the version of this form
//   at  2  the kind of value, and how it is compressed
//   at  3  when it was known, in microseconds of the store    }
//   at 11  until when it is fresh, in milliseconds of it      }  float64, big endian
//   at 19  its version; NaN if it has none                    }
//   at 27  milliseconds that loading it took                 float32
//   at 31  the length of the value before it was compressed  uint32
//   at 35  what the codec has to know of it                  uint8
//   at 36  the length of the tags, which are JSON            uint24
//   at 39  the generation in which it was known               } float64
//   at 47  and how far the clock of tags was                  }
//   at 55  the session that wrote it                         8 bytes
//   at 63  when it was asked to, in microseconds of its process  float64
import { TierError } from '../base/errors.ts'
import { type CompressionName, type Packed, pack, unpack } from './compression.ts'
import type { TierValue } from './contract.ts'

/** Where things are. */
export const Head = {
  KIND: 2,
  KNOWN: 3,
  FRESH_UNTIL: 11,
  VERSION: 19,
  GENERATION: 39,
  CLOCK: 47,
  WRITER: 55,
  SIZE: 71,
} as const

/** What every stored value begins with. */
export const MAGIC: Buffer = Buffer.from([0xb7, 2])

const Kind = { ASCII: 0, UTF8: 1, UTF16: 2, NUMBER: 3, BYTES: 4, TOMBSTONE: 15 } as const

/** Says that a key was deleted: a load that began before must not bring its value back. */
export const TOMBSTONE: number = Kind.TOMBSTONE

/** How values are stored. */
export interface Packing {
  /** How larger ones are compressed; not at all if left out. */
  readonly compression: CompressionName | undefined
  /** From how many bytes on. */
  readonly above: number
}

/** Who wrote something, and when. */
export interface Signature {
  /** The session, as 16 digits. */
  readonly origin: string
  /** Microseconds, by the clock of its process. */
  readonly at: number
}

/** A signature as it is stored. */
export function sign({ origin, at }: Signature): Buffer {
  const bytes = Buffer.alloc(Head.SIZE - Head.WRITER)
  bytes.write(origin, 'hex')
  bytes.writeDoubleBE(at, 8)
  return bytes
}

/** Who wrote what a store has, a value or the mark of a deletion; `undefined` if that cannot be read. */
export function readSignature(stored: Buffer): Signature | undefined {
  if (stored.length < Head.SIZE || !isMarked(stored)) return undefined
  const origin = stored.toString('hex', Head.WRITER, Head.WRITER + 8)
  return { origin, at: stored.readDoubleBE(Head.WRITER + 8) }
}

/** Whether what a store has begins as what is ours does. */
function isMarked(stored: Buffer): boolean {
  return stored[0] === MAGIC[0] && stored[1] === MAGIC[1]
}

/** Whether what a store has is the mark of a deletion. */
export function isTombstone(stored: Buffer): boolean {
  return stored[Head.KIND] === Kind.TOMBSTONE
}

/** The most characters of the tags of a value: their bytes are counted by three. */
const MOST_TAGS = 1_000_000

/** Where the head of a value ends, with its tags; `undefined` if it is none that says so. */
export function headEnd(stored: Buffer): number | undefined {
  if (stored.length < Head.SIZE || !isMarked(stored)) return undefined
  return Head.SIZE + stored.readUIntBE(Head.VERSION + 17, 3)
}

/** A value in parts: between them goes what only the store knows. */
export interface Sealed {
  /** What comes before the times. */
  readonly head: Buffer
  /** What comes after them and before the epoch. */
  readonly middle: Buffer
  /** What comes after the epoch. */
  readonly body: Buffer
}

/** What is stored of a value; an error if it has more than `max` bytes. */
export function seal(
  value: TierValue,
  { compression, above }: Packing,
  signature: Signature,
  max: number,
): Sealed | TierError | Promise<Sealed> {
  const { encoded } = value
  if (value.tags && JSON.stringify(value.tags).length > MOST_TAGS) {
    return new TierError('the tags of a value are longer than a million characters')
  }
  // A character is a byte or more: so large a text is not even made into bytes.
  if (typeof encoded !== 'number' && encoded.length > max) return tooLarge(encoded.length, max)
  const { kind, bytes } = toBytes(encoded)
  if (bytes.length > max) return tooLarge(bytes.length, max)
  const put = ({ code, packed }: Packed) =>
    assemble(value, signature, kind, bytes.length, code, packed)
  if (compression === undefined || bytes.length < above) return put({ code: 0, packed: bytes })
  const packed = pack(bytes, compression)
  return packed instanceof Promise ? packed.then(put) : put(packed)
}

function assemble(
  value: TierValue,
  signature: Signature,
  kind: number,
  length: number,
  code: number,
  packed: Uint8Array,
): Sealed {
  const tags = value.tags?.length ? Buffer.from(JSON.stringify(value.tags)) : Buffer.alloc(0)
  const middle = Buffer.alloc(Head.GENERATION - Head.VERSION)
  middle.writeDoubleBE(value.version ?? Number.NaN, 0)
  middle.writeFloatBE(value.cost, 8)
  middle.writeUInt32BE(length, 12)
  middle.writeUInt8(value.kind ?? 0, 16)
  middle.writeUIntBE(tags.length, 17, 3)
  return {
    head: Buffer.from([...MAGIC, kind | (code << 4)]),
    middle,
    body: Buffer.concat([sign(signature), tags, packed]),
  }
}

function tooLarge(bytes: number, max: number): TierError {
  return new TierError(`a value of ${bytes} bytes or more is larger than maxValueSize, ${max}`)
}

/** Whether a text survives UTF-8: it has no half of a surrogate pair alone. */
export function isWhole(text: string): boolean {
  return text.isWellFormed()
}

function toBytes(encoded: TierValue['encoded']): { kind: number; bytes: Uint8Array } {
  if (typeof encoded === 'string') {
    const length = Buffer.byteLength(encoded)
    if (length === encoded.length)
      return { kind: Kind.ASCII, bytes: Buffer.from(encoded, 'latin1') }
    if (isWhole(encoded)) return { kind: Kind.UTF8, bytes: Buffer.from(encoded) }
    return { kind: Kind.UTF16, bytes: Buffer.from(encoded, 'utf16le') }
  }
  if (typeof encoded !== 'number') return { kind: Kind.BYTES, bytes: encoded }
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(encoded)
  return { kind: Kind.NUMBER, bytes }
}

/** A value as it was found. */
export class Found {
  readonly #stored: Buffer
  /** Where its head ends. */
  readonly #end: number
  readonly #now: number
  /** When it was known, in microseconds of the store. */
  readonly known: number
  /** Until when it is fresh, in milliseconds of the store. */
  readonly freshUntil: number
  readonly tags: readonly string[] | undefined

  /** @param now - microseconds of the store. */
  constructor(stored: Buffer, end: number, now: number) {
    this.#stored = stored
    this.#end = end
    this.#now = now
    this.known = stored.readDoubleBE(Head.KNOWN)
    this.freshUntil = stored.readDoubleBE(Head.FRESH_UNTIL)
    this.tags = end === Head.SIZE ? undefined : readTags(stored.toString('utf8', Head.SIZE, end))
  }

  /** The epoch in which it was known. */
  get generation(): number {
    return this.#stored.readDoubleBE(Head.GENERATION)
  }

  /** How far the clock of tags was. */
  get clock(): number {
    return this.#stored.readDoubleBE(Head.CLOCK)
  }

  /** Who wrote it, as it is stored, each byte a character. */
  get signature(): string {
    return this.#stored.toString('latin1', Head.WRITER, Head.SIZE)
  }

  /**
   * The value.
   *
   * @throws TierError `ERR_TIER`: it is damaged, or this Node.js cannot read it. If it gives a promise,
   * that rejects with it.
   */
  open(): TierValue | Promise<TierValue> {
    const stored = this.#stored
    const end = this.#end
    const form = stored[Head.KIND] as number
    const kind = form & 15
    const length = lengthOf(stored)
    // Most values: no view of the bytes is made.
    if (form === Kind.ASCII && stored.length - end === length) {
      return this.#value(stored.toString('latin1', end))
    }
    const bytes = unpack(stored.subarray(end), form >> 4, length)
    if (!(bytes instanceof Promise)) return this.#value(fromBytes(kind, bytes))
    return bytes.then(bytes => this.#value(fromBytes(kind, bytes)))
  }

  #value(encoded: TierValue['encoded']): TierValue {
    const stored = this.#stored
    const version = stored.readDoubleBE(Head.VERSION)
    const cost = stored.readFloatBE(Head.VERSION + 8)
    const kind = stored.readUInt8(Head.VERSION + 16)
    const value: TierValue = {
      encoded,
      freshFor: this.freshUntil - this.#now / 1000,
      cost: Number.isFinite(cost) ? cost : 0,
      version: Number.isNaN(version) ? undefined : version,
      tags: this.tags,
    }
    return kind === 0 ? value : { ...value, kind }
  }
}

/**
 * Reads what a store has; `undefined` for the mark of a deletion.
 *
 * @param now - microseconds of the store.
 * @param max - the most bytes that a value may have.
 * @throws TierError `ERR_TIER`: it is none of ours, or damaged.
 */
export function unseal(stored: Buffer, now: number, max: number): Found | undefined {
  if (stored.length < MAGIC.length + 1 || !isMarked(stored)) {
    throw new TierError(
      'the store has something that is no value of a cache, or of a newer version',
    )
  }
  if (isTombstone(stored)) return undefined
  if (stored.length < Head.SIZE) throw new TierError('a stored value is cut off')
  const end = Head.SIZE + stored.readUIntBE(Head.VERSION + 17, 3)
  const length = lengthOf(stored)
  if (end > stored.length) throw damaged()
  if (length > max) throw new TierError(`a stored value has ${length} bytes, more than ${max}`)
  const found = new Found(stored, end, now)
  if (Number.isNaN(found.known) || Number.isNaN(found.freshUntil)) throw damaged()
  return found
}

/** How many bytes the value had before it was compressed. */
function lengthOf(stored: Buffer): number {
  return stored.readUInt32BE(Head.VERSION + 12)
}

function damaged(): TierError {
  return new TierError('a stored value is damaged')
}

function fromBytes(kind: number, bytes: Uint8Array): TierValue['encoded'] {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  switch (kind) {
    case Kind.ASCII:
      return buffer.toString('latin1')
    case Kind.UTF8:
      return buffer.toString()
    case Kind.UTF16:
      return buffer.toString('utf16le')
    case Kind.NUMBER:
      if (buffer.length !== 8) throw new TierError('a stored number is damaged')
      return buffer.readDoubleBE()
    case Kind.BYTES:
      return buffer
    default:
      throw new TierError(`a stored value is of a kind that is unknown here (${kind})`)
  }
}

function readTags(text: string): readonly string[] {
  let tags: unknown
  try {
    tags = JSON.parse(text)
  } catch (error) {
    throw new TierError('the tags of a stored value are damaged', { cause: error })
  }
  if (Array.isArray(tags) && tags.every(tag => typeof tag === 'string')) return tags
  throw new TierError('the tags of a stored value are damaged')
}
