// A circuit breaker: what failed too often in a row is left alone for a while, then tried once.
//
// Cockatiel keeps the states. It reads the system's clock, so the time that a breaker stays open is
// told to it as "for ever" or "over", by the timers given here: it asks at each call.
import type { CircuitBreakerPolicy, CircuitState, IBackoff } from 'cockatiel'
import { checkCount, checkDuration, checkFunction, checkShape } from '../base/checks.ts'
import { BreakerOpenError, OriginBusyError } from '../base/errors.ts'
import { report, tell } from '../base/report.ts'
import type { Timers } from '../base/timers.ts'
import type { Duration } from '../base/types.ts'
import { cockatiel } from './cockatiel.ts'

/** When a breaker opens, and for how long. */
export interface BreakerOptions {
  /** So many failures in a row open it; 5 if left out. */
  failures?: number | undefined
  /**
   * How long it stays open before one call tries again, and how long that call may take before it
   * counts as failed; `'5s'` if left out.
   */
  halfOpenAfter?: Duration | undefined
  /**
   * Whether an error says that the origin is sick; any does if left out. One that does not ("no such
   * user") counts as an answer.
   */
  isFailure?: ((error: unknown) => boolean) | undefined
}

/**
 * - `closed`: calls go through.
 * - `open`: calls are refused; after a while one may try.
 * - `half-open`: one call tries, others are refused.
 */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** What a call came to; `unknown` says nothing of the origin. */
type Outcome<T> =
  | { verdict: 'answered'; value: T }
  | { verdict: 'answered' | 'failed' | 'unknown'; error: unknown }

/** By Cockatiel's numbers. The last one is of a breaker that somebody isolated: nobody does ours. */
const states: readonly BreakerState[] = ['closed', 'open', 'half-open', 'open']

function stateOf(state: CircuitState): BreakerState {
  return states[state] as BreakerState
}

/** Checks the options of a breaker and fills in what was left out. */
export function checkBreaker(given: BreakerOptions | undefined, option = 'breaker') {
  const {
    failures = 5,
    halfOpenAfter = '5s',
    isFailure,
  } = checkShape(option, given, ['failures', 'halfOpenAfter', 'isFailure'])
  return {
    failures: checkCount(`${option}.failures`, failures),
    halfOpenAfter: checkDuration(`${option}.halfOpenAfter`, halfOpenAfter),
    isFailure: checkFunction(`${option}.isFailure`, isFailure) ?? (() => true),
  }
}

/** Stands in front of something that may be sick. */
export class Breaker {
  readonly #policy: CircuitBreakerPolicy
  readonly #isFailure: (error: unknown) => boolean
  readonly #halfOpenAfter: number
  readonly #timers: Timers
  /** When the next call may try. */
  #dueAt = 0
  #isProbing = false
  /** Whether the last call that said anything was answered. */
  #isCalm = true

  /** @param onState - told of each change; what it throws is reported as uncaught. */
  constructor(
    options: BreakerOptions | undefined,
    timers: Timers,
    onState: (state: BreakerState) => void = () => {},
  ) {
    const { failures, halfOpenAfter, isFailure } = checkBreaker(options)
    this.#timers = timers
    this.#halfOpenAfter = halfOpenAfter
    this.#isFailure = isFailure
    const { circuitBreaker, ConsecutiveBreaker, handleWhenResult } = cockatiel()
    this.#policy = circuitBreaker(
      handleWhenResult(outcome => (outcome as Outcome<unknown>).verdict !== 'answered'),
      { breaker: new ConsecutiveBreaker(failures), halfOpenAfter: this.#break() },
    )
    this.#policy.onStateChange(state => {
      this.#isProbing = stateOf(state) === 'half-open'
      this.#isCalm = true
      tell(onState, stateOf(state))
    })
  }

  /** What it does with calls now. It becomes half-open by the call that tries. */
  get state(): BreakerState {
    return stateOf(this.#policy.state)
  }

  /** Whether a call would be refused now. */
  get refuses(): boolean {
    return this.state !== 'closed' && (this.#isProbing || this.#timers.now() < this.#dueAt)
  }

  /**
   * Calls `f`, unless the breaker is open.
   *
   * A call that never settles is no failure while the breaker is closed: give calls a time limit
   * inside `f`.
   *
   * @param signal - a call that fails after this aborted counts neither way.
   * @throws BreakerOpenError (`ERR_BREAKER_OPEN`) without calling `f`; or what `f` throws.
   */
  async run<T>(f: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    if (this.refuses) {
      throw new BreakerOpenError(Math.max(0, this.#dueAt - this.#timers.now()))
    }
    if (this.state !== 'closed') {
      const outcome = await this.#probe(f, signal)
      if ('value' in outcome) return outcome.value
      throw outcome.error
    }
    let value: T
    try {
      value = await f()
    } catch (error) {
      await this.#note(this.#failure(error, signal))
      throw error
    }
    if (!this.#isCalm) await this.#note({ verdict: 'answered', value })
    return value
  }

  /**
   * As {@link Breaker.run}, and what is made of what that gives or throws: by one promise where all is
   * well, since some calls count in microseconds.
   */
  follow<T, R, E = R>(
    f: () => Promise<T>,
    done: (value: T) => R,
    failed: (error: unknown) => E,
  ): Promise<R | E> {
    if (!this.#isCalm || this.state !== 'closed') return this.run(f).then(done, failed)
    const answered = (value: T): R | Promise<R> => {
      if (this.#isCalm) return done(value)
      return this.#note({ verdict: 'answered', value }).then(() => done(value))
    }
    return f().then(answered, async error => {
      await this.#note(this.#failure(error, undefined))
      return failed(error)
    })
  }

  /** Tells the policy what a call came to, if that is news. */
  async #note(outcome: Outcome<unknown>): Promise<void> {
    if (this.#isNews(outcome)) await this.#policy.execute(() => outcome)
  }

  /** Whether the policy is to be told: in a row of answers one more is no news to it. */
  #isNews({ verdict }: Outcome<unknown>): boolean {
    if (verdict === 'unknown' || (verdict === 'answered' && this.#isCalm)) return false
    // What ends when others have opened it came too late.
    if (this.state !== 'closed') return false
    this.#isCalm = verdict === 'answered'
    return true
  }

  /** The one call that tries whether all is well again. */
  async #probe<T>(f: () => Promise<T> | T, signal?: AbortSignal): Promise<Outcome<T>> {
    this.#isProbing = true
    let outcome: Promise<Outcome<T>> | undefined
    const seen = await this.#policy.execute(() => {
      outcome = this.#settle(f, signal)
      return this.#limit(outcome)
    })
    // As much as before is known: the next call may try at once.
    if (seen.verdict === 'unknown') this.#dueAt = this.#timers.now()
    return outcome!
  }

  async #settle<T>(f: () => Promise<T> | T, signal?: AbortSignal): Promise<Outcome<T>> {
    try {
      return { verdict: 'answered', value: await f() }
    } catch (error) {
      return this.#failure(error, signal)
    }
  }

  #failure(error: unknown, signal: AbortSignal | undefined): Outcome<never> {
    if (signal?.aborted || error instanceof OriginBusyError) return { verdict: 'unknown', error }
    return { verdict: this.#counts(error) ? 'failed' : 'answered', error }
  }

  #counts(error: unknown): boolean {
    try {
      return this.#isFailure(error)
    } catch (thrown) {
      report(thrown)
      return true
    }
  }

  /** The outcome, or a failure if it takes too long: else one hanging call would hold all others. */
  #limit<T>(outcome: Promise<Outcome<T>>): Promise<Outcome<T>> {
    return new Promise(resolve => {
      const late: Outcome<T> = { verdict: 'failed', error: undefined }
      const cancel = this.#timers.after(this.#halfOpenAfter, () => resolve(late))
      outcome.then(settled => {
        cancel()
        resolve(settled)
      })
    })
  }

  /** How long the breaker stays open, in the terms of the library: made at each opening. */
  #break(): IBackoff<unknown> {
    const isDue = () => this.#timers.now() >= this.#dueAt
    const open = () => {
      this.#dueAt = this.#timers.now() + this.#halfOpenAfter
    }
    const backoff: IBackoff<unknown> = {
      get duration() {
        return isDue() ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
      },
      next() {
        open()
        return backoff
      },
    }
    return backoff
  }
}
