// The store behind its breaker: what fails there is told to the cache and passed over. In a cluster
// each part has a breaker of its own, so that one that is away does not take the others along.
import { BreakerOpenError } from '../../../base/errors.ts'
import { Breaker, type BreakerOptions, type BreakerState } from '../../../guard/breaker.ts'
import type { TierHost } from '../../contract.ts'
import { isChanged } from '../channel/probe.ts'
import type { Command, Reply, Word } from '../clients/client.ts'
import type { Connection } from '../clients/connection.ts'
import type { ScriptCommand } from './scripts.ts'
import { type Read, read, sendAll } from './sending.ts'

/** The most keys that one command reads or removes: a server does nothing else meanwhile. */
export const MOST_KEYS = 512

/** The store as one session uses it. */
export class GuardedStore {
  readonly #host: TierHost
  readonly #options: BreakerOptions | undefined
  readonly #breakers = new Map<number, Breaker>()
  #state: BreakerState = 'closed'
  #silent = false
  readonly #changed: () => void

  /** @param changed - called when a server answers that it is not what it was. */
  constructor(host: TierHost, breaker: BreakerOptions | undefined, changed: () => void) {
    this.#changed = changed
    this.#host = host
    this.#options = breaker
  }

  /** From now on nothing is told. */
  silence(): void {
    this.#silent = true
  }

  /**
   * Reads keys; `undefined` in the place of one for which the store does not answer.
   *
   * @param withTime - whether a server alone is asked for its time as well.
   */
  read(
    connection: Connection,
    keys: readonly Word[],
    withTime: boolean,
  ): Promise<(Read | undefined)[]> {
    if (!connection.isCluster && keys.length <= MOST_KEYS) {
      return this.#readAlone(connection, keys, withTime)
    }
    return this.#inParts(
      'get',
      connection,
      keys,
      key => key,
      async some => {
        const parts = chunks(some, MOST_KEYS)
        return (await Promise.all(parts.map(few => read(connection, few, withTime)))).flat()
      },
    )
  }

  /** Reads keys of a server alone: where it refuses one it has refused all. */
  #readAlone(
    connection: Connection,
    keys: readonly Word[],
    withTime: boolean,
  ): Promise<(Read | undefined)[]> {
    return this.#breakerOf(0).follow(
      () => read(connection, keys, withTime),
      replies => replies as Read[],
      error => {
        this.failed('get', error)
        return keys.map(() => undefined)
      },
    )
  }

  /**
   * Sends commands together; `undefined` in the place of one that failed.
   *
   * @param operation - what they are for, as listeners are told.
   */
  send(
    operation: string,
    connection: Connection,
    commands: readonly (Command | ScriptCommand)[],
  ): Promise<(Reply | undefined)[]> {
    return this.#inParts(
      operation,
      connection,
      commands,
      ({ key }) => key,
      some => sendAll(connection, some),
    )
  }

  /** Tells of a failure. */
  failed(operation: string, error: unknown): void {
    if (isChanged(error)) this.#changed()
    // That the breaker is open has been told.
    if (!this.#silent && !(error instanceof BreakerOpenError)) this.#host.failed(operation, error)
  }

  /** Does something to items, to those of each part of a cluster by themselves. */
  #inParts<T, R>(
    operation: string,
    connection: Connection,
    items: readonly T[],
    keyOf: (item: T) => Word,
    act: (items: readonly T[]) => Promise<(R | Error)[]>,
  ): Promise<(R | undefined)[]> {
    if (!connection.isCluster) return this.#try(operation, 0, items, act)
    return this.#apart(operation, connection, items, keyOf, act)
  }

  async #apart<T, R>(
    operation: string,
    connection: Connection,
    items: readonly T[],
    keyOf: (item: T) => Word,
    act: (items: readonly T[]) => Promise<(R | Error)[]>,
  ): Promise<(R | undefined)[]> {
    const parts = new Map<number, number[]>()
    for (const [i, item] of items.entries()) {
      const part = connection.partOf(keyOf(item))
      const places = parts.get(part)
      if (places === undefined) parts.set(part, [i])
      else places.push(i)
    }
    const all: (R | undefined)[] = items.map(() => undefined)
    const doing = [...parts].map(async ([part, places]) => {
      const some = places.map(i => items[i] as T)
      const found = await this.#try(operation, part, some, act)
      for (const [at, i] of places.entries()) all[i] = found[at]
    })
    await Promise.all(doing)
    return all
  }

  async #try<T, R>(
    operation: string,
    part: number,
    items: readonly T[],
    act: (items: readonly T[]) => Promise<(R | Error)[]>,
  ): Promise<(R | undefined)[]> {
    try {
      const replies = await this.#breakerOf(part).run(async () => {
        const replies = await act(items)
        // One that the server refuses says nothing of the others.
        if (replies.length > 0 && replies.every(reply => reply instanceof Error)) throw replies[0]
        return replies
      })
      return replies.map(reply => {
        if (!(reply instanceof Error)) return reply
        this.failed(operation, reply)
        return undefined
      })
    } catch (error) {
      this.failed(operation, error)
      return items.map(() => undefined)
    }
  }

  #breakerOf(part: number): Breaker {
    let breaker = this.#breakers.get(part)
    if (breaker === undefined) {
      const options = { isFailure: isSick, ...this.#options }
      breaker = new Breaker(options, this.#host.timers, () => this.#tell())
      this.#breakers.set(part, breaker)
    }
    return breaker
  }

  /** Tells of the worst of all parts, if that has changed. */
  #tell(): void {
    const states = new Set([...this.#breakers.values()].map(({ state }) => state))
    const state = (['open', 'half-open'] as const).find(state => states.has(state)) ?? 'closed'
    if (state === this.#state) return
    this.#state = state
    if (!this.#silent) this.#host.breaker(state)
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
