// What the tier needs of the user's client, whichever library it is of.
import type { Cancel } from '../../../base/timers.ts'
import type { Holder, Reach } from './reach.ts'

/** A word of a command. */
export type Word = string | Uint8Array

/** What Redis answers: texts of values are bytes. */
export type Reply = null | number | string | Buffer | Reply[]

/** A command, and the key that says which server of a cluster it goes to. */
export interface Command {
  readonly words: readonly Word[]
  readonly key: Word
  /** The same for a server that has neither scripts nor sets, and knows by name what it is to do. */
  readonly named?: Named | undefined
}

/** A command by which `breakwater serve` does in one step what others need scripts or sets for. */
export interface Named {
  readonly name: string
  readonly keys: readonly Word[]
  /** What follows the keys. */
  readonly args: readonly Word[]
}

/**
 * - `ready`: commands are answered.
 * - `busy`: it connects, for the first time or again.
 * - `closed`: the user closed it, or has not opened it yet.
 */
export type ClientState = 'ready' | 'busy' | 'closed'

/** The user's client, or a copy of it. */
export interface Client {
  /** The client itself, as its library made it. */
  readonly of: object
  readonly isCluster: boolean
  /** What the servers see before each of our keys. */
  readonly keyPrefix: string
  /** Whether the client puts the prefix there by itself. */
  readonly addsPrefix: boolean
  /** Whether the user has it connect anew on errors that he chooses: none of ours may be one. */
  readonly mindsErrors: boolean
  readonly state: ClientState
  /** Sends commands together, and gives the answer to each. */
  sendAll(commands: readonly Command[]): Promise<(Reply | Error)[]> | Promise<Reply>[]
  /** Makes connections of our own to the servers that the client is for, set up as it is. */
  reach(holder: Holder): Promise<Reach>
  /** Calls `f` when {@link Client.state} may have changed, until it is cancelled. */
  onState(f: () => void): Cancel
}

/** Bytes as both libraries take them. */
export function bytesOf(word: Word): string | Buffer {
  if (typeof word === 'string' || Buffer.isBuffer(word)) return word
  return Buffer.from(word.buffer, word.byteOffset, word.byteLength)
}
