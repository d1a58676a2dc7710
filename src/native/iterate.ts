// Iteration over a cache, a batch of entries per native call.

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
  givesBytes: boolean,
  decode: Decode<V>,
): Generator<[K, V], undefined, undefined> {
  for (const batch of batches(at, 1)) {
    const bytes = givesBytes ? new BytesOf(batch) : undefined
    // What a batch holds is decoded as it is asked for, but cut out in order.
    for (let i = 1; i + 1 < batch.length; i += 2) {
      const stored = bytes === undefined ? batch[i + 1] : bytes.next(batch[i + 1])
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
 * any. In the list their lengths stand for them.
 */
export class BytesOf {
  readonly #all: Buffer
  #at = 0

  /** Takes the ArrayBuffer off the list. */
  constructor(list: unknown[]) {
    const last = list.at(-1)
    this.#all = last instanceof ArrayBuffer ? Buffer.from(last) : Buffer.alloc(0)
    if (last instanceof ArrayBuffer) list.pop()
  }

  /** The next value: a copy of its own, if a length stands for it. */
  next(stored: unknown): unknown {
    if (typeof stored !== 'number') return stored
    const end = this.#at + stored
    const bytes = Buffer.allocUnsafe(stored)
    this.#all.copy(bytes, 0, this.#at, end)
    this.#at = end
    return bytes
  }
}
