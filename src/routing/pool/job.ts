// A task that somebody waits for: until it is answered, its time is over, or it is given up.
import type { Transferable } from 'node:worker_threads'
import { TaskTimeoutError } from '../../base/errors.ts'
import { type Cancel, timersOf } from '../../base/timers.ts'

const timers = timersOf(undefined)

/** What a job is made of. */
export interface JobParts {
  readonly key: string
  readonly task: unknown
  readonly transfer: readonly Transferable[]
  /** Milliseconds; may be `Infinity`. */
  readonly timeout: number
  readonly signal: AbortSignal | undefined
}

/** A task, and the promise of its result. */
export class Job {
  readonly key: string
  readonly task: unknown
  readonly transfer: readonly Transferable[]
  readonly result: Promise<unknown>
  /** How many workers died while they had it. */
  deaths = 0
  /** Called when the caller is answered before a worker has: its time is over, or it was given up. */
  onGivenUp: (reason: unknown) => void = () => {}
  #resolve: (value: unknown) => void = () => {}
  #reject: (error: unknown) => void = () => {}
  #isSettled = false
  readonly #cancel: Cancel
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = () => this.#giveUp(this.#signal?.reason)

  constructor({ key, task, transfer, timeout, signal }: JobParts) {
    this.key = key
    this.task = task
    this.transfer = transfer
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#cancel = timers.after(timeout, () => this.#giveUp(new TaskTimeoutError(timeout)), true)
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Whether the caller has its answer. */
  get isSettled(): boolean {
    return this.#isSettled
  }

  /** Answers the caller with a value. */
  resolve(value: unknown): void {
    if (this.#end()) this.#resolve(value)
  }

  /** Answers the caller with an error. */
  reject(error: unknown): void {
    if (this.#end()) this.#reject(error)
  }

  #giveUp(reason: unknown): void {
    if (this.#isSettled) return
    this.reject(reason)
    this.onGivenUp(reason)
  }

  /** Whether it had no answer before. */
  #end(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    this.#cancel()
    this.#signal?.removeEventListener('abort', this.#onAbort)
    return true
  }
}
