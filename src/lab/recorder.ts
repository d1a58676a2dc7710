// A recording of a store's reads, in native memory: what `MONITOR` tells becomes rows of a trace.
import { binding } from '../native/native.ts'

/** A recording under way. */
export class Recorder {
  readonly #number: number
  /** The first line of the trace. */
  readonly header: string
  /** How many rows were given out. */
  rows = 0

  constructor(withSizes: boolean) {
    const [number, header] = binding.openRecorder(Number(withSizes))
    this.#number = number
    this.header = header
  }

  /**
   * Takes what the connection says that has sent `MONITOR`. What is to be sent over the other one.
   * @throws TraceError `ERR_TRACE`: the store refused what was sent, in its words.
   */
  monitored(bytes: Uint8Array): Buffer {
    return binding.recordMonitored(this.#number, bytes)
  }

  /** Takes what the other connection says. @throws TraceError as {@link monitored}. */
  answered(bytes: Uint8Array): void {
    binding.recordAnswered(this.#number, bytes)
  }

  /** The text of rows that are complete, up to so many in all. */
  take(mostInAll: number): string {
    const [count, text] = binding.recordedRows(this.#number, Math.max(0, mostInAll - this.rows))
    this.rows += count
    return text
  }

  /** Frees its memory. */
  close(): void {
    binding.closeRecorder(this.#number)
  }
}
