// Writes that are more than a `set` here: through to the origin, behind to it, and invalidations that
// are done once more.
import { checkDuration, checkFunction, checkShape } from '../base/checks.ts'
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import type { Timers } from '../base/timers.ts'
import type { CacheKey, Duration, SetOptions } from '../base/types.ts'
import { Again } from './again.ts'
import {
  type BatchWriter,
  checkWriteBehind,
  WriteBehind,
  type WriteBehindOptions,
  type WriteBehindStats,
} from './behind.ts'
import type { WriteEntry } from './queue.ts'
import {
  checkWriteThrough,
  type EntryWriter,
  type TellWrite,
  WriteThrough,
  type WriteThroughOptions,
} from './through.ts'

/** How `put` and `remove` reach the origin. */
export interface WritingOptions<K extends CacheKey = CacheKey, V = unknown> {
  /** Writes one entry to the origin: `put` and `remove` wait for it, and the cache follows. */
  writer?: EntryWriter<K, V> | undefined
  /** How long a `writer` may take. */
  writeThrough?: WriteThroughOptions | undefined
  /**
   * Writes entries to the origin later, in batches: `put` and `remove` do not wait for it. What is
   * pending is lost if the process crashes. Not together with `writer`.
   */
  writeBehind?: (WriteBehindOptions<K, V> & { writer: BatchWriter<K, V> }) | undefined
}

/** How a key is invalidated. */
export interface InvalidateOptions {
  /**
   * After how long it is invalidated once more: whoever read the origin, or a replica that lags
   * behind, before the write may have stored what it read in between. Not at all if left out.
   */
  again?: Duration | undefined
}

/** What writing does to the cache. `R` is a write that is ready to be stored. */
export interface Written<K extends CacheKey, V, R> {
  /** Makes a write ready, and throws whatever storing it would. */
  ready(key: K, value: V, options: SetOptions | undefined): R
  /** Throws if no key can be this. */
  needKey(key: K): void
  /** Writes reached the origin, or were given up. */
  tell(by: 'through' | 'behind', ...write: Parameters<TellWrite<K>>): void
  store(key: K, value: V, ready: R): Promise<void>
  forget(key: K): Promise<void>
}

/** The names of the options. */
export const writingOptions: readonly (keyof WritingOptions)[] = [
  'writer',
  'writeThrough',
  'writeBehind',
]

/** Checks how writes reach the origin. */
export function checkWriting<K extends CacheKey, V>(options: WritingOptions<K, V>): void {
  const { writer, writeThrough, writeBehind } = options
  checkFunction('writer', writer)
  checkWriteThrough(writeThrough)
  if (writeBehind === undefined) return
  if (typeof writeBehind !== 'object' || writeBehind === null) {
    throw new InvalidOptionError('writeBehind', writeBehind, 'an object { writer, ... }')
  }
  const { writer: batchWriter, ...rest } = writeBehind
  if (checkFunction('writeBehind.writer', batchWriter) === undefined) {
    throw new InvalidOptionError('writeBehind.writer', batchWriter, 'a function')
  }
  checkWriteBehind(rest)
  if (writer !== undefined) {
    throw new OptionCombinationError('writer', writer, 'writeBehind', 'say one of them')
  }
}

/** The writes of one instance. */
export class Writing<K extends CacheKey, V, R> {
  readonly #cache: Written<K, V, R>
  readonly #through: WriteThrough<K, V, R> | undefined
  readonly #behind: WriteBehind<K, V> | undefined
  readonly #again: Again<K>

  constructor(options: WritingOptions<K, V>, cache: Written<K, V, R>, timers: Timers) {
    const { writer, writeThrough, writeBehind } = options
    this.#cache = cache
    this.#through =
      writer &&
      new WriteThrough(writer, cache, writeThrough, timers, (...write) =>
        cache.tell('through', ...write),
      )
    if (writeBehind !== undefined) {
      const { writer: batchWriter, ...rest } = writeBehind
      this.#behind = new WriteBehind(batchWriter, rest, timers, {
        tell: (...write) => cache.tell('behind', ...write),
      })
    }
    this.#again = new Again(key => cache.forget(key), timers)
  }

  /** What became of writes behind; `undefined` if there are none. */
  get stats(): WriteBehindStats | undefined {
    return this.#behind?.stats
  }

  /** Stores a value in origin, cache and second tier. What cannot be stored the origin does not get. */
  async put(key: K, value: V, options: SetOptions | undefined): Promise<void> {
    const ready = this.#cache.ready(key, value, options)
    if (this.#through !== undefined) return this.#through.set(key, value, ready)
    const room = this.#behind?.add({ kind: 'set', key, value })
    if (room !== undefined) await room
    await this.#cache.store(key, value, ready)
  }

  /** Removes a key from origin, cache and second tier. */
  async remove(key: K): Promise<void> {
    this.#cache.needKey(key)
    if (this.#through !== undefined) return this.#through.delete(key)
    const room = this.#behind?.add({ kind: 'delete', key })
    if (room !== undefined) await room
    await this.#cache.forget(key)
  }

  /** Removes a key from cache and second tier, and perhaps once more. */
  async invalidate(key: K, options: InvalidateOptions = {}): Promise<void> {
    this.#cache.needKey(key)
    const { again } = checkShape('options', options, ['again'])
    if (again !== undefined) this.#again.add(key, checkDuration('again', again))
    await this.#cache.forget(key)
  }

  /** The write of a key that the origin has not taken yet. */
  find(key: K): WriteEntry<K, V> | undefined {
    return this.#behind?.find(key)
  }

  /** Resolves when the origin has all that was written before, or it was given up. */
  async flush(): Promise<void> {
    await Promise.all([this.#through?.idle(), this.#behind?.flush()])
  }

  /** Does what is to be done again, and takes no more writes behind. */
  async close(): Promise<void> {
    this.#again.close()
    await Promise.all([this.#through?.idle(), this.#behind?.close()])
  }
}
