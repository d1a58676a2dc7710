// Commands by way of a client, with a time limit: nothing here waits for ever, and nothing is sent to a
// server that is away. The process stays for an answer, also if the user let it end before his client.
import { Deadlines } from '../../../base/deadlines.ts'
import { TierError } from '../../../base/errors.ts'
import { textOf } from '../../../base/thrown.ts'
import type { Timers } from '../../../base/timers.ts'
import type { Client, Command, Reply, Word } from './client.ts'
import { partOf } from './slots.ts'

/** A client, as commands go by it. */
export class Connection {
  readonly isCluster: boolean
  /** What the servers see before each of our keys. */
  readonly keyPrefix: string
  /** Whether the client puts the prefix there by itself. */
  readonly addsPrefix: boolean
  /** Whether the client may connect anew where a server refuses something. */
  readonly mindsErrors: boolean
  readonly #client: Client
  readonly #timeout: number
  readonly #deadlines: Deadlines
  #wasReady = false

  /** @param timeout - the most milliseconds that commands wait for their answers. */
  constructor(client: Client, timers: Timers, timeout: number) {
    this.isCluster = client.isCluster
    this.addsPrefix = client.addsPrefix
    this.mindsErrors = client.mindsErrors
    this.keyPrefix = client.keyPrefix
    this.#client = client
    this.#timeout = timeout
    this.#deadlines = new Deadlines(timers, timeout)
  }

  /** The client itself, as its library made it. */
  get of(): object {
    return this.#client.of
  }

  /**
   * The answers to commands that are sent together, in their order. One that Redis answers by an
   * error has that in its place, and in a cluster so has one that is not answered. A server alone that
   * does not answer throws.
   *
   * @throws TierError `ERR_TIER`: the client is closed, its server is away or does not answer in time.
   */
  sendAll(commands: readonly Command[]): Promise<(Reply | Error)[]> {
    return this.ask(commands, replies => replies)
  }

  /** As {@link Connection.sendAll}: what `read` makes of the answers, which may throw. */
  ask<T>(commands: readonly Command[], read: (replies: (Reply | Error)[]) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#check()
      const answered = (replies: (Reply | Error)[]) => {
        try {
          resolve(read(this.#known(replies)))
        } catch (error) {
          reject(error)
        }
      }
      const sent = this.#client.sendAll(commands)
      if (Array.isArray(sent)) this.#each(sent, answered)
      else this.#together(sent, answered, reject)
    })
  }

  /** The answers; what there is none to has an error in its place, or throws it. */
  #known(replies: (Reply | Error)[]): (Reply | Error)[] {
    for (let i = 0; i < replies.length; i++) {
      const reply = replies[i] as Reply | Error
      if (!isLost(reply)) continue
      if (!this.isCluster) throw asLost(reply)
      replies[i] = asLost(reply)
    }
    return replies
  }

  /** Which part of a cluster has a key: see slots.ts. */
  partOf(key: Word): number {
    const bytes = Buffer.from(key as Uint8Array)
    return partOf(this.addsPrefix ? Buffer.concat([Buffer.from(this.keyPrefix), bytes]) : bytes)
  }

  /** Throws if nothing can be sent: commands are not to wait for a server that is away. */
  #check(): void {
    const { state } = this.#client
    if (state === 'closed') throw closedError()
    if (state === 'ready') this.#wasReady = true
    else if (this.#wasReady) throw new TierError('the connection to Redis is down')
  }

  /** Answers that come as one. */
  #together(
    answers: Promise<(Reply | Error)[]>,
    answered: (replies: (Reply | Error)[]) => void,
    failed: (error: TierError) => void,
  ): void {
    const deadline = this.#deadlines.after(() => failed(this.#late()), true)
    const settle = (replies: (Reply | Error)[]) => {
      deadline.cancel()
      answered(replies)
    }
    answers.then(settle, error => {
      deadline.cancel()
      failed(asLost(error))
    })
  }

  /** Answers that come one by one: those that do not come in time are errors. */
  #each(answers: Promise<Reply>[], answered: (replies: (Reply | Error)[]) => void): void {
    const replies: (Reply | Error | undefined)[] = []
    for (const _ of answers) replies.push(undefined)
    let left = answers.length
    const end = () => {
      deadline.cancel()
      // What comes later is not to change it.
      const all =
        left === 0 ? replies : replies.map(reply => (reply === undefined ? this.#late() : reply))
      answered(all as (Reply | Error)[])
    }
    const deadline = this.#deadlines.after(end, true)
    for (let i = 0; i < answers.length; i++) {
      const settle = (reply: Reply | Error) => {
        replies[i] = reply
        if (--left === 0) end()
      }
      const fail = (error: unknown) =>
        settle(error instanceof Error ? error : new Error(textOf(error)))
      answers[i]!.then(settle, fail)
    }
    if (left === 0) end()
  }

  #late(): TierError {
    return new TierError(`Redis did not answer within ${this.#timeout} ms`)
  }
}

/** Whether there is no answer, but an error of the library or of ours. */
function isLost(reply: Reply | Error): reply is Error {
  return reply instanceof Error && !isAnswer(reply)
}

function asLost(error: Error): TierError {
  if (error instanceof TierError) return error
  return new TierError(`Redis did not answer: ${error.message}`, { cause: error })
}

/** The user's client cannot be used. */
export function closedError(): TierError {
  return new TierError('the client of Redis is not connected: it was closed, or never opened')
}

/** Whether an error is what Redis answered: its first word is in capitals. */
export function isAnswer(error: Error): boolean {
  return /^[A-Z][A-Z]+\b/.test(error.message)
}

/** Whether an error says that a server does not know a command. */
export function isUnknownCommand(error: unknown): boolean {
  return error instanceof Error && /^ERR unknown command\b/i.test(error.message)
}
