// The errors of pools of worker threads.

import { BreakwaterError } from './error.ts'

/** `ERR_POOL_BUSY`: as many tasks as may wait for a worker of a pool wait already. */
export class PoolBusyError extends BreakwaterError {
  static override readonly code = 'ERR_POOL_BUSY'

  /** The worker that the task belongs to. */
  readonly worker: number
  /** How many tasks wait for it. */
  readonly waiting: number

  constructor(worker: number, waiting: number) {
    super('ERR_POOL_BUSY', `${waiting} tasks wait for worker ${worker} of the pool already`)
    this.worker = worker
    this.waiting = waiting
  }
}

/** `ERR_POOL_CLOSED`: the pool is closed, or was before the task was done. */
export class PoolClosedError extends BreakwaterError {
  static override readonly code = 'ERR_POOL_CLOSED'

  constructor() {
    super('ERR_POOL_CLOSED', 'the pool is closed')
  }
}

/** `ERR_TASK_TIMEOUT`: a task of a pool was not done in time. Its worker may still be at it. */
export class TaskTimeoutError extends BreakwaterError {
  static override readonly code = 'ERR_TASK_TIMEOUT'

  /** The time that it had, in milliseconds. */
  readonly timeout: number

  constructor(timeout: number) {
    super('ERR_TASK_TIMEOUT', `the task was not done within ${timeout} ms`)
    this.timeout = timeout
  }
}

/** `ERR_WORKER_DIED`: the worker that had a task ended before it answered; `cause` says why. */
export class WorkerDiedError extends BreakwaterError {
  static override readonly code = 'ERR_WORKER_DIED'

  /** Which worker of the pool. */
  readonly worker: number

  constructor(worker: number, message: string, options?: ErrorOptions) {
    super('ERR_WORKER_DIED', `worker ${worker} of the pool ${message}`, options)
    this.worker = worker
  }
}
