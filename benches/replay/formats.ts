/** Trace files: which format one has, and its keys in the order of the requests, in batches. */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

/** A key of a request. */
export type Id = number | string

/** The formats, each of which may also be compressed by gzip. */
export const FORMATS = ['lines', 'u32', 'lis', 'oracleGeneral'] as const
/** One of {@link FORMATS}. */
export type Format = (typeof FORMATS)[number]

const BATCH = 65_536

/** A file that cannot be replayed. */
export class TraceError extends Error {
  readonly code = 'ERR_TRACE'
}

/** The format that a file's name tells: `lines`, if it tells none. */
export function formatOf(file: string): Format {
  const name = file.replace(/\.gz$/i, '')
  if (/\.u32$/i.test(name)) return 'u32'
  if (/\.lis$/i.test(name)) return 'lis'
  if (/oracleGeneral/i.test(name)) return 'oracleGeneral'
  return 'lines'
}

/**
 * Reads a trace in batches of keys.
 * @throws TraceError if the file is compressed by something other than gzip or does not have the
 * format.
 */
export async function* read(file: string, format = formatOf(file)): AsyncGenerator<Id[]> {
  const stream = await decompressed(file)
  let batch: Id[] = []
  for await (const id of PARSERS[format](stream)) {
    batch.push(id)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function decompressed(file: string): Promise<Readable> {
  const handle = await open(file)
  const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0)
  await handle.close()
  const magic = buffer.readUInt32BE()
  if (magic === 0x28b52ffd) throw new TraceError(`${file} is compressed by zstd: unpack it first`)
  const stream = createReadStream(file, { highWaterMark: 2 ** 20 })
  if (magic >>> 16 !== 0x1f8b) return stream
  const gunzip = createGunzip({ chunkSize: 2 ** 20 })
  stream.on('error', error => gunzip.destroy(error))
  return stream.pipe(gunzip)
}

const PARSERS: Record<Format, (stream: Readable) => AsyncIterable<Id>> = {
  /** One key a line; empty lines are no requests. */
  async *lines(stream) {
    for await (const line of createInterface({ input: stream })) {
      if (line !== '') yield line
    }
  },

  /** Little-endian 32-bit numbers. */
  async *u32(stream) {
    for await (const records of whole(stream, 4)) {
      for (let at = 0; at < records.length; at += 4) yield records.readUInt32LE(at)
    }
  },

  /** Megiddo and Modha's ARC traces: `first block, blocks, ...` a line. */
  async *lis(stream) {
    for await (const line of createInterface({ input: stream })) {
      if (line === '') continue
      const [first = Number.NaN, blocks = Number.NaN] = line.trim().split(/\s+/).map(Number)
      if (!Number.isSafeInteger(first + blocks)) {
        throw new TraceError(`not a line of an ARC trace: ${line.slice(0, 80)}`)
      }
      for (let block = first; block < first + blocks; block++) yield block
    }
  },

  /** libCacheSim's records: time u32, id u64, size u32, next access i64; little-endian. */
  async *oracleGeneral(stream) {
    for await (const records of whole(stream, 24)) {
      for (let at = 0; at < records.length; at += 24) {
        const id = records.readUInt32LE(at + 4) + records.readUInt32LE(at + 8) * 2 ** 32
        // Above 2^53 two ids could become one number.
        yield Number.isSafeInteger(id) ? id : records.readBigUInt64LE(at + 4).toString()
      }
    }
  },
}

/** The stream in buffers of whole records. */
async function* whole(stream: Readable, size: number): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of stream) {
    const all = rest.length > 0 ? Buffer.concat([rest, chunk]) : (chunk as Buffer)
    const end = all.length - (all.length % size)
    yield all.subarray(0, end)
    rest = all.subarray(end)
  }
  if (rest.length > 0) throw new TraceError(`the file ends within a record of ${size} bytes`)
}
