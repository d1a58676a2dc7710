// What a node reads most, in the bytes in which it is kept and handed over: words of requests, no values.
import { builtin } from '../base/builtin.ts'

/** The most reads, and the most bytes of their words. */
export const MOST_READS = 100_000
export const MOST_BYTES = 8 * 1024 * 1024

/** What the bytes begin with: a name, and the version of the form. Then come a SHA-256 and the reads. */
const NAME = Buffer.from('breakwater hot reads ')
const VERSION = Buffer.from('1\n')
const DIGEST = 32
/** Each read is behind its length, and how often it was made. */
const LENGTH = 4
const TIMES = 1
const HEAD = NAME.length + VERSION.length + DIGEST
/** The most bytes that there may be of it all. */
export const LONGEST = HEAD + MOST_BYTES

/** Reads, as they are kept. */
export function sealed(reads: Uint8Array): Buffer {
  return Buffer.concat([NAME, VERSION, digestOf(reads), reads])
}

/** The reads in bytes that anybody may have made. Throws what is wrong with them. */
export function opened(bytes: Buffer): Uint8Array {
  if (!bytes.subarray(0, NAME.length).equals(NAME)) throw new Error('it holds no hot reads')
  const rest = bytes.subarray(NAME.length)
  if (!rest.subarray(0, VERSION.length).equals(VERSION)) throw new Error('it has another version')
  if (bytes.length > LONGEST) throw tooLong()
  const reads = bytes.subarray(HEAD)
  if (!bytes.subarray(HEAD - DIGEST, HEAD).equals(digestOf(reads))) throw new Error('it is damaged')
  return reads
}

/** How many reads there are in what a node reads most. */
export function readsIn(reads: Uint8Array): number {
  let count = 0
  for (const _ of each(reads)) count++
  return count
}

/** What several processes read most, in turns and each read once, as far as there is room. */
export function mergedReads(all: readonly Uint8Array[], mostBytes = MOST_BYTES): Uint8Array {
  if (all.length === 1) return all[0]!
  const known = new Set<string>()
  const merged: Uint8Array[] = []
  let room = mostBytes
  for (let turns = all.map(each); turns.length > 0; ) {
    turns = turns.filter(turn => {
      const { value: read } = turn.next()
      if (read === undefined || room < read.length) return false
      // How often it was made is not a part of what it is.
      const name = read.toString('latin1', LENGTH + TIMES)
      if (known.has(name)) return true
      known.add(name)
      merged.push(read)
      room -= read.length
      return true
    })
  }
  return Buffer.concat(merged)
}

/** Each read, with the length that it is behind. */
function* each(reads: Uint8Array): Generator<Buffer, undefined> {
  const bytes = Buffer.from(reads.buffer, reads.byteOffset, reads.length)
  for (let at = 0; at + LENGTH <= bytes.length; ) {
    const end = at + LENGTH + bytes.readUInt32LE(at)
    yield bytes.subarray(at, end)
    at = end
  }
}

export function tooLong(): Error {
  return new Error(`it is longer than ${LONGEST} bytes`)
}

function digestOf(reads: Uint8Array): Buffer {
  return builtin('node:crypto').createHash('sha256').update(reads).digest()
}
