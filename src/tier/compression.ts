// Large values are compressed on their way to a store, by what Node's zlib has: small ones at once,
// large ones by other threads, since the event loop would stand still for longer than handing over takes.
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { TierError } from '../base/errors.ts'

/** How bytes are compressed; the numbers are in stored values and never change. */
export const Compression = { NONE: 0, DEFLATE: 1, BROTLI: 2, ZSTD: 3 } as const

/** The name of a compression. */
export type CompressionName = 'deflate' | 'brotli' | 'zstd'

/** The sizes from which other threads do it: see docs/decisions/0011-tier.md. */
const [COMPRESS_APART, DECOMPRESS_APART] = [16 * 1024, 64 * 1024]

type Bytes = Uint8Array
type Limits = { maxOutputLength: number }
type Told = (error: Error | null, result: Buffer) => void

interface Method {
  readonly code: number
  compress(bytes: Bytes): Buffer
  compressApart(bytes: Bytes): Promise<Buffer>
  decompress(bytes: Bytes, limits: Limits): Buffer
  decompressApart(bytes: Bytes, limits: Limits): Promise<Buffer>
}

/** What a compression is made of, in zlib. */
interface Functions<O> {
  readonly code: number
  readonly options: O
  compressSync(bytes: Bytes, options: O): Buffer
  compress(bytes: Bytes, options: O, told: Told): void
  decompressSync(bytes: Bytes, limits: Limits): Buffer
  decompress(bytes: Bytes, limits: Limits, told: Told): void
}

function method<O>(functions: Functions<O>): Method {
  const { code, options, compressSync, decompressSync } = functions
  const compress = promisify<Bytes, O, Buffer>(functions.compress)
  const decompress = promisify<Bytes, Limits, Buffer>(functions.decompress)
  return {
    code,
    compress: bytes => compressSync(bytes, options),
    compressApart: bytes => compress(bytes, options),
    decompress: decompressSync,
    decompressApart: decompress,
  }
}

/** What Node.js has from 22.15 on. */
interface Zstd {
  zstdCompressSync?(bytes: Bytes, options: object): Buffer
  zstdCompress(bytes: Bytes, options: object, told: Told): void
  zstdDecompressSync(bytes: Bytes, limits: Limits): Buffer
  zstdDecompress(bytes: Bytes, limits: Limits, told: Told): void
  constants: { ZSTD_c_compressionLevel: number }
}

function zstd(given: Zstd): Method | undefined {
  const { zstdCompressSync } = given
  if (zstdCompressSync === undefined) return undefined
  return method({
    code: Compression.ZSTD,
    options: { params: { [given.constants.ZSTD_c_compressionLevel]: 1 } },
    compressSync: zstdCompressSync,
    compress: given.zstdCompress,
    decompressSync: given.zstdDecompressSync,
    decompress: given.zstdDecompress,
  })
}

/** The fastest level of each: a store is near, and what is saved is its memory. */
const methods: Record<CompressionName, Method | undefined> = {
  deflate: method({
    code: Compression.DEFLATE,
    options: { level: 1 },
    compressSync: zlib.deflateRawSync,
    compress: zlib.deflateRaw,
    decompressSync: zlib.inflateRawSync,
    decompress: zlib.inflateRaw,
  }),
  brotli: method({
    code: Compression.BROTLI,
    options: { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } },
    compressSync: zlib.brotliCompressSync,
    compress: zlib.brotliCompress,
    decompressSync: zlib.brotliDecompressSync,
    decompress: zlib.brotliDecompress,
  }),
  zstd: zstd(zlib as unknown as Zstd),
}

/** Whether this Node.js has it. */
export function hasCompression(name: CompressionName): boolean {
  return methods[name] !== undefined
}

/** What is used if nothing is chosen. */
export const DEFAULT_COMPRESSION: CompressionName = hasCompression('zstd') ? 'zstd' : 'brotli'

/** Bytes as they are stored. */
export interface Packed {
  readonly code: number
  readonly packed: Uint8Array
}

/** Bytes as they are stored: compressed only where that makes them smaller. */
export function pack(bytes: Uint8Array, name: CompressionName): Packed | Promise<Packed> {
  const method = methods[name]
  if (method === undefined) return { code: Compression.NONE, packed: bytes }
  const smaller = (packed: Uint8Array) =>
    packed.length < bytes.length
      ? { code: method.code, packed }
      : { code: Compression.NONE, packed: bytes }
  if (bytes.length < COMPRESS_APART) return smaller(method.compress(bytes))
  return method.compressApart(bytes).then(smaller)
}

/**
 * The bytes that were compressed.
 *
 * @param length - how many they must be: more are not even made.
 * @throws TierError `ERR_TIER`: they are not what was stored, or this Node.js cannot read them. If it
 * gives a promise, that rejects with it.
 */
export function unpack(
  packed: Uint8Array,
  code: number,
  length: number,
): Uint8Array | Promise<Uint8Array> {
  if (code === Compression.NONE) return whole(packed, length)
  const method = Object.values(methods).find(method => method?.code === code)
  if (method === undefined) {
    throw new TierError(`a stored value is compressed in a way that is unknown here (${code})`)
  }
  // The limit must be above 0.
  const limits = { maxOutputLength: Math.max(length, 1) }
  if (length >= DECOMPRESS_APART) {
    return method.decompressApart(packed, limits).then(bytes => whole(bytes, length), damaged)
  }
  let bytes: Buffer
  try {
    bytes = method.decompress(packed, limits)
  } catch (error) {
    return damaged(error)
  }
  return whole(bytes, length)
}

function whole(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes
  throw new TierError(`a stored value has ${bytes.length} bytes, not the ${length} that it says`)
}

function damaged(error: unknown): never {
  throw new TierError('a stored value could not be decompressed', { cause: error })
}
