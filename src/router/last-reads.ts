// What processes have read most, as one of them told it last. The first process, which serves nobody, has
// it for one that begins when no other lives. It knows reads and no values, and writes nothing to a disk.
import { now } from '../base/runtime.ts'
import type { Member } from './workers.ts'

/** After this time one is asked for the first time, in milliseconds, and then after twice as long each time. */
const FIRST = 2500
/** The longest that passes until one is asked again. */
const LONGEST = 60_000

/** Reads, as one process tells another of them. */
type Reads = Uint8Array | undefined

export class LastReads {
  #reads: Reads
  #pause = FIRST
  #due = now() + FIRST
  /** Those that begin with it, and have yet to serve. */
  readonly #beginning = new Set<Member>()

  /** Asks a process that serves, if it is time for that. */
  async keep(ask: () => Promise<Reads>): Promise<void> {
    if (now() < this.#due) return
    this.#pause = Math.min(2 * this.#pause, LONGEST)
    this.#due = now() + this.#pause
    this.#reads = (await ask()) ?? this.#reads
  }

  /** Hands it to a process that begins. */
  giveTo(member: Member): Reads {
    if (this.#reads !== undefined) this.#beginning.add(member)
    return this.#reads
  }

  /** A process that began serves. */
  serves(member: Member): void {
    this.#beginning.delete(member)
  }

  /** A process is gone. If it has not come to serve, these reads may be why: nobody begins with them again. */
  ended(member: Member): void {
    if (this.#beginning.delete(member)) this.#reads = undefined
  }
}
