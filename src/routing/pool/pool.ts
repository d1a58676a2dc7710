// A pool of worker threads in which each key has its worker.

import { checkShape, checkSignal, plainArray } from '../../base/checks.ts'
import { InvalidOptionError, PoolClosedError } from '../../base/errors.ts'
import { milliseconds } from '../../base/units.ts'
import { Ring } from '../ring.ts'
import { Heat } from './heat.ts'
import { Job } from './job.ts'
import { type CheckedPool, checkPool, type PoolOptions } from './options.ts'
import { Seat } from './seat.ts'
import type { PoolStats, RunOptions } from './types.ts'

/**
 * Starts a pool of worker threads. Each worker owns a share of all keys, by a {@link Ring}: work of one
 * key always meets the same worker, with all that it has at hand for it.
 *
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that cannot be.
 *
 * @example
 * ```js
 * import { createPool } from 'breakwater/routing'
 *
 * const pool = createPool({
 *   file: new URL('./worker.js', import.meta.url),
 *   route: request => request.user,
 *   workers: 4,
 * })
 * const answer = await pool.run({ user: '42' })
 * await pool.drain()
 * ```
 */
export function createPool<T, R>(options: PoolOptions<T>): Pool<T, R> {
  return new Pool(checkPool(options))
}

/** Worker threads, each of which owns a share of all keys. See {@link createPool}. */
export class Pool<T, R> {
  readonly #options: CheckedPool<T>
  readonly #ring: Ring
  readonly #seats: ReadonlyMap<string, Seat>
  readonly #hot: Heat | undefined
  #isClosed = false

  /** @internal */
  constructor(options: CheckedPool<T>) {
    this.#options = options
    const numbers = Array.from({ length: options.workers }, (_, i) => i)
    this.#ring = new Ring(numbers.map(String))
    this.#seats = new Map(numbers.map(i => [String(i), new Seat(i, options as never)]))
    this.#hot = options.hot && new Heat(options.hot.share)
  }

  /**
   * Has a task done by the worker that owns its key.
   *
   * @returns rejects with what the task threw, with the signal's reason, or with one of
   * - `ERR_TASK_TIMEOUT`: its time is over;
   * - `ERR_POOL_BUSY`: as many tasks as may wait for that worker do already;
   * - `ERR_WORKER_DIED`: the worker ended while it had the task, or cannot be started;
   * - `ERR_POOL_CLOSED`: the pool is closed;
   * - `ERR_INVALID_OPTION`: an option, a key or a task that cannot be.
   */
  async run(task: T, options: RunOptions = {}): Promise<R> {
    const { key, timeout, signal, transfer } = this.#check(task, options)
    if (this.#isClosed) throw new PoolClosedError()
    signal?.throwIfAborted()
    const job = new Job({ key, task, transfer, timeout, signal })
    const own = this.#seatOf(this.#ring.locate(key))
    const seat = this.#hot?.count(key) ? this.#leastOf(key, own) : own
    seat.take(job, seat !== own)
    return job.result as Promise<R>
  }

  /** What it does and has done. */
  stats(): PoolStats {
    const shares = this.#ring.shares()
    const workers = Array.from(this.#seats, ([name, seat]) =>
      seat.stats(shares.get(name) as number),
    )
    const sum = (name: 'waiting' | 'running' | 'done' | 'failed') =>
      workers.reduce((total, worker) => total + worker[name], 0)
    const [waiting, running, done, failed] = [
      sum('waiting'),
      sum('running'),
      sum('done'),
      sum('failed'),
    ]
    return { workers, waiting, running, done, failed, hot: this.#hot?.list() ?? [] }
  }

  /** Takes no more tasks, waits for those that it has, and ends its threads. */
  async drain(): Promise<void> {
    this.#isClosed = true
    await Promise.all(Array.from(this.#seats.values(), drain))
  }

  /** Ends its threads at once. Tasks that are not done reject with `ERR_POOL_CLOSED`. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(Array.from(this.#seats.values(), seat => seat.end()))
  }

  /** {@link Pool.drain}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.drain()
  }

  #check(task: T, given: RunOptions) {
    const names = ['key', 'timeout', 'signal', 'transfer'] as const
    const { key, timeout, signal, transfer = [] } = checkShape('options', given, names)
    checkSignal('options.signal', signal)
    return {
      key: checkKey(key ?? this.#options.route(task)),
      timeout:
        timeout === undefined ? this.#options.timeout : milliseconds('options.timeout', timeout),
      signal,
      transfer: plainArray('options.transfer', transfer),
    }
  }

  #seatOf(name: string): Seat {
    return this.#seats.get(name) as Seat
  }

  /** Of the workers that share a hot key, the one with the least to do; its own one if none has less. */
  #leastOf(key: string, own: Seat): Seat {
    const copies = this.#options.hot?.copies ?? 1
    return this.#ring
      .successors(key, copies)
      .map(name => this.#seatOf(name))
      .reduce((least, seat) => (seat.load < least.load ? seat : least), own)
  }
}

function drain(seat: Seat): Promise<void> {
  return new Promise(resolve => {
    seat.onIdle = () => {
      if (seat.isAwaited) return
      seat.onIdle = () => {}
      resolve(seat.end())
    }
    seat.onIdle()
  })
}

function checkKey(key: string): string {
  if (typeof key === 'string') return key
  throw new InvalidOptionError('key', key, 'a text: route must give one, or the call')
}
