// Large values are compressed on their way to a store, by what Node's zlib has.
import * as zlib from 'node:zlib'
import { TierError } from '../errors.ts'

/** How bytes are compressed; the numbers are in stored values and never change. */
export const Compression = { NONE: 0, DEFLATE: 1, BROTLI: 2, ZSTD: 3 } as const

/** The name of a compression. */
export type CompressionName = 'deflate' | 'brotli' | 'zstd'

type Limits = { maxOutputLength: number }

/** What Node.js has from 22.15 on. */
interface Zstd {
  zstdCompressSync?(bytes: Uint8Array, options: object): Buffer
  constants: { ZSTD_c_compressionLevel?: number }
  zstdDecompressSync?(bytes: Uint8Array, limits: Limits): Buffer
}

const { zstdCompressSync, zstdDecompressSync, constants } = zlib as Zstd

interface Method {
  readonly code: number
  compress(bytes: Uint8Array): Buffer
  decompress(bytes: Uint8Array, limits: Limits): Buffer
}

/** The fastest level of each: a store is near, and what is saved is its memory. */
const methods: Record<CompressionName, Method | undefined> = {
  deflate: {
    code: Compression.DEFLATE,
    compress: bytes => zlib.deflateRawSync(bytes, { level: 1 }),
    decompress: (bytes, limits) => zlib.inflateRawSync(bytes, limits),
  },
  brotli: {
    code: Compression.BROTLI,
    compress: bytes =>
      zlib.brotliCompressSync(bytes, {
        params: {
          [zlib.constants.BROTLI_PARAM_QUALITY]: 1,
          [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        },
      }),
    decompress: (bytes, limits) => zlib.brotliDecompressSync(bytes, limits),
  },
  zstd: zstdCompressSync &&
    zstdDecompressSync && {
      code: Compression.ZSTD,
      compress: bytes =>
        zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel as number]: 1 } }),
      decompress: (bytes, limits) => zstdDecompressSync(bytes, limits),
    },
}

/** Whether this Node.js has it. */
export function hasCompression(name: CompressionName): boolean {
  return methods[name] !== undefined
}

/** What is used if nothing is chosen. */
export const DEFAULT_COMPRESSION: CompressionName = hasCompression('zstd') ? 'zstd' : 'brotli'

/** Bytes as they are stored: compressed only where that makes them smaller. */
export function pack(
  bytes: Uint8Array,
  name: CompressionName,
): { code: number; packed: Uint8Array } {
  const method = methods[name]
  const packed = method?.compress(bytes)
  if (method === undefined || packed === undefined || packed.length >= bytes.length) {
    return { code: Compression.NONE, packed: bytes }
  }
  return { code: method.code, packed }
}

/**
 * The bytes that were compressed.
 *
 * @param length - how many they must be: more are not even made.
 * @throws TierError `ERR_TIER`: they are not what was stored, or this Node.js cannot read them.
 */
export function unpack(packed: Uint8Array, code: number, length: number): Uint8Array {
  const bytes = code === Compression.NONE ? packed : decompress(packed, code, length)
  if (bytes.length === length) return bytes
  throw new TierError(`a stored value has ${bytes.length} bytes, not the ${length} that it says`)
}

function decompress(packed: Uint8Array, code: number, length: number): Buffer {
  const method = Object.values(methods).find(method => method?.code === code)
  if (method === undefined) {
    throw new TierError(`a stored value is compressed in a way that is unknown here (${code})`)
  }
  try {
    // The limit must be above 0.
    return method.decompress(packed, { maxOutputLength: Math.max(length, 1) })
  } catch (error) {
    throw new TierError('a stored value could not be decompressed', { cause: error })
  }
}
