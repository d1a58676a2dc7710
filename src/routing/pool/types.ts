// What users of a pool and its modules of tasks see.
import type { Transferable } from 'node:worker_threads'
import type { Duration } from '../../base/types.ts'

/** What a task is done with. */
export interface TaskContext {
  /** The key that the task was routed by. */
  readonly key: string
  /** Which worker of the pool this is, from 0 on. A replacement has the number of the one that died. */
  readonly worker: number
  /** `data` of the pool's options: each worker has its own copy. */
  readonly data: unknown
  /** Aborts when nobody waits for the task any more: its time is over, or the caller's signal aborted. */
  readonly signal: AbortSignal
}

/** Does a task: the default export of a pool's `file`. */
export type TaskHandler<T, R> = (task: T, context: TaskContext) => R | Promise<R>

/** Options of one task. */
export interface RunOptions {
  /** The key to route by; what `route` says if left out. */
  key?: string | undefined
  /** How long it may take, waiting included; the pool's `timeout` if left out. */
  timeout?: Duration | undefined
  /** Gives the task up: the call rejects with the signal's reason, and the task's own signal aborts. */
  signal?: AbortSignal | undefined
  /** What of the task is moved to the worker instead of copied. */
  transfer?: readonly Transferable[] | undefined
}

/** What a pool tells of one worker. */
export interface WorkerStats {
  /** Which one, from 0 on. */
  readonly worker: number
  /** The share of all keys that are its own, from 0 to 1. */
  readonly share: number
  /** Whether it does tasks: it does not while it starts, or waits to be started again. */
  readonly isUp: boolean
  /** Tasks that wait for it. */
  readonly waiting: number
  /** Tasks that it does at the moment. */
  readonly running: number
  /** Tasks that it did. */
  readonly done: number
  /** Tasks that threw, that took too long, or that were given up. */
  readonly failed: number
  /** Of the tasks it was given, those of hot keys that are another worker's own. */
  readonly lent: number
  /** How often it was started again. */
  readonly restarts: number
}

/** What a pool tells of itself. */
export interface PoolStats {
  readonly workers: readonly WorkerStats[]
  /** Tasks that wait. */
  readonly waiting: number
  /** Tasks that are done at the moment. */
  readonly running: number
  /** Tasks that were done. */
  readonly done: number
  /** Tasks that failed. */
  readonly failed: number
  /** Keys that are hot now, the hottest first. */
  readonly hot: readonly string[]
}

/** A worker that ended although nobody asked it to. */
export interface WorkerDeath {
  /** Which one. */
  readonly worker: number
  /** Why. */
  readonly error: Error
  /** Tasks that it was doing: those that are tried again, and those that failed with it. */
  readonly retried: number
  readonly failed: number
}
