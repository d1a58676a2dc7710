// The figures at the top: what a look at the page is for.

import { figure } from '../format.ts'
import type { Gauge } from '../frames.ts'
import { el, setText } from './dom.ts'

/** A row of figures. */
export class GaugesView {
  readonly element: HTMLElement
  readonly #gauges: readonly Gauge[]
  readonly #columns: readonly string[]
  readonly #figures: HTMLElement[]
  readonly #notes: HTMLElement[]
  readonly #bars: HTMLElement[]

  constructor(gauges: readonly Gauge[], columns: readonly string[]) {
    this.#gauges = gauges
    this.#columns = columns
    this.#figures = gauges.map(() => el('span', { class: 'value' }, '–'))
    this.#notes = gauges.map(() => el('span', { class: 'quiet' }))
    this.#bars = gauges.map(() => el('i'))
    const items = gauges.map(({ label, of }, at) =>
      el(
        'div',
        { class: 'gauge' },
        el('dt', {}, label),
        el('dd', {}, this.#figures[at]!, this.#notes[at]!),
        ...(of === undefined
          ? []
          : [el('span', { class: 'bar', 'aria-hidden': 'true' }, this.#bars[at]!)]),
      ),
    )
    this.element = el('dl', { class: 'gauges panel' }, ...items)
  }

  show(values: readonly (number | null)[]): void {
    const of = (column: string) => values[this.#columns.indexOf(column)] ?? null
    for (const [at, { column, unit, of: whole }] of this.#gauges.entries()) {
      const value = of(column)
      setText(this.#figures[at]!, figure(value, unit))
      const most = whole === undefined ? null : of(whole)
      setText(this.#notes[at]!, most === null ? '' : `of ${figure(most, unit)}`)
      const part = most === null || most === 0 ? 0 : Math.min(1, (value ?? 0) / most)
      const bar = this.#bars[at]!
      bar.style.inlineSize = `${Math.round(part * 100)}%`
      bar.dataset.full = String(part > 0.95)
    }
  }
}
