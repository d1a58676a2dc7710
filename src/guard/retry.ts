// Trying a load again that failed.
//
// Cockatiel decides whether; the waits are ours: it waits by the system's clock and does not stop
// waiting at an abort. To it each wait is none, and a try begins by waiting for its time.
import type { IBackoff } from 'cockatiel'
import type { Awaited } from '../base/awaited.ts'
import { checkCount, checkFunction, checkShape } from '../base/checks.ts'
import { BreakerOpenError, OriginBusyError } from '../base/errors.ts'
import { pause } from '../base/pause.ts'
import type { Timers } from '../base/timers.ts'
import { cockatiel } from './cockatiel.ts'
import { type BackOffOptions, checkBackOff, waitAfter } from './waits.ts'

/** Whether and when a load that failed is tried again. */
export interface RetryOptions {
  /** How often, after the first try. */
  retries: number
  /** How the waits between the tries grow. */
  backOff?: BackOffOptions | undefined
  /**
   * Whether an error is worth another try. Any is if left out, but those of what protects the origin:
   * `ERR_BREAKER_OPEN` and `ERR_ORIGIN_BUSY`.
   */
  when?: ((error: unknown) => boolean) | undefined
}

/** Checks how loads are tried again and fills in what was left out; `undefined`: they are not. */
export function checkRetry(given: RetryOptions | undefined, option = 'retry') {
  const { retries, backOff, when } = checkShape(option, given, ['retries', 'backOff', 'when'])
  return {
    retries: given === undefined ? 0 : checkCount(`${option}.retries`, retries!, { least: 0 }),
    backOff: checkBackOff(backOff, `${option}.backOff`),
    when: checkFunction(`${option}.when`, when) ?? isOfOrigin,
  }
}

/** Whether an error came from the origin, and not from what protects it. */
function isOfOrigin(error: unknown): boolean {
  return !(error instanceof BreakerOpenError || error instanceof OriginBusyError)
}

/** Tries again what failed. */
export class Retry {
  readonly #options: ReturnType<typeof checkRetry>
  readonly #timers: Timers
  readonly #random: () => number

  constructor(options: RetryOptions | undefined, timers: Timers, random = Math.random) {
    this.#options = checkRetry(options)
    this.#timers = timers
    this.#random = random
  }

  /**
   * Calls `f` until it succeeds, fails for good, or the signal aborts.
   *
   * @param f - given how often it failed before.
   * @param keeps - whether the waits keep the process, or who may wait for it.
   * @returns what it gave; throws what it threw last, or the signal's reason between two tries.
   */
  async run<T>(
    f: (failures: number) => Promise<T> | T,
    signal?: AbortSignal,
    keeps: boolean | Awaited = true,
  ): Promise<T> {
    signal?.throwIfAborted()
    const { retries, backOff, when } = this.#options
    if (retries === 0) return f(0)
    let wait: Promise<void> | undefined
    const backoff: IBackoff<{ attempt: number }> = {
      duration: 0,
      next: ({ attempt }) => {
        wait = pause(this.#timers, waitAfter(attempt, backOff, this.#random), signal, keeps)
        return backoff
      },
    }
    const isRetried = (error: unknown) => !signal?.aborted && when(error)
    const { handleWhen, retry } = cockatiel()
    return retry(handleWhen(isRetried), { maxAttempts: retries, backoff }).execute(
      async ({ attempt }) => {
        await wait
        signal?.throwIfAborted()
        return f(attempt)
      },
    )
  }
}
