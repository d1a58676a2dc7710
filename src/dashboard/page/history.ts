// The samples of a source that the page has: columns that charts draw, with gaps where it saw nothing.
import type { Look, Past } from '../frames.ts'

/** Samples of one source. */
export class History {
  /** Seconds since 1970. */
  at: number[] = []
  /** A list for each column. */
  columns: (number | null)[][]
  heat: (readonly number[] | null)[] = []
  readonly #keeps: number
  readonly #every: number

  constructor(columns: number, keeps: number, every: number) {
    this.columns = Array.from({ length: columns }, () => [])
    this.#keeps = keeps / 1000
    this.#every = every / 1000
  }

  /** Adds what the process has kept; what the page knows already stays. */
  addPast({ at, values, heat }: Past): void {
    for (const [row, time] of at.entries()) this.#add(time / 1000, values[row]!, heat[row] ?? null)
  }

  /** Adds a sample. */
  add(at: number, look: Look): void {
    this.#add(at / 1000, look.values, look.heat ?? null)
    const old = this.at.findIndex(time => time >= at / 1000 - this.#keeps)
    if (old <= 0) return
    for (const list of [this.at, this.heat, ...this.columns]) list.splice(0, old)
  }

  #add(time: number, values: readonly (number | null)[], heat: readonly number[] | null): void {
    const last = this.at.at(-1)
    if (last !== undefined && time <= last) return
    if (last !== undefined && time - last > this.#every * 2.5) {
      // A gap, so that no line is drawn over what nobody saw.
      this.#push(last + this.#every, [], null)
    }
    this.#push(time, values, heat)
  }

  #push(time: number, values: readonly (number | null)[], heat: readonly number[] | null): void {
    this.at.push(time)
    this.heat.push(heat)
    for (const [at, list] of this.columns.entries()) list.push(values[at] ?? null)
  }
}
