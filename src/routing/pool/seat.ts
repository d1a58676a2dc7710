// The place of one worker: its thread, which is replaced when it dies, and the tasks that wait for it.
import type { Worker } from 'node:worker_threads'
import { Awaited } from '../../base/awaited.ts'
import { builtin } from '../../base/builtin.ts'
import { inNeutralContext, neutrally } from '../../base/context.ts'
import { needThreadDescriptors } from '../../base/descriptors.ts'
import {
  InvalidOptionError,
  PoolBusyError,
  PoolClosedError,
  WorkerDiedError,
} from '../../base/errors.ts'
import { fromText, toText } from '../../base/failure.ts'
import { tell } from '../../base/report.ts'
import { queueMicrotask } from '../../base/runtime.ts'
import { type Cancel, timersOf } from '../../base/timers.ts'
import { checkBackOff, waitAfter } from '../../guard/waits.ts'
import { program } from '../program.ts'
import type { Job } from './job.ts'
import type { Answer, Assignment, Order } from './messages.ts'
import type { CheckedPool } from './options.ts'
import { after, type SeatEvent, type SeatState } from './seat-states.ts'
import type { WorkerStats } from './types.ts'

const timers = timersOf(undefined)
/** How long to wait before a worker that died again is replaced. */
const BACK_OFF = checkBackOff(undefined)
/** How long a worker may take to close what it has open, in milliseconds. */
const LAST_WORDS = 5_000

/** One worker of a pool. */
export class Seat {
  readonly worker: number
  readonly #options: CheckedPool<never>
  #state: SeatState = 'down'
  #thread: Worker | undefined
  /** Those that wait, in their order. */
  readonly #waiting = new Set<Job>()
  /** Those that the thread has, by number, whether or not somebody still waits for them. */
  readonly #running = new Map<number, Job>()
  /** How many of those nobody waits for. */
  #abandoned = 0
  #lastId = 0
  #stats = { done: 0, failed: 0, lent: 0, restarts: 0 }
  /** Deaths since a task was last done. */
  #deaths = 0
  readonly #awaited = new Awaited()
  #cancelRestart: Cancel = () => {}
  #cancelCheck: Cancel | undefined
  /** Called when nobody waits for it any more. */
  onIdle: () => void = () => {}

  constructor(worker: number, options: CheckedPool<never>) {
    this.worker = worker
    this.#options = options
    this.#begin()
  }

  /** Tasks that wait for it or that it does. */
  get load(): number {
    return this.#waiting.size + this.#running.size
  }

  /** Whether somebody waits for it. */
  get isAwaited(): boolean {
    return this.#awaited.isOn
  }

  /** What it does and has done. */
  stats(share: number): WorkerStats {
    const [waiting, running] = [this.#waiting.size, this.#running.size]
    const isUp = this.#state === 'up'
    return { worker: this.worker, share, isUp, waiting, running, ...this.#stats }
  }

  /** Takes a job: does it now, or later. */
  take(job: Job, isLent: boolean): void {
    if (this.#waiting.size >= this.#options.queue && !this.#hasRoom()) {
      job.reject(new PoolBusyError(this.worker, this.#waiting.size))
      this.#stats.failed++
      return
    }
    if (isLent) this.#stats.lent++
    job.onGivenUp = () => {
      this.#stats.failed++
      if (this.#waiting.delete(job)) this.#settle()
    }
    this.#waiting.add(job)
    this.#next()
    this.#settle()
  }

  /** Answers all that is not done with an error and ends the thread; done when that is gone. */
  async end(error: Error = new PoolClosedError()): Promise<void> {
    for (const job of [...this.#waiting, ...this.#running.values()]) job.reject(error)
    this.#waiting.clear()
    this.#abandoned = this.#running.size
    this.#settle()
    const thread = this.#thread
    if (!this.#move('end') || thread === undefined) return
    this.#cancelRestart()
    const gone = new Promise<void>(resolve => thread.once('exit', () => resolve()))
    thread.ref()
    this.#send({ kind: 'end' })
    const cancel = timers.after(LAST_WORDS, () => void thread.terminate())
    await gone
    cancel()
  }

  /** Whether the thread may have one more task. It may not while it may be stuck. */
  #hasRoom(): boolean {
    const isWell = this.#state === 'up' && this.#cancelCheck === undefined
    return isWell && this.#running.size < this.#options.concurrency
  }

  /** Gives the thread as many tasks as it may have. */
  #next(): void {
    while (this.#hasRoom()) {
      const [job] = this.#waiting
      if (job === undefined) return
      this.#waiting.delete(job)
      this.#give(job)
    }
  }

  #give(job: Job): void {
    const { key, task } = job
    const id = ++this.#lastId
    try {
      this.#send({ kind: 'do', id, key, task }, job.transfer)
    } catch (cause) {
      this.#stats.failed++
      const allowed = 'what structured clone takes'
      job.reject(new InvalidOptionError('task', task, allowed, { cause }))
      return
    }
    this.#running.set(id, job)
    job.onGivenUp = reason => {
      this.#stats.failed++
      this.#abandoned++
      this.#send({ kind: 'abort', id, reason: toText(reason) })
      this.#checkLife()
      this.#settle()
    }
  }

  /** Asks whether the thread still answers anything, once a task took too long. */
  #checkLife(): void {
    if (this.#cancelCheck) return
    const { stuckAfter } = this.#options
    this.#cancelCheck = timers.after(stuckAfter, () => void this.#thread?.terminate())
    this.#send({ kind: 'ping' })
  }

  #isAlive(): void {
    this.#cancelCheck?.()
    this.#cancelCheck = undefined
  }

  #send(order: Order, transfer: Job['transfer'] = []): void {
    this.#thread?.postMessage(order, transfer as never)
  }

  #hear(answer: Answer): void {
    this.#isAlive()
    if (answer.kind === 'ready') this.#move('ready')
    else if (answer.kind === 'done') this.#done(answer.id, answer.value)
    else if (answer.kind === 'failed') this.#failed(answer.id, fromText(answer.error))
    this.#next()
    this.#settle()
  }

  #done(id: number, value: unknown): void {
    this.#deaths = 0
    const job = this.#ended(id)
    if (job === undefined || job.isSettled) return
    this.#stats.done++
    job.resolve(value)
  }

  #failed(id: number, error: unknown): void {
    const job = this.#ended(id)
    if (job === undefined || job.isSettled) return
    this.#stats.failed++
    job.reject(error)
  }

  #ended(id: number): Job | undefined {
    const job = this.#running.get(id)
    this.#running.delete(id)
    if (job?.isSettled) this.#abandoned--
    return job
  }

  #move(event: SeatEvent): boolean {
    const next = after(this.#state, event)
    if (next !== undefined) this.#state = next
    return next !== undefined
  }

  /** Starts a thread, if there is none. */
  #begin(): void {
    if (!this.#move('again')) return
    const { file, data, thread: settings } = this.#options
    const workerData: Assignment = { file, data, worker: this.worker }
    const name = `breakwater-pool-${this.worker}`
    try {
      needThreadDescriptors()
    } catch (error) {
      // As a thread that could not begin would end: a little later.
      queueMicrotask(() => this.#exited(error as Error))
      return
    }
    const { Worker: Thread } = builtin('node:worker_threads')
    const thread = neutrally(() => new Thread(program, { ...settings, name, workerData }))
    this.#thread = thread
    let failure: Error | undefined
    thread.on(
      'message',
      inNeutralContext((answer: Answer) => this.#hear(answer)),
    )
    thread.once('error', error => {
      failure = error instanceof Error ? error : new Error(String(error))
    })
    thread.once('exit', code => this.#exited(failure ?? new Error(`it ended with code ${code}`)))
    this.#settle()
  }

  #exited(error: Error): void {
    const wasUp = this.#state === 'up'
    this.#thread = undefined
    this.#isAlive()
    this.#move('exit')
    if (this.#state !== 'down') return
    const [retried, failed] = this.#bury(error, wasUp)
    this.#deaths++
    // One that was well is replaced at once, one that dies again and again is not.
    const wait = wasUp && this.#deaths === 1 ? 0 : waitAfter(this.#deaths, BACK_OFF, Math.random)
    this.#cancelRestart = timers.after(
      wait,
      () => {
        this.#stats.restarts++
        this.#begin()
      },
      this.#awaited,
    )
    const { onWorkerDeath } = this.#options
    if (onWorkerDeath) tell(onWorkerDeath, { worker: this.worker, error, retried, failed })
    this.#settle()
  }

  /** What becomes of the tasks of a thread that died; how many are tried again, and how many failed. */
  #bury(cause: Error, wasUp: boolean): [retried: number, failed: number] {
    const [again, lost]: [Job[], Job[]] = [[], []]
    for (const job of this.#running.values()) {
      if (job.isSettled) continue
      const mayLive = job.deaths++ < this.#options.retries
      const list = mayLive ? again : lost
      list.push(job)
    }
    this.#running.clear()
    this.#abandoned = 0
    // A module that cannot be loaded does nothing for those who wait either.
    if (!wasUp) lost.push(...this.#waiting)
    const others = wasUp ? [...this.#waiting] : []
    this.#waiting.clear()
    for (const job of [...again, ...others]) this.#waitAgain(job)
    const what = wasUp ? 'ended while it had the task' : 'could not be started'
    for (const job of lost) job.reject(new WorkerDiedError(this.worker, what, { cause }))
    this.#stats.failed += lost.length
    return [again.length, lost.length]
  }

  #waitAgain(job: Job): void {
    this.#waiting.add(job)
    job.onGivenUp = () => {
      this.#stats.failed++
      if (this.#waiting.delete(job)) this.#settle()
    }
  }

  /** The thread keeps the process as long as somebody waits for it. */
  #settle(): void {
    const isAwaited = this.#waiting.size > 0 || this.#abandoned < this.#running.size
    this.#awaited.isOn = isAwaited
    // Who closes the pool waits for the end.
    if (isAwaited || this.#state === 'ending') this.#thread?.ref()
    else this.#thread?.unref()
    if (!isAwaited) this.onIdle()
  }
}
