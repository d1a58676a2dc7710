// A load as the callers of one isolate wait for it, whoever in the process does it.
import { LoadTimeoutError } from '../base/errors.ts'
import type { Cancel, Timers } from '../base/timers.ts'
import type { LoadState } from './load.ts'

/** What a load came to. */
export type Outcome<V> = { value: V | undefined } | { error: unknown }

/** How a caller waits. */
export interface Waiting {
  signal: AbortSignal | undefined
  softTimeout: number | undefined
  timeout: number | undefined
}

/** One load of one key. */
export class Flight<K, V> {
  readonly key: K
  /** What the native side knows it by. */
  number: number
  /** The right to store its value, if this isolate leads. */
  lease: number
  /** Whether this isolate loads. */
  leads: boolean
  /** What this isolate does, if it ever led. */
  load: LoadState<V> | undefined
  /** Given instead of an error; by way of a list, since a value may be `undefined`. */
  stale: [V] | undefined
  /** Whether it is to go on although nobody waits. */
  kept = false
  settled = false
  /** Loads, if it is this isolate's turn. */
  heir: (() => void) | undefined
  /** Takes back the timer that hands it over. */
  unlock: Cancel = () => {}
  readonly #callers: Caller<V>[] = []
  /** The caller that all share who wait without conditions. */
  #common: Caller<V> | undefined

  constructor(key: K, number: number, leads: boolean) {
    this.key = key
    this.number = number
    // A flight begins with a lease of its own number.
    this.lease = number
    this.leads = leads
  }

  /** Whether anybody waits. */
  get isWanted(): boolean {
    return this.#callers.length > 0
  }

  /** Whether more than one waits, for all that is known. */
  get isShared(): boolean {
    return this.#callers.length > 1 || (this.#common?.count ?? 0) > 1
  }

  /** One more waits, with no condition. */
  join(): Promise<V | undefined> {
    if (this.#common === undefined) {
      this.#common = new Caller()
      this.#callers.push(this.#common)
    }
    this.#common.count++
    return this.#common.promise
  }

  /**
   * One more waits, on conditions.
   *
   * @param left - called when it no longer waits, and the load still goes on.
   * @param late - called when it is given what is stale, since the load takes too long.
   */
  joinOn(
    waiting: Waiting,
    timers: Timers,
    left: () => void,
    late: () => void,
  ): Promise<V | undefined> {
    const caller = new Caller<V>()
    caller.count = 1
    this.#callers.push(caller)
    const { signal, softTimeout, timeout } = waiting
    if (signal !== undefined) {
      const abort = () => {
        this.#drop(caller)
        caller.settle({ error: signal.reason })
        left()
      }
      signal.addEventListener('abort', abort, { once: true })
      caller.ends.push(() => signal.removeEventListener('abort', abort))
    }
    const soft = () => {
      if (this.stale === undefined) return
      late()
      this.#release(caller, { value: this.stale[0] })
    }
    if (softTimeout !== undefined) {
      caller.ends.push(timers.after(softTimeout, soft))
    }
    if (timeout !== undefined) {
      const hard = () => {
        if (this.stale === undefined)
          this.#release(caller, { error: new LoadTimeoutError(timeout) })
        else soft()
      }
      caller.ends.push(timers.after(timeout, hard, true))
    }
    return caller.promise
  }

  /** All who wait get what it came to. */
  settle(outcome: Outcome<V>): void {
    if (this.settled) return
    this.settled = true
    this.unlock()
    for (const caller of this.#callers.splice(0)) caller.settle(outcome)
  }

  /** Only who waited longest gets it; whether there is another. */
  settleFirst(outcome: Outcome<V>): boolean {
    const [first] = this.#callers.splice(0, 1)
    if (first === this.#common) this.#common = undefined
    first?.settle(outcome)
    return this.isWanted
  }

  /** A caller has waited long enough: the load goes on for the cache. */
  #release(caller: Caller<V>, outcome: Outcome<V>): void {
    this.kept = true
    this.#drop(caller)
    caller.settle(outcome)
  }

  #drop(caller: Caller<V>): void {
    const place = this.#callers.indexOf(caller)
    if (place >= 0) this.#callers.splice(place, 1)
  }
}

/** One promise that somebody waits for. */
class Caller<V> {
  readonly promise: Promise<V | undefined>
  /** How many were given it. */
  count = 0
  /** What is to be taken back when it settles. */
  readonly ends: Cancel[] = []
  #resolve!: (value: V | undefined) => void
  #reject!: (error: unknown) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  settle(outcome: Outcome<V>): void {
    for (const end of this.ends) end()
    if ('error' in outcome) this.#reject(outcome.error)
    else this.#resolve(outcome.value)
  }
}
