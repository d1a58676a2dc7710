// Where lines of the log leave the process: whoever reads them may be slow, stand still or go, and holds up
// nobody. So much waits for them; further lines are left out, and counted.
import { pause } from '../base/pause.ts'
import { timersOf } from '../base/timers.ts'

/** The most bytes that wait. */
const MOST = 4 * 1024 * 1024
/** How long the end of the process waits until they are read, in milliseconds. */
const REST = 1000

/** What is written to: a standard stream of the process, as Node.js has it. */
export type Stream = NodeJS.WritableStream & { readonly writableLength: number; isTTY?: boolean }

export class Outlet {
  readonly #stream: Stream
  readonly #tell: (count: number) => void
  #leftOut = 0

  /** @param tell - is told how many lines were left out, once there is room for others. */
  constructor(stream: Stream, tell: (count: number) => void) {
    this.#stream = stream
    this.#tell = tell
    // A terminal that was stopped would stop this thread as well.
    if (stream.isTTY) (stream as Terminal)._handle?.setBlocking?.(false)
    stream.on('error', () => {})
    stream.on('drain', () => this.#tellLeftOut())
  }

  write(line: string): void {
    if (this.#stream.writableLength > MOST) {
      this.#leftOut++
      return
    }
    this.#tellLeftOut()
    this.#stream.write(line)
  }

  /** Done once all is read, or nobody seems to read it. */
  async drained(): Promise<void> {
    const read = new Promise<void>(resolve => this.#stream.write('', () => resolve()))
    if (this.#stream.writableLength > 0)
      await Promise.race([read, pause(timersOf(undefined), REST)])
  }

  #tellLeftOut(): void {
    const count = this.#leftOut
    this.#leftOut = 0
    if (count > 0) this.#tell(count)
  }
}

/** A stream of a terminal, with what Node.js does not document of it. */
interface Terminal extends Stream {
  _handle?: { setBlocking?: (blocking: boolean) => void } | null
}
