// The store behind its breaker: what fails there is told to the cache and passed over.
import { BreakerOpenError } from '../../errors.ts'
import { Breaker, type BreakerOptions } from '../../loading/breaker.ts'
import type { TierHost } from '../tier.ts'
import type { Command, Connection, Reply } from './client.ts'
import { type Read, read, type ScriptCommand, sendAll } from './scripts.ts'

/** The most keys that one command reads or removes: a server does nothing else meanwhile. */
export const MOST_KEYS = 512

/** The store as one session uses it. */
export class Store {
  readonly #host: TierHost
  readonly #breaker: Breaker
  #silent = false

  constructor(host: TierHost, breaker: BreakerOptions | undefined) {
    this.#host = host
    this.#breaker = new Breaker(
      { isFailure: isSick, ...breaker },
      host.timers,
      state => this.#silent || host.breaker(state),
    )
  }

  /** From now on nothing is told. */
  silence(): void {
    this.#silent = true
  }

  /** Reads keys; `undefined` if the store does not answer. */
  async read(connection: Connection, keys: readonly Buffer[]): Promise<Read[] | undefined> {
    const parts = chunks(keys, MOST_KEYS)
    const found = await this.#try('get', () =>
      Promise.all(parts.map(part => read(connection, part))),
    )
    return found?.flat()
  }

  /**
   * Sends commands together; `undefined` in the place of one that failed.
   *
   * @param operation - what they are for, as listeners are told.
   */
  async send(
    operation: string,
    connection: Connection,
    commands: readonly (Command | ScriptCommand)[],
  ): Promise<(Reply | undefined)[]> {
    const replies = await this.#try(operation, async () => {
      const replies = await sendAll(connection, commands)
      // One that the server refuses says nothing of the others.
      if (replies.length > 0 && replies.every(reply => reply instanceof Error)) throw replies[0]
      return replies
    })
    if (replies === undefined) return commands.map(() => undefined)
    return replies.map(reply => {
      if (!(reply instanceof Error)) return reply
      this.failed(operation, reply)
      return undefined
    })
  }

  /** Tells of a failure. */
  failed(operation: string, error: unknown): void {
    // That the breaker is open has been told.
    if (!this.#silent && !(error instanceof BreakerOpenError)) this.#host.failed(operation, error)
  }

  async #try<T>(operation: string, f: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#breaker.run(f)
    } catch (error) {
      this.failed(operation, error)
      return undefined
    }
  }
}

/** Whether an error says that the store is sick, and not that a key has something else. */
function isSick(error: unknown): boolean {
  return !(error instanceof Error && error.message.startsWith('WRONGTYPE'))
}

/** A list in parts of at most so many. */
export function chunks<T>(list: readonly T[], most: number): T[][] {
  const parts: T[][] = []
  for (let i = 0; i < list.length; i += most) parts.push(list.slice(i, i + most))
  return parts
}
