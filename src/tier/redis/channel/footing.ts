// Keeps the channel standing: makes its connections, asks them for signs of life, and when one of them
// is down begins anew with all, after a pause.

import { TierError } from '../../../base/errors.ts'
import { setImmediate } from '../../../base/runtime.ts'
import type { Cancel } from '../../../base/timers.ts'
import type { TierHost } from '../../contract.ts'
import type { Holder } from '../clients/reach.ts'

/** What a channel needs of its connections while they stand. */
export interface Standing {
  /** Resolves when every connection has answered. */
  beat(): Promise<unknown>
}

/** Makes a channel's connections, each of which belongs to the holder. */
export type Raise<S extends Standing> = (holder: Holder) => Promise<S>

/** Milliseconds. */
export interface Pulse {
  /** Between signs of life. */
  readonly heartbeat: number
  /** Without a sign of life, after which changes are no longer heard of. */
  readonly bound: number
}

/** The pause before a second attempt, and the longest, in heartbeats. */
const [SHORTEST, LONGEST] = [1 / 8, 2]

/** One attempt, and what it has made. */
class Attempt implements Holder {
  readonly #fell: (attempt: Attempt, error: unknown) => void
  readonly #closes: (() => void)[] = []
  over = false

  constructor(fell: (attempt: Attempt, error: unknown) => void) {
    this.#fell = fell
  }

  keep(close: () => void): void {
    if (this.over) close()
    else this.#closes.push(close)
  }

  fail(error: unknown): void {
    if (this.over) return
    this.end()
    this.#fell(this, error)
  }

  end(): void {
    this.over = true
    for (const close of this.#closes.splice(0)) close()
  }
}

/** Keeps a channel standing until it is closed. */
export class Footing<S extends Standing> {
  /** Resolves when it stands or could not be made to, for now. */
  readonly ready: Promise<void>
  /** What stands, if anything does. */
  standing: S | undefined
  readonly #host: TierHost
  readonly #pulse: Pulse
  readonly #raise: Raise<S>
  /** Takes an error that no other attempt will heal; `true` if it did. */
  readonly #givesUp: (error: unknown) => boolean
  #settle = () => {}
  #isReady = false
  #attempt: Attempt | undefined
  #cancel: Cancel = () => {}
  #lost = false
  #failures = 0
  /** Whether nothing is tried until it begins. */
  #rests = true
  #isClosed = false
  /** Asks for a sign of life at once, if it is not being asked for. */
  #beat = () => {}

  constructor(
    host: TierHost,
    pulse: Pulse,
    raise: Raise<S>,
    givesUp: (error: unknown) => boolean = () => false,
  ) {
    this.#host = host
    this.#pulse = pulse
    this.#raise = raise
    this.#givesUp = givesUp
    this.ready = new Promise(resolve => {
      this.#settle = () => {
        this.#isReady = true
        resolve()
      }
    })
  }

  /** Begins, for the first time or after a rest. */
  begin(): void {
    if (!this.#rests || this.#isClosed) return
    this.#rests = false
    this.#begin()
  }

  /** Takes everything down, and tries nothing until it begins again. */
  rest(error: unknown): void {
    if ((this.#rests && this.#lost) || this.#isClosed) return
    this.#rests = true
    this.#attempt?.end()
    this.#attempt = undefined
    this.#down(error)
  }

  /** Asks at once whether what stands still does. */
  doubt(): void {
    this.#beat()
  }

  /** Takes everything down for good. */
  close(): void {
    this.#isClosed = true
    this.#cancel()
    this.#attempt?.end()
    this.#attempt = undefined
    this.standing = undefined
    this.#settle()
  }

  #begin(): void {
    const { bound } = this.#pulse
    const attempt = new Attempt((failed, error) => this.#fell(failed, error))
    this.#attempt = attempt
    // Somebody may wait for it to stand.
    this.#within(bound, attempt, 'connect', !this.#isReady)
    this.#raise(attempt).then(
      standing => {
        if (!attempt.over) this.#stands(attempt, standing)
      },
      error => attempt.fail(error),
    )
  }

  #stands(attempt: Attempt, standing: S): void {
    this.#cancel()
    this.standing = standing
    this.#lost = false
    this.#failures = 0
    this.#host.regained()
    this.#settle()
    this.#rest(attempt, standing)
  }

  /**
   * Waits for the next sign of life to be due.
   *
   * @param isPatient - whether it was asked for early just now: once a heartbeat is enough.
   */
  #rest(attempt: Attempt, standing: S, isPatient = false): void {
    const { heartbeat, bound } = this.#pulse
    const beat = (isEarly: boolean) => {
      this.#beat = () => {}
      this.#cancel()
      this.#within(bound - heartbeat, attempt, 'answer')
      standing.beat().then(
        () => {
          if (attempt.over) return
          this.#cancel()
          this.#rest(attempt, standing, isEarly)
        },
        error => attempt.fail(error),
      )
    }
    this.#beat = isPatient ? () => {} : () => beat(true)
    this.#cancel = this.#host.timers.after(heartbeat, () => beat(false))
  }

  /** Ends an attempt that does not get on. */
  #within(ms: number, attempt: Attempt, what: string, keeps = false): void {
    let waits = true
    // A thread that was busy hears what has come meanwhile before it is held to be late.
    const late = () =>
      setImmediate(() => {
        if (waits) attempt.fail(new TierError(`Redis did not ${what} within ${ms} ms`))
      })
    const cancel = this.#host.timers.after(ms, late, keeps)
    this.#cancel = () => {
      waits = false
      cancel()
    }
  }

  #fell(attempt: Attempt, error: unknown): void {
    if (attempt !== this.#attempt) return
    this.#attempt = undefined
    if (this.#givesUp(error)) {
      this.#cancel()
      this.standing = undefined
      return
    }
    this.#down(error)
    this.#cancel = this.#host.timers.after(this.#pause(), () => this.#begin())
  }

  /** Nothing stands. */
  #down(error: unknown): void {
    this.#cancel()
    this.#beat = () => {}
    this.standing = undefined
    if (!this.#lost) {
      this.#lost = true
      this.#host.lost()
      this.#host.failed('invalidation', error)
    }
    this.#settle()
  }

  /** Twice as long with each failure, and by chance, so that processes do not come all at once. */
  #pause(): number {
    const most = Math.min(SHORTEST * 2 ** this.#failures++, LONGEST)
    return this.#pulse.heartbeat * most * (0.5 + Math.random() / 2)
  }
}
