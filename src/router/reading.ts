// Whether a client takes its replies, by the driver `net`: one that has some and takes none of them for too
// long is cut. Of the native driver, `crates/net/src/reading.rs` does the same.
import type { Socket } from 'node:net'
import { clearTimeout, setTimeout } from '../base/runtime.ts'

/** So many looks in a row at which nothing was taken are too many. */
const LOOKS = 4

/** How far a client has come with its replies: what is the same at two looks is standing still. */
interface Mark {
  /** Bytes that are written for good. */
  taken: number
  /** Of the write that is under way, the bytes that the system has not taken. */
  left: number | undefined
}

/** Looks at a client for as long as it has replies to take. */
export class Reading {
  readonly #socket: Socket
  readonly #within: () => number
  readonly #cut: () => void
  #given = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /**
   * @param within - how long it may take none, in milliseconds.
   * @param cut - what happens then.
   */
  constructor(socket: Socket, within: () => number, cut: () => void) {
    this.#socket = socket
    this.#within = within
    this.#cut = cut
    socket.once('close', () => clearTimeout(this.#timer))
  }

  /** Replies of so many bytes were written; `all`, if the system took all that there was. */
  gave(count: number, all: boolean): void {
    this.#given += count
    if (!all && this.#timer === undefined) this.#lookLater(this.#mark(), 0)
  }

  #lookLater(before: Mark, idle: number): void {
    this.#timer = setTimeout(() => this.#look(before, idle), Math.ceil(this.#within() / LOOKS))
  }

  #look(before: Mark, idle: number): void {
    this.#timer = undefined
    if (this.#socket.destroyed || this.#socket.writableLength === 0) return
    const now = this.#mark()
    const moves = now.taken !== before.taken || now.left !== before.left
    const looks = moves ? 0 : idle + 1
    if (looks < LOOKS) this.#lookLater(now, looks)
    else this.#cut()
  }

  #mark(): Mark {
    // One write may be of megabytes: without this, a slow line would stand still for as long.
    const { _handle } = this.#socket as { _handle?: { writeQueueSize?: number } | null }
    return { taken: this.#given - this.#socket.writableLength, left: _handle?.writeQueueSize }
  }
}
