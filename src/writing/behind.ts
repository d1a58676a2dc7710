// Writes that reach the origin later, in batches. What is pending is lost if the process crashes.

import {
  checkCount,
  checkDuration,
  checkFlag,
  checkFunction,
  checkOneOf,
  checkShape,
  needFunction,
} from '../base/checks.ts'
import { inNeutralContext } from '../base/context.ts'
import {
  CacheClosedError,
  InvalidOptionError,
  WriteFailedError,
  WriteQueueFullError,
} from '../base/errors.ts'
import { report } from '../base/report.ts'
import { textOf } from '../base/thrown.ts'
import type { Cancel, Timers } from '../base/timers.ts'
import type { CacheKey, Duration } from '../base/types.ts'
import { Retry } from '../guard/retry.ts'
import { type BackOffOptions, checkBackOff } from '../guard/waits.ts'
import { type WriteEntry, WriteQueue } from './queue.ts'
import { hook, unhook } from './signals.ts'
import type { TellWrite } from './through.ts'

/** What a function that writes a batch is told besides the entries. */
export interface WriteContext {
  /** Aborts when the cache closed and the write took longer than `closeTimeout`. */
  readonly signal: AbortSignal
  /** How often the batch failed before. */
  readonly failures: number
}

/**
 * Writes a batch to the origin. A batch that fails is written again as a whole, so that what it wrote
 * of it before is written twice. The next batch waits for it: give it a time limit.
 */
export type BatchWriter<K, V> = (
  entries: readonly WriteEntry<K, V>[],
  context: WriteContext,
) => PromiseLike<void> | void

/** How writes are gathered and what becomes of those that fail. */
export interface WriteBehindOptions<K, V> {
  /** The most entries in a batch, which goes out at once when there are as many; 100 if left out. */
  maxBatch?: number | undefined
  /** How long a write is pending before its batch goes out; `'1s'` if left out. */
  maxDelay?: Duration | undefined
  /** The most writes that are pending, with those being written; 10,000 if left out. */
  maxPending?: number | undefined
  /**
   * What a write does for which there is no room: `'wait'` (if left out) gives a promise of when there
   * is, `'error'` throws `ERR_WRITE_QUEUE_FULL`. Nothing bounds writes that do not await the promise.
   */
  whenFull?: 'wait' | 'error' | undefined
  /** Whether each write of a key is written; if left out, of those that are pending the last. */
  keepAll?: boolean | undefined
  /** How often a batch that failed is written again; 5 if left out. */
  retries?: number | undefined
  /** How the waits between that grow. */
  backOff?: BackOffOptions | undefined
  /** How long closing waits for what is pending; `'10s'` if left out. */
  closeTimeout?: Duration | undefined
  /**
   * The signals that wait for what is pending; `SIGTERM` and `SIGINT` if left out or `true`. The
   * process ends by the signal then, unless somebody else listens to it, who ends it and closes the
   * cache before. Only the main thread hears of signals: close the caches of workers.
   */
  flushOnSignal?: boolean | readonly NodeJS.Signals[] | undefined
  /**
   * Gets the entries that could not be written, with the last error; the next batch waits for it. If
   * left out, a warning of the process (`ERR_WRITE_FAILED`) says how many they were, and they are gone.
   */
  onWriteError?:
    | ((error: unknown, entries: readonly WriteEntry<K, V>[]) => PromiseLike<void> | void)
    | undefined
}

/** What became of the writes, and what is pending. */
export interface WriteBehindStats {
  /** Writes that are pending, with those being written. */
  pending: number
  /** Writes that wait for room. */
  waiting: number
  /** Milliseconds since the oldest of them came; 0 if there is none. */
  oldestAge: number
  /** Entries written. */
  written: number
  /** Entries that could not be written. */
  failed: number
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT']

/** Checks the options of writing behind and fills in what was left out. */
export function checkWriteBehind<K, V>(
  given: WriteBehindOptions<K, V> | undefined,
  option = 'writeBehind',
) {
  const options = checkShape(option, given, [
    'maxBatch',
    'maxDelay',
    'maxPending',
    'whenFull',
    'keepAll',
    'retries',
    'backOff',
    'closeTimeout',
    'flushOnSignal',
    'onWriteError',
  ])
  const { maxBatch = 100, maxDelay = '1s', maxPending = 10_000, whenFull = 'wait' } = options
  const { keepAll = false, retries = 5, closeTimeout = '10s', flushOnSignal = true } = options
  const backOff = checkBackOff(options.backOff, `${option}.backOff`)
  return {
    maxBatch: checkCount(`${option}.maxBatch`, maxBatch),
    maxDelay: checkDuration(`${option}.maxDelay`, maxDelay),
    maxPending: checkCount(`${option}.maxPending`, maxPending),
    whenFull: checkOneOf(`${option}.whenFull`, whenFull, ['wait', 'error']),
    keepAll: checkFlag(`${option}.keepAll`, keepAll),
    retry: { retries: checkCount(`${option}.retries`, retries, { least: 0 }), backOff },
    closeTimeout: checkDuration(`${option}.closeTimeout`, closeTimeout),
    signals: checkSignals(`${option}.flushOnSignal`, flushOnSignal),
    onWriteError: checkFunction(`${option}.onWriteError`, options.onWriteError),
  }
}

function checkSignals(
  option: string,
  given: boolean | readonly NodeJS.Signals[],
): readonly NodeJS.Signals[] {
  if (typeof given === 'boolean') return given ? SIGNALS : []
  const isName = (name: unknown) => typeof name === 'string' && /^SIG[A-Z]+\d?$/.test(name)
  if (Array.isArray(given) && given.every(isName)) return [...given]
  throw new InvalidOptionError(
    option,
    given,
    "true, false or an array of signals such as 'SIGTERM'",
  )
}

/**
 * Writes behind. Writes of one key reach the origin in their order: batches are written one after
 * the other, each until it succeeded or was given up. Values are written as they were given: who
 * changes them meanwhile changes what is written. The process stays alive while something is pending;
 * `process.exit()`, a crash or a kill loses it.
 */
export class WriteBehind<K extends CacheKey, V> {
  readonly #writer: BatchWriter<K, V>
  readonly #options: ReturnType<typeof checkWriteBehind<K, V>>
  readonly #timers: Timers
  readonly #tell: TellWrite<K>
  readonly #retry: Retry
  readonly #queue: WriteQueue<K, V>
  readonly #cutOff = new AbortController()
  /** Those who wait until all that came up to a turn is done with, in the order of turns. */
  readonly #flushes: { turn: number; resolve: () => void }[] = []
  #isWriting = false
  #isHooked = false
  /** Takes back the timer of the next batch. */
  #cancel: Cancel | undefined
  #closing: Promise<void> | undefined
  #written = 0
  #failed = 0

  constructor(
    writer: BatchWriter<K, V>,
    options: WriteBehindOptions<K, V> | undefined,
    timers: Timers,
    { random = Math.random, tell = () => {} }: { random?: () => number; tell?: TellWrite<K> } = {},
  ) {
    this.#tell = tell
    this.#writer = needFunction('writer', writer)
    this.#options = checkWriteBehind(options)
    this.#timers = timers
    this.#retry = new Retry({ ...this.#options.retry, when: () => true }, timers, random)
    this.#queue = new WriteQueue(this.#options.maxPending, this.#options.keepAll)
  }

  /** What became of the writes, and what is pending. */
  get stats(): WriteBehindStats {
    const { size: pending, waiting, oldest } = this.#queue
    const oldestAge = oldest === undefined ? 0 : this.#timers.now() - oldest.at
    return { pending, waiting, oldestAge, written: this.#written, failed: this.#failed }
  }

  /**
   * Adds a write.
   *
   * @returns nothing if it is pending now, or a promise of when it is.
   * @throws WriteQueueFullError (`ERR_WRITE_QUEUE_FULL`) if there is no room and it may not wait.
   */
  add(entry: WriteEntry<K, V>): Promise<void> | undefined {
    if (this.#closing !== undefined) throw new CacheClosedError()
    if (this.#options.whenFull === 'error' && this.#queue.isFullFor(entry.key)) {
      throw new WriteQueueFullError(this.#queue.size)
    }
    const room = this.#queue.add(entry, this.#timers.now())
    if (!this.#isHooked) {
      this.#isHooked = true
      hook(this, this.#options.signals)
    }
    this.#next()
    return room
  }

  /** The last write of a key that the origin has not taken yet: what a load of it must not undo. */
  find(key: K): WriteEntry<K, V> | undefined {
    return this.#queue.find(key)
  }

  /** Resolves when all writes that came before are written or given up. */
  flush(): Promise<void> {
    const { oldest, turn } = this.#queue
    if (oldest === undefined) return Promise.resolve()
    return new Promise(resolve => {
      this.#flushes.push({ turn, resolve })
      this.#next()
    })
  }

  /**
   * Takes no more writes and resolves when all are written or given up: after `closeTimeout` those
   * that are left are given up.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const flushed = this.flush()
    if (await this.#isInTime(flushed)) return
    this.#cutOff.abort(new WriteFailedError('the cache closed before the write was done'))
    if (await this.#isInTime(flushed)) return
    const { pending, waiting } = this.stats
    warn(`onWriteError did not settle: ${pending + waiting} entries were not written`)
  }

  /** Whether a promise settles before closing has taken too long. */
  #isInTime(promise: Promise<void>): Promise<boolean> {
    return new Promise(resolve => {
      const cancel = this.#timers.after(this.#options.closeTimeout, () => resolve(false), true)
      promise.then(() => {
        cancel()
        resolve(true)
      })
    })
  }

  /**
   * Writes the next batch if it is its time, else comes back then. In the context of nobody: a batch is
   * of many callers.
   */
  readonly #next = inNeutralContext(() => this.#goOn())

  #goOn(): void {
    const { oldest } = this.#queue
    if (this.#isWriting || oldest === undefined) return
    const { maxBatch, maxPending, maxDelay } = this.#options
    const isFull = this.#queue.pending >= Math.min(maxBatch, maxPending)
    const isAwaited = oldest.turn <= (this.#flushes.at(-1)?.turn ?? 0)
    const wait = oldest.at + maxDelay - this.#timers.now()
    if (isFull || isAwaited || wait <= 0) {
      this.#write()
      return
    }
    this.#cancel ??= this.#timers.after(
      wait,
      () => {
        this.#cancel = undefined
        this.#next()
      },
      true,
    )
  }

  async #write(): Promise<void> {
    this.#isWriting = true
    this.#cancel?.()
    this.#cancel = undefined
    const entries = this.#queue.take(this.#options.maxBatch)
    const keys = entries.map(({ key }) => key)
    const begun = this.#timers.now()
    const { signal } = this.#cutOff
    try {
      const attempt = async (failures: number) => this.#writer(entries, { signal, failures })
      await untilAborted(this.#retry.run(attempt, signal), signal)
      this.#written += entries.length
      this.#tell(keys, begun, undefined)
    } catch (error) {
      this.#failed += entries.length
      this.#tell(keys, begun, { error })
      await this.#giveUp(error, entries)
    }
    this.#isWriting = false
    this.#done()
  }

  #done(): void {
    this.#queue.done()
    const { oldest } = this.#queue
    while (
      this.#flushes.length > 0 &&
      (oldest?.turn ?? Number.POSITIVE_INFINITY) > this.#flushes[0]!.turn
    ) {
      this.#flushes.shift()!.resolve()
    }
    if (oldest === undefined && this.#isHooked) {
      this.#isHooked = false
      unhook(this, this.#options.signals)
    }
    this.#next()
  }

  async #giveUp(error: unknown, entries: readonly WriteEntry<K, V>[]): Promise<void> {
    const { onWriteError } = this.#options
    if (onWriteError === undefined) {
      warn(`${entries.length} entries were not written: ${textOf(error)}`)
      return
    }
    try {
      await onWriteError(error, entries)
    } catch (thrown) {
      report(thrown)
    }
  }
}

/** What a promise comes to, or the signal's reason if that is sooner. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort)
    const settled = () => signal.removeEventListener('abort', abort)
    promise.then(resolve, reject).then(settled)
  })
}

function warn(message: string): void {
  process.emitWarning(message, { type: 'BreakwaterWarning', code: 'ERR_WRITE_FAILED' })
}
