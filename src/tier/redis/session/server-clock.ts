// The time of a server, as far as it is known without asking. It is good enough to say how fresh a value
// is, and not to say what came first.
import { dateNow, now } from '../../../base/runtime.ts'
import type { Connection } from '../clients/connection.ts'

/** Milliseconds after which the server is asked again. */
const LIFE = 10_000

/** Milliseconds by which the clocks of this machine may have come apart: it slept, or was set. */
const APART = 50

/** A server's clock. */
export class ServerClock {
  #connection: Connection | undefined
  /** What the server said, in microseconds, and when that was by the clocks here, in milliseconds. */
  #told = 0
  #at = 0
  #wall = 0
  #late = 0

  /** Microseconds that the server's time may be ahead of what {@link ServerClock.now} says. */
  get late(): number {
    return this.#late
  }

  /** The server has said its time, having been asked at a moment of `performance.now()`. */
  learn(connection: Connection, told: number, asked: number): void {
    this.#connection = connection
    this.#told = told
    this.#at = now()
    this.#late = (this.#at - asked) * 1000
    this.#wall = dateNow()
  }

  /** Microseconds of the server, or a little less; `undefined` if it has to be asked. */
  now(connection: Connection): number | undefined {
    const passed = now() - this.#at
    const isApart = Math.abs(dateNow() - this.#wall - passed) > APART
    if (connection !== this.#connection || passed > LIFE || isApart) return undefined
    return this.#told + Math.floor(passed * 1000)
  }
}
