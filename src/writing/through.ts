// Writes that reach the origin first and the cache then.
import { checkDuration, checkShape, needFunction } from '../base/checks.ts'
import { WriteFailedError } from '../base/errors.ts'
import { type Identity, identityOf } from '../base/identity.ts'
import { Pending } from '../base/pending.ts'
import type { Timers } from '../base/timers.ts'
import type { CacheKey, Duration } from '../base/types.ts'
import type { WriteEntry } from './queue.ts'

/** Writes one entry to the origin. The signal aborts when it takes too long. */
export type EntryWriter<K, V> = (
  entry: WriteEntry<K, V>,
  context: { readonly signal: AbortSignal },
) => PromiseLike<unknown> | unknown

/** What writing through does to the cache. `O` is what a write asks of it, as its life. */
export interface WriteTarget<K, V, O> {
  store(key: K, value: V, options: O): PromiseLike<unknown> | unknown
  forget(key: K): PromiseLike<unknown> | unknown
}

/** Told when writes reached the origin or were given up; `begun` by the timers. */
export type TellWrite<K> = (
  keys: readonly K[],
  begun: number,
  failed: { readonly error: unknown } | undefined,
) => void

/** How writes go through. */
export interface WriteThroughOptions {
  /**
   * How long the origin may take; `'30s'` if left out. Then the write fails and the next of its key
   * begins; the origin may still take it if it does not heed the signal.
   */
  timeout?: Duration | undefined
}

/** Checks how writes go through and fills in what was left out. */
export function checkWriteThrough(
  given: WriteThroughOptions | undefined,
  option = 'writeThrough',
): { timeout: number } {
  const { timeout = '30s' } = checkShape(option, given, ['timeout'])
  return { timeout: checkDuration(`${option}.timeout`, timeout) }
}

/**
 * Writes through. Writes of one key take turns, so that they come to the cache in the order in which
 * they came to the origin; those of other threads and processes do not.
 *
 * If the origin fails nobody knows what it has: the cache forgets the key and the next read asks.
 */
export class WriteThrough<K extends CacheKey, V, O = undefined> {
  readonly #writer: EntryWriter<K, V>
  readonly #store: WriteTarget<K, V, O>
  readonly #timeout: number
  readonly #timers: Timers
  readonly #tell: TellWrite<K>
  /** The last turn of each key that has one. None fails. */
  readonly #turns = new Pending<Identity, Promise<void>>()

  constructor(
    writer: EntryWriter<K, V>,
    store: WriteTarget<K, V, O>,
    options: WriteThroughOptions | undefined,
    timers: Timers,
    tell: TellWrite<K> = () => {},
  ) {
    this.#tell = tell
    this.#writer = needFunction('writer', writer)
    this.#store = store
    this.#timeout = checkWriteThrough(options).timeout
    this.#timers = timers
  }

  /** How many keys are being written. */
  get size(): number {
    return this.#turns.size
  }

  /**
   * Writes a value to the origin and, when that has it, to the cache.
   *
   * @throws WriteFailedError (`ERR_WRITE_FAILED`) if the origin fails, or what storing throws: then
   * the cache has no value of the key.
   */
  set(key: K, value: V, options: O): Promise<void> {
    return this.#inTurn({ kind: 'set', key, value }, () => this.#store.store(key, value, options))
  }

  /**
   * Deletes a key from the origin and from the cache.
   *
   * @throws WriteFailedError (`ERR_WRITE_FAILED`) if the origin fails; the cache forgets it anyway.
   */
  delete(key: K): Promise<void> {
    return this.#inTurn({ kind: 'delete', key }, () => this.#store.forget(key))
  }

  /** Resolves when the writes that are under way now have ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#turns.all())
  }

  #inTurn(entry: WriteEntry<K, V>, keep: () => unknown): Promise<void> {
    const id = identityOf(entry.key)
    const write = () => this.#write(entry, keep)
    const before = this.#turns.of(id)
    const result = before === undefined ? write() : before.then(write)
    const done = () => void this.#turns.end(id, turn)
    const turn: Promise<void> = result.then(done, done)
    this.#turns.begin(id, turn)
    return result
  }

  async #write(entry: WriteEntry<K, V>, keep: () => unknown): Promise<void> {
    const begun = this.#timers.now()
    try {
      await this.#toOrigin(entry)
      this.#tell([entry.key], begun, undefined)
    } catch (cause) {
      this.#tell([entry.key], begun, { error: cause })
      const causes = await this.#forget(entry.key, cause)
      throw new WriteFailedError(`the origin failed to take a ${entry.kind}`, { cause: causes })
    }
    try {
      await keep()
    } catch (error) {
      throw await this.#forget(entry.key, error)
    }
  }

  /** Forgets a key after an error; gives that, or both if this fails as well. */
  async #forget(key: K, error: unknown): Promise<unknown> {
    try {
      await this.#store.forget(key)
      return error
    } catch (another) {
      return new AggregateError([error, another], 'the cache could not forget the key either')
    }
  }

  /** Settles as the writer does, or fails when its time is over. */
  #toOrigin(entry: WriteEntry<K, V>): Promise<unknown> {
    const controller = new AbortController()
    return new Promise((resolve, reject) => {
      const late = () => {
        const error = new Error(`the origin took longer than ${this.#timeout} ms`)
        reject(error)
        controller.abort(error)
      }
      // The one who writes waits for it.
      const cancel = this.#timers.after(this.#timeout, late, true)
      const call = async () => this.#writer(entry, { signal: controller.signal })
      call().then(resolve, reject).then(cancel)
    })
  }
}
