// The way from a flight to its loader: a breaker, a gate and another try protect what is behind.
import type { Awaited } from '../base/awaited.ts'
import { checkShape } from '../base/checks.ts'
import type { Timers } from '../base/timers.ts'
import { Breaker, type BreakerOptions, type BreakerState, checkBreaker } from './breaker.ts'
import { checkGate, Gate, type GateOptions } from './gate.ts'
import { checkRetry, Retry, type RetryOptions } from './retry.ts'

/** How the source that loaders ask is protected. */
export interface OriginOptions extends GateOptions {
  /** Whether a loader that fails again and again is left alone for a while; not if left out. */
  breaker?: BreakerOptions | boolean | undefined
  /** How often a load that failed is tried again; not at all if left out. */
  retry?: RetryOptions | undefined
}

/** For how long a call of the source is wanted. */
interface Wanted {
  readonly signal: AbortSignal
  /** Whether anybody waits for it. */
  readonly awaited: Awaited
}

/** Checks how the source is protected. */
export function checkOrigin(given: OriginOptions | undefined): void {
  const known = ['concurrency', 'rate', 'queue', 'retry', 'breaker'] as const
  const { breaker, retry, concurrency, rate, queue } = checkShape('origin', given, known)
  checkBreaker(breakerOf(breaker), 'origin.breaker')
  checkRetry(retry, 'origin.retry')
  checkGate({ concurrency, rate, queue })
}

function breakerOf(breaker: OriginOptions['breaker']): BreakerOptions | undefined {
  return typeof breaker === 'boolean' ? {} : breaker
}

/** The source, as the loads of one instance reach it. */
export class Origin {
  readonly #breaker: Breaker | undefined
  readonly #gate: Gate | undefined
  readonly #retry: Retry | undefined

  constructor(
    options: OriginOptions | undefined,
    timers: Timers,
    onState: (state: BreakerState) => void,
  ) {
    const { breaker, retry, concurrency, rate, queue } = options ?? {}
    const isGated = concurrency !== undefined || rate !== undefined
    this.#breaker = breaker ? new Breaker(breakerOf(breaker), timers, onState) : undefined
    this.#gate = isGated ? new Gate({ concurrency, rate, queue }, timers) : undefined
    this.#retry = retry && new Retry(retry, timers)
  }

  /**
   * Calls `load`, whose errors all come by the promise.
   *
   * @param wanted - its signal, which fires when nobody waits any more, is made when it is read.
   */
  async run<T>(load: () => T | PromiseLike<T>, wanted: Wanted): Promise<T> {
    if (this.#breaker === undefined && this.#gate === undefined && this.#retry === undefined) {
      return load()
    }
    const { signal, awaited } = wanted
    let guarded = async () => load()
    const [retry, gate, breaker] = [this.#retry, this.#gate, this.#breaker]
    if (retry !== undefined) guarded = inside(guarded, next => retry.run(next, signal, awaited))
    if (gate !== undefined) guarded = inside(guarded, next => gate.run(next, wanted))
    if (breaker !== undefined) guarded = inside(guarded, next => breaker.run(next, signal))
    return guarded()
  }

  /** Refuses what still waits. */
  close(reason: unknown): void {
    this.#gate?.close(reason)
  }
}

/** A call as the last one, inside of what protects it. */
function inside<T>(call: () => Promise<T>, wrap: (call: () => Promise<T>) => Promise<T>) {
  return () => wrap(call)
}
