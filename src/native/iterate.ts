// Iteration over a cache, a batch of entries per native call.

import { types } from 'node:util'
import type { CacheKey } from '../base/types.ts'
import { binding } from './native.ts'

/** About how many entries a native call gives. */
const BATCH = 256

/** Turns what the native side gives for a value into the value; bytes have been cut out already. */
export type Decode<V> = (stored: unknown) => V

/** The keys. */
export function* keys<K extends CacheKey>(at: number): Generator<K, undefined, undefined> {
  for (const batch of batches(at, 0)) {
    for (let i = 1; i < batch.length; i += 2) yield batch[i] as K
  }
}

/** The entries. */
export function* entries<K extends CacheKey, V>(
  at: number,
  decode: Decode<V>,
): Generator<[K, V], undefined, undefined> {
  for (const batch of batches(at, 1)) {
    const bytes = new BytesOf(batch)
    // What a batch holds is decoded as it is asked for, but cut out in order.
    for (let i = 1; i + 1 < batch.length; i += 2) {
      const stored = bytes.next(batch[i + 1])
      yield [batch[i] as K, decode(stored)]
    }
  }
}

function* batches(at: number, values: 0 | 1): Generator<unknown[], undefined, undefined> {
  let cursor = 0n
  do {
    const batch = binding.scan(at, cursor, BATCH, values)
    cursor = batch[0] as bigint
    yield batch
  } while (cursor !== 0n)
}

/**
 * Cuts byte values out of the ArrayBuffer that the native side appends to a list when there are
 * any, each behind its length. In the list `true` stands for them.
 */
export class BytesOf {
  readonly #all: Buffer | undefined
  #at = 0

  /** Takes the ArrayBuffer off the list. */
  constructor(list: unknown[]) {
    const last = list.at(-1)
    if (!types.isArrayBuffer(last)) return
    this.#all = Buffer.from(last)
    list.pop()
  }

  /** Whether there are none. */
  get areNone(): boolean {
    return this.#all === undefined
  }

  /** The next value: a copy of its own, if it is bytes. */
  next(stored: unknown): unknown {
    if (stored !== true || this.#all === undefined) return stored
    const start = this.#at + Uint32Array.BYTES_PER_ELEMENT
    const length = this.#all.readUInt32LE(this.#at)
    this.#at = start + length
    const bytes = Buffer.allocUnsafe(length)
    this.#all.copy(bytes, 0, start, this.#at)
    return bytes
  }
}
