// The gate to the origin: how many loads are under way at once, how many begin in a time, and how
// many may wait for that.
import { Awaited, type Held } from '../base/awaited.ts'
import { checkCount, checkDuration, checkShape } from '../base/checks.ts'
import { OriginBusyError } from '../base/errors.ts'
import type { Cancel, Timers } from '../base/timers.ts'
import type { Duration } from '../base/types.ts'

/** So many loads in a time. */
export interface Rate {
  /** How many. */
  limit: number
  /** In what time. */
  per: Duration
}

/**
 * How much of the misses reaches the origin. Each isolate (the main thread, a worker) counts its
 * own: divide what the origin bears by the threads and processes that load from it.
 */
export interface GateOptions {
  /**
   * The most loads at once; any number if left out. A load counts until it settles, even if nobody
   * waits for it any more. A loader that waits for another load of the same cache takes a second
   * place: with too few of them such loads wait for each other.
   */
  concurrency?: number | undefined
  /**
   * The most loads that begin in a time; any number if left out. What was not used of it, up to all
   * of `limit`, may be used at once later, so that in one `per` up to twice the limit may begin.
   */
  rate?: Rate | undefined
  /** The most loads that wait for the two; 1,000 if left out. */
  queue?: number | undefined
}

/** How a load waits at the gate. */
export interface GateCall {
  /** A load that still waits when this aborts leaves the queue; one that runs is left alone. */
  signal?: AbortSignal | undefined
  /**
   * Who may wait for it. While somebody does it is urgent: it goes before all for which nobody waits,
   * and takes the place of the last of those if the queue is full. Nobody does if left out.
   */
  awaited?: Awaited | undefined
}

/** One that waits; it hears whether somebody waits for it. */
interface Waiter extends Held {
  go: () => void
  refuse: (reason: unknown) => void
}

/** Floating point leaves a token this much short at the moment when it is due. */
const NEARLY = 1e-6

/** Checks the options of a gate and fills in what was left out. */
export function checkGate(given: GateOptions | undefined, option = 'origin') {
  const {
    concurrency = Number.POSITIVE_INFINITY,
    rate,
    queue = 1000,
  } = checkShape(option, given, ['concurrency', 'rate', 'queue'])
  const endless = { endless: true }
  return {
    concurrency: checkCount(`${option}.concurrency`, concurrency, endless),
    rate: rate === undefined ? undefined : checkRate(`${option}.rate`, rate),
    queue: checkCount(`${option}.queue`, queue, { least: 0, endless: true }),
  }
}

function checkRate(option: string, given: Rate): { limit: number; per: number } {
  const { limit, per } = checkShape(option, given, ['limit', 'per'])
  return { limit: checkCount(`${option}.limit`, limit!), per: checkDuration(`${option}.per`, per!) }
}

/** Lets loads through, in the order in which they came. Has no timer while nothing waits. */
export class Gate {
  readonly #concurrency: number
  readonly #queue: number
  readonly #bucket: Bucket | undefined
  readonly #timers: Timers
  readonly #urgent = new Set<Waiter>()
  readonly #patient = new Set<Waiter>()
  /** Whether somebody waits for one of those that wait here. */
  readonly #awaited = new Awaited()
  #active = 0
  /** Takes back the timer that waits for a token. */
  #cancel: Cancel | undefined

  constructor(options: GateOptions | undefined, timers: Timers) {
    const { concurrency, rate, queue } = checkGate(options)
    this.#concurrency = concurrency
    this.#queue = queue
    this.#bucket = rate && new Bucket(rate.limit, rate.per, timers)
    this.#timers = timers
  }

  /** How many loads are under way. */
  get active(): number {
    return this.#active
  }

  /** How many loads wait. */
  get waiting(): number {
    return this.#urgent.size + this.#patient.size
  }

  /**
   * Calls `f` when it may go.
   *
   * @returns what `f` gives.
   * @throws OriginBusyError (`ERR_ORIGIN_BUSY`) at once if the queue is full, the signal's reason if
   * it aborts before `f` is called, or what `f` throws.
   */
  async run<T>(f: () => Promise<T> | T, call: GateCall = {}): Promise<T> {
    const { signal } = call
    signal?.throwIfAborted()
    if (this.waiting === 0 && this.#mayGo()) this.#enter()
    else await this.#wait(call)
    try {
      // It may have aborted between being let go and this.
      signal?.throwIfAborted()
      return await f()
    } finally {
      this.#active--
      this.#next()
    }
  }

  /** Refuses all that wait. What runs is left alone. */
  close(reason: unknown): void {
    for (const waiter of [...this.#urgent, ...this.#patient]) waiter.refuse(reason)
  }

  /** Resolves when the load has a place. */
  #wait({ signal, awaited }: GateCall): Promise<void> {
    const isUrgent = awaited?.isOn === true
    if (this.waiting >= this.#queue && !(isUrgent && this.#displace())) {
      throw new OriginBusyError(this.waiting)
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        awaited?.letGo(waiter)
        this.#leave(waiter)
        signal?.removeEventListener('abort', abort)
      }
      const waiter: Waiter = {
        go: () => {
          leave()
          this.#enter()
          resolve()
        },
        refuse: reason => {
          leave()
          if (this.waiting === 0) this.#rest()
          reject(reason)
        },
        ref: () => this.#line(waiter, this.#urgent),
        unref: () => this.#line(waiter, this.#patient),
      }
      const abort = () => waiter.refuse(signal?.reason)
      signal?.addEventListener('abort', abort)
      this.#line(waiter, isUrgent ? this.#urgent : this.#patient)
      awaited?.hold(waiter)
      this.#next()
    })
  }

  /** Puts one that waits last in a line. */
  #line(waiter: Waiter, line: Set<Waiter>): void {
    if (line.has(waiter)) return
    this.#leave(waiter)
    line.add(waiter)
    this.#awaited.isOn = this.#urgent.size > 0
  }

  #leave(waiter: Waiter): void {
    this.#urgent.delete(waiter)
    this.#patient.delete(waiter)
    this.#awaited.isOn = this.#urgent.size > 0
  }

  /** Makes room for one that is urgent. */
  #displace(): boolean {
    const last = [...this.#patient].at(-1)
    last?.refuse(new OriginBusyError(this.waiting))
    return last !== undefined
  }

  #mayGo(): boolean {
    return this.#active < this.#concurrency && (this.#bucket?.wait() ?? 0) === 0
  }

  #enter(): void {
    this.#active++
    this.#bucket?.take()
  }

  /** Lets go who may, and comes back when the next token is due. */
  #next(): void {
    while (this.waiting > 0 && this.#mayGo()) {
      const [first] = this.#urgent.size > 0 ? this.#urgent : this.#patient
      first!.go()
    }
    if (this.waiting === 0) this.#rest()
    else if (this.#active < this.#concurrency) this.#awaitToken()
  }

  #awaitToken(): void {
    if (this.#cancel !== undefined) return
    this.#cancel = this.#timers.after(
      this.#bucket!.wait(),
      () => {
        this.#cancel = undefined
        this.#next()
      },
      this.#awaited,
    )
  }

  /** Takes back the timer: nothing waits. */
  #rest(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}

/** Tokens that come evenly and are kept up to a limit. */
class Bucket {
  #tokens: number
  #at: number
  /** Milliseconds that a token takes to come. */
  readonly #each: number

  constructor(
    readonly limit: number,
    per: number,
    readonly timers: Timers,
  ) {
    this.#each = per / limit
    this.#tokens = limit
    this.#at = timers.now()
  }

  /** Milliseconds until there is a token; 0 if there is. */
  wait(): number {
    const now = this.timers.now()
    this.#tokens = Math.min(this.limit, this.#tokens + (now - this.#at) / this.#each)
    this.#at = now
    return this.#tokens >= 1 - NEARLY ? 0 : (1 - this.#tokens) * this.#each
  }

  take(): void {
    this.#tokens = Math.max(0, this.#tokens - 1)
  }
}
