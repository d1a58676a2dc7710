// One small interface over the clients of ioredis and node-redis, whichever servers they are for.
// Neither library is imported: a client is known by its shape.
import { InvalidOptionError, TierError } from '../../base/errors.ts'
import type { Timers } from '../../base/timers.ts'
import { partOf } from './slots.ts'

/** A word of a command. */
export type Word = string | Uint8Array

/** What Redis answers: texts of values are bytes. */
export type Reply = null | number | string | Buffer | Reply[]

/** A command, and the key that says which server of a cluster it goes to. */
export interface Command {
  readonly words: readonly Word[]
  readonly key: Word
}

/** A client of either library. Nothing here waits for ever. */
export interface Connection {
  readonly isCluster: boolean
  /** What the servers see before each of our keys. */
  readonly keyPrefix: string
  /** Whether the client puts the prefix there by itself. */
  readonly addsPrefix: boolean
  /** The answer to a command; what Redis answers as an error is thrown as it is. */
  send(command: Command): Promise<Reply>
  /**
   * The answers to commands that are sent together, in their order. One that Redis answers by an
   * error has that in its place, and in a cluster so has one that is not answered. A server alone that
   * does not answer throws.
   *
   * @throws TierError `ERR_TIER`: the client is closed, its server is away or does not answer in time.
   */
  sendAll(commands: readonly Command[]): Promise<(Reply | Error)[]>
  /** Which part of a cluster has a key: see slots.ts. */
  partOf(key: Word): number
}

/** What both libraries have. */
interface Client {
  /** ioredis: where the connection is. */
  readonly status?: string
  /** node-redis: whether `connect()` was called and `close()` was not. */
  readonly isOpen?: boolean
  readonly isReady?: boolean
  readonly options?: { keyPrefix?: unknown }
  readonly _keyPrefix?: unknown
}

interface IoRedis extends Client {
  readonly isCluster?: boolean
  callBuffer(...words: unknown[]): Promise<Reply>
  pipeline(): IoPipeline
}

interface IoPipeline {
  callBuffer(...words: unknown[]): unknown
  exec(): Promise<[error: Error | null, reply: Reply][] | null>
}

interface NodeRedis extends Client {
  /** What comes before the words depends on the kind of client. */
  sendCommand(...args: unknown[]): Promise<Reply>
}

/** How commands go through a library. */
export interface Library {
  readonly isCluster: boolean
  readonly addsPrefix: boolean
  /** Sends commands together, and gives the answer to each. */
  sendAll(commands: readonly Command[]): Promise<(Reply | Error)[]> | Promise<Reply>[]
}

/** Texts of values as bytes: in versions from 5 on, and in version 4. */
const AS_BYTES = { typeMapping: { 36: Buffer }, returnBuffers: true }

/**
 * A connection by way of a client.
 *
 * @param timeout - the most milliseconds that commands wait for their answers.
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: what is given is no client.
 */
export function connectionOf(client: object, timers: Timers, timeout: number): Connection {
  return new ClientConnection(client, checkClient(client), timers, timeout)
}

/**
 * How a client is used.
 *
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: what is given is no client.
 */
export function checkClient(client: object): Library {
  const library = libraryOf(client)
  if (library !== undefined) return library
  throw new InvalidOptionError('client', client, 'a client of ioredis or of node-redis')
}

/** How a client is used, `undefined` if it is none. */
function libraryOf(client: object): Library | undefined {
  if (typeof client !== 'object' || client === null) return undefined
  if ('callBuffer' in client && 'pipeline' in client) return ioRedis(client as IoRedis)
  if ('sendCommand' in client) return nodeRedis(client as NodeRedis)
  return undefined
}

function ioRedis(client: IoRedis): Library {
  const isCluster = client.isCluster === true
  return {
    isCluster,
    addsPrefix: true,
    sendAll(commands) {
      if (isCluster || commands.length === 1) {
        // The library finds the server of each command by itself.
        return commands.map(({ words }) => client.callBuffer(...words.map(bytesOf)))
      }
      const pipeline = client.pipeline()
      for (const { words } of commands) pipeline.callBuffer(...words.map(bytesOf))
      return pipeline
        .exec()
        .then(replies => (replies ?? []).map(([error, reply]) => error ?? reply))
    },
  }
}

function nodeRedis(client: NodeRedis): Library {
  const isCluster = 'masters' in client || 'nodeClient' in client
  const isSentinel = 'getSentinelNode' in client
  return {
    isCluster,
    addsPrefix: false,
    sendAll(commands) {
      // The library writes together what is sent in one turn.
      return commands.map(({ words, key }) => {
        const list = words.map(bytesOf)
        if (isCluster) return client.sendCommand(bytesOf(key), false, list, AS_BYTES)
        if (isSentinel) return client.sendCommand(false, list, AS_BYTES)
        return client.sendCommand(list, AS_BYTES)
      })
    },
  }
}

/** Bytes as both libraries take them. */
function bytesOf(word: Word): string | Buffer {
  if (typeof word === 'string' || Buffer.isBuffer(word)) return word
  return Buffer.from(word.buffer, word.byteOffset, word.byteLength)
}

class ClientConnection implements Connection {
  readonly isCluster: boolean
  readonly keyPrefix: string
  readonly addsPrefix: boolean
  readonly #client: Client
  readonly #library: Library
  readonly #timers: Timers
  readonly #timeout: number
  #wasReady = false

  constructor(client: Client, library: Library, timers: Timers, timeout: number) {
    const { keyPrefix = client._keyPrefix } = client.options ?? {}
    this.isCluster = library.isCluster
    this.addsPrefix = library.addsPrefix
    this.keyPrefix = keyPrefix === undefined ? '' : String(keyPrefix)
    this.#client = client
    this.#library = library
    this.#timers = timers
    this.#timeout = timeout
  }

  async send(command: Command): Promise<Reply> {
    const [reply] = await this.sendAll([command])
    if (reply instanceof Error) throw reply
    return reply ?? null
  }

  async sendAll(commands: readonly Command[]): Promise<(Reply | Error)[]> {
    this.#check()
    const sent = this.#library.sendAll(commands)
    const replies = await (Array.isArray(sent) ? this.#each(sent) : this.#together(sent))
    const lost = this.isCluster ? undefined : replies.find(isLost)
    if (lost !== undefined) throw asLost(lost)
    return replies.map(reply => (isLost(reply) ? asLost(reply) : reply))
  }

  partOf(key: Word): number {
    const bytes = Buffer.from(key as Uint8Array)
    return partOf(this.addsPrefix ? Buffer.concat([Buffer.from(this.keyPrefix), bytes]) : bytes)
  }

  /** Throws if nothing can be sent: commands are not to wait for a server that is away. */
  #check(): void {
    const { status, isOpen, isReady = isOpen } = this.#client
    if (status === 'end' || (status === undefined && isOpen === false)) {
      throw new TierError('the client of Redis is not connected: it was closed, or never opened')
    }
    if (status === 'ready' || isReady === true) this.#wasReady = true
    else if (this.#wasReady) throw new TierError('the connection to Redis is down')
  }

  /** Answers that come as one. */
  #together(answers: Promise<(Reply | Error)[]>): Promise<(Reply | Error)[]> {
    return new Promise((resolve, reject) => {
      const cancel = this.#timers.after(this.#timeout, () => reject(this.#late()))
      answers.then(resolve, error => reject(asLost(error))).finally(cancel)
    })
  }

  /** Answers that come one by one: those that do not come in time are errors. */
  #each(answers: Promise<Reply>[]): Promise<(Reply | Error)[]> {
    const replies: (Reply | Error | undefined)[] = answers.map(() => undefined)
    let left = answers.length
    return new Promise(resolve => {
      const end = () => {
        cancel()
        // What comes later is not to change it.
        resolve(replies.map(reply => (reply === undefined ? this.#late() : reply)))
      }
      const cancel = this.#timers.after(this.#timeout, end)
      for (const [i, answer] of answers.entries()) {
        const settle = (reply: Reply | Error) => {
          replies[i] = reply
          if (--left === 0) end()
        }
        answer.then(settle, error => settle(error instanceof Error ? error : new Error(error)))
      }
      if (left === 0) end()
    })
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

/** Whether an error is what Redis answered: its first word is in capitals. */
export function isAnswer(error: Error): boolean {
  return /^[A-Z][A-Z]+\b/.test(error.message)
}
