// What the clients of several processes read, as one recording: each process hashes keys by the same secret
// and counts time from the same moment, and what all have read is told in the order of its time.
import { machineNow } from '../base/runtime.ts'
import type { Processes } from './processes.ts'
import { newSecret, type Tape } from './recording.ts'

/** By how much the clocks of two processes may be apart, rounded as they are, in milliseconds. */
const APART = 5

export class ProcessTape implements Tape {
  readonly #processes: Processes
  #began: number | undefined
  #ready: Promise<void> = Promise.resolve()
  /** Rows before which others may still come. */
  #held: string[] = []

  constructor(processes: Processes) {
    this.#processes = processes
  }

  begin(): boolean {
    if (this.#began !== undefined) return false
    this.#began = machineNow()
    this.#held = []
    this.#ready = this.#processes.record({ secret: newSecret(), began: this.#began })
    // Whoever takes what there is hears of it.
    this.#ready.catch(() => {})
    return true
  }

  begun(): Promise<void> {
    return this.#ready
  }

  async take(): Promise<[rows: string, lost: number]> {
    // All that was read by now is in the answers.
    const until = machineNow() - (this.#began ?? 0) - APART
    const answers = await this.#processes.ask('recorded', undefined)
    const rows = answers.flatMap(({ answer: [rows] }) => rows.split('\n').slice(0, -1))
    const all = [...this.#held, ...rows].map(row => ({ row, at: timeOf(row) }))
    all.sort((one, other) => one.at - other.at)
    const late = all.findIndex(({ at }) => at > until)
    const [told, held] = late < 0 ? [all, []] : [all.slice(0, late), all.slice(late)]
    this.#held = held.map(({ row }) => row)
    const lost = answers.reduce((sum, { answer }) => sum + answer[1], 0)
    return [told.map(({ row }) => `${row}\n`).join(''), lost]
  }

  end(): void {
    this.#began = undefined
    // One that does not answer ends it when it does again.
    this.#processes.record(undefined).catch(() => {})
  }
}

/** The time of a row, in milliseconds. */
function timeOf(row: string): number {
  return Number(row.slice(0, row.indexOf(','))) * 1000
}
