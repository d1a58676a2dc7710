// Looks at all sources once in a while, as long as somebody watches, and keeps the last minutes.
import { dateNow, now as monotonic } from '../base/runtime.ts'
import { type Cancel, timersOf } from '../base/timers.ts'
import type { Look, Moment, Past, Sample } from './frames.ts'
import type { Source } from './source.ts'

/** For how long samples are kept, in milliseconds. */
export const KEEPS = 300_000
/** How many moments are kept, and how many are told at once. */
const MOST_MOMENTS = 200
const MOST_AT_ONCE = 20

interface Row {
  readonly at: number
  readonly values: Look['values']
  readonly heat: readonly number[] | null
}

/** Samples for all viewers. */
export class Sampler {
  readonly every: number
  readonly #sources: readonly Source[]
  readonly #past = new Map<string, Row[]>()
  readonly #viewers = new Set<(sample: Sample) => void>()
  /** Those that are known, by what they say: the past of a source is told at each start. */
  #moments: Moment[] = []
  #new: Moment[] = []
  #cancel: Cancel | undefined
  #due = 0

  constructor(sources: readonly Source[], every: number) {
    this.#sources = sources
    this.every = every
    for (const { shape } of sources) this.#past.set(shape.id, [])
  }

  /** Calls `see` with each sample until the result is called. The first viewer starts the samples. */
  watch(see: (sample: Sample) => void): () => void {
    if (this.#viewers.size === 0) this.#start()
    this.#viewers.add(see)
    return () => {
      if (this.#viewers.delete(see) && this.#viewers.size === 0) this.#stop()
    }
  }

  /** Whether anybody watches. */
  get isWatched(): boolean {
    return this.#viewers.size > 0
  }

  /** What was kept of a source. */
  past(id: string): Past {
    const rows = this.#past.get(id) ?? []
    return {
      at: rows.map(({ at }) => at),
      values: rows.map(({ values }) => values),
      heat: rows.map(({ heat }) => heat),
    }
  }

  get moments(): readonly Moment[] {
    return this.#moments
  }

  /** Adds something that happened. */
  tell(moment: Moment): void {
    const isKnown = this.#moments.some(
      ({ at, text, source }) =>
        at === moment.at && text === moment.text && source === moment.source,
    )
    if (isKnown || this.#new.length >= MOST_AT_ONCE) return
    this.#new.push(moment)
  }

  #start(): void {
    for (const source of this.#sources) {
      source.start(({ at = dateNow(), level, text }) =>
        this.tell({ at, level, text, source: source.shape.id }),
      )
    }
    this.#due = monotonic()
    this.#look()
  }

  #stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    for (const source of this.#sources) source.stop()
  }

  #look(): void {
    const at = dateNow()
    const looks: Record<string, Look> = {}
    for (const source of this.#sources) {
      const look = rounded(source.look(monotonic()))
      looks[source.shape.id] = look
      this.#keep(source.shape.id, { at, values: look.values, heat: look.heat ?? null })
    }
    const moments = this.#new
    this.#new = []
    this.#moments = [...this.#moments, ...moments].sort((a, b) => a.at - b.at).slice(-MOST_MOMENTS)
    // The next one keeps its place although this one was late.
    const time = monotonic()
    this.#due = Math.max(this.#due + this.every, time)
    this.#cancel = timersOf(undefined).after(this.#due - time, () => this.#look())
    for (const see of this.#viewers) see({ at, looks, moments })
  }

  #keep(id: string, row: Row): void {
    const rows = this.#past.get(id)!
    rows.push(row)
    const old = rows.findIndex(({ at }) => at >= row.at - KEEPS)
    if (old > 0) rows.splice(0, old)
  }
}

/** Figures with no more digits than anybody reads. */
function rounded(look: Look): Look {
  const short = (value: number | null) => (value === null ? null : Number(value.toPrecision(6)))
  return { ...look, values: look.values.map(short) }
}
