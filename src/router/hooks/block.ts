// A question of the native side, read from the bytes that it lies in: what is not asked for is not
// decoded. `crates/node/src/router/hooks/block.rs` has what lies where.
import { Buffer } from 'node:buffer'
import { showClient } from '../../native/router.ts'
import type { HookClient, HookKey, HookRequest } from './define.ts'

/** The hook that is asked about clients. */
export const GREETING = 0xffffffff
/** The hook that chooses the routes of keys. */
export const ROUTING = 0xfffffffe
const HALF = 2 ** 32
/** Where the ends of texts begin. */
const ENDS = 9

/** A question, as bytes. */
export class Block {
  readonly #numbers: Uint32Array
  readonly #bytes: Buffer

  constructor(bytes: Uint8Array) {
    const { buffer, byteOffset, length } = bytes
    this.#numbers = new Uint32Array(buffer, byteOffset, length >> 2)
    this.#bytes = Buffer.from(buffer, byteOffset, length)
  }

  /** Which hook is asked. */
  get hook(): number {
    return this.#numbers[0]!
  }

  get client(): number {
    return this.#numbers[1]! + this.#numbers[2]! * HALF
  }

  /** The question's number, among those of its client. */
  get number(): number {
    return this.#numbers[3]! + this.#numbers[4]! * HALF
  }

  get database(): number {
    return this.#numbers[5]!
  }

  get queued(): boolean {
    return this.#numbers[6] === 1
  }

  /** How many words there are, the command among them. */
  get words(): number {
    return this.#numbers[7]!
  }

  /** The places of the keys among the words. */
  get keys(): number[] {
    const first = ENDS + 2 + this.words
    return [...this.#numbers.subarray(first, first + this.#numbers[8]!)]
  }

  /** A text: 0 is the command's name, 1 the user's, the words follow. */
  text(at: number): string {
    const [from, to] = this.#place(at)
    return this.#bytes.toString('utf8', from, to)
  }

  /** The same as bytes, which are the caller's own. */
  copy(at: number): Uint8Array {
    const [from, to] = this.#place(at)
    return Uint8Array.prototype.slice.call(this.#bytes, from, to)
  }

  /** The same block, in memory of its own. */
  clone(): Block {
    const [, end] = this.#place(1 + this.words)
    return new Block(Uint8Array.prototype.slice.call(this.#bytes, 0, end))
  }

  #place(at: number): [from: number, to: number] {
    const texts = 4 * (ENDS + 2 + this.words + this.#numbers[8]!)
    const from = at === 0 ? 0 : this.#numbers[ENDS + at - 1]!
    return [texts + from, texts + this.#numbers[ENDS + at]!]
  }
}

/** A command that a hook is asked about, read from a block. */
export class Request implements HookRequest {
  readonly #router: number
  #block: Block | undefined

  constructor(router: number, block: Block) {
    this.#router = router
    this.#block = block
  }

  /** From now on the block is another question's. */
  end(): void {
    this.#block = undefined
  }

  get command(): string {
    return this.#read.text(0)
  }

  get args(): string[] {
    const block = this.#read
    return Array.from({ length: block.words - 1 }, (_, at) => block.text(3 + at))
  }

  get keys(): string[] {
    const block = this.#read
    return block.keys.map(place => block.text(2 + place))
  }

  get user(): string {
    return this.#read.text(1)
  }

  get database(): number {
    return this.#read.database
  }

  get queued(): boolean {
    return this.#read.queued
  }

  get client(): HookClient {
    return clientOf(this.#router, this.#read.client)
  }

  bytes(index: number): Uint8Array {
    const block = this.#read
    if (Number.isInteger(index) && index >= 0 && index < block.words - 1)
      return block.copy(3 + index)
    throw new RangeError(`a command of ${block.words - 1} words has none at ${index}`)
  }

  get #read(): Block {
    if (this.#block !== undefined) return this.#block
    throw new Error(
      'a request can be read while its hook runs: take what you need before it returns',
    )
  }
}

/** The key of a block that asks for its route. */
export function keyOf(block: Block): HookKey {
  return { key: block.text(2), bytes: block.copy(2) }
}

/** What is known of a client. One that is gone has no address. */
export function clientOf(router: number, id: number): HookClient {
  const shown = showClient(router, id)
  const { address = '', local = '', name = '', label, certificate } = shown ?? {}
  return { id, address, local, name, label, certificate }
}
