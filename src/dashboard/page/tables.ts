// Tables whose rows each sample replaces: a row stays where it is while somebody is on it.

import { figure, keyShown, visible } from '../format.ts'
import type { Column, KeyText, Rows, TableShape, Value } from '../frames.ts'
import { el, setText } from './dom.ts'

/** How many rows are shown until somebody asks for all. */
const FEW = 10

/** What can be done to a row. */
export interface RowAction {
  readonly label: string
  /** Whether it can be done to this row. */
  fits(row: readonly Value[]): boolean
  run(row: readonly Value[]): void
}

interface Row {
  readonly element: HTMLTableRowElement
  readonly cells: HTMLTableCellElement[]
  readonly buttons: HTMLButtonElement[]
  values: readonly Value[]
}

/** A table of the page. */
export class TableView {
  readonly element: HTMLElement
  readonly #shape: TableShape
  readonly #actions: readonly RowAction[]
  readonly #onMode: ((row: readonly Value[], mode: string) => void) | undefined
  readonly #body = el('tbody')
  readonly #note = el('span', { class: 'quiet' })
  readonly #empty: HTMLElement
  readonly #all = el('button', { type: 'button', class: 'plain' })
  readonly #heads: HTMLTableCellElement[]
  #rows = new Map<string, Row>()
  #last: Rows = { rows: [], more: 0 }
  #showsAll = false
  #sort: { at: number; up: boolean } | undefined

  constructor(
    shape: TableShape,
    actions: readonly RowAction[],
    onMode?: (row: readonly Value[], mode: string) => void,
  ) {
    this.#shape = shape
    this.#actions = actions
    this.#onMode = onMode
    this.#heads = shape.columns.map((column, at) => this.#head(column, at))
    const acts =
      actions.length > 0
        ? [el('th', { scope: 'col' }, el('span', { class: 'unseen' }, 'Actions'))]
        : []
    this.#empty = el('p', { class: 'quiet empty' }, shape.empty)
    const table = el(
      'table',
      {},
      el('caption', {}, shape.title, this.#note),
      el('thead', {}, el('tr', {}, ...this.#heads, ...acts)),
      this.#body,
    )
    this.#all.addEventListener('click', () => {
      this.#showsAll = !this.#showsAll
      this.show(this.#last)
    })
    // A table that is wider than its place is scrolled by the keyboard, too.
    const scroll = el(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': shape.title },
      table,
    )
    this.element = el('section', { class: 'panel table' }, scroll, this.#empty, this.#all)
  }

  #head({ label, cell }: Column, at: number): HTMLTableCellElement {
    const button = el('button', { type: 'button', class: 'plain' }, label)
    const head = el('th', { scope: 'col', class: classOf(cell) }, button)
    button.addEventListener('click', () => {
      const up = this.#sort?.at === at ? !this.#sort.up : !isFigure(cell)
      this.#sort = { at, up }
      for (const each of this.#heads) each.removeAttribute('aria-sort')
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending')
      this.show(this.#last)
    })
    return head
  }

  /** Shows these rows. */
  show(all: Rows): void {
    this.#last = all
    const sorted = this.#sorted(all.rows)
    const shown = this.#showsAll ? sorted : sorted.slice(0, FEW)
    const before = this.#rows
    this.#rows = new Map()
    for (const values of shown) {
      const id = JSON.stringify(values[0])
      const row = before.get(id) ?? this.#make()
      this.#fill(row, values)
      this.#rows.set(id, row)
    }
    this.#place()
    this.#empty.hidden = all.rows.length > 0
    const total = all.rows.length + all.more
    this.#all.hidden = total <= FEW
    const more = all.more > 0 ? `, of ${total.toLocaleString('en')}` : ''
    setText(this.#all, this.#showsAll ? 'Show fewer' : `Show ${all.rows.length}${more}`)
    setText(this.#note, this.#balance(all.rows))
  }

  #sorted(rows: Rows['rows']): Rows['rows'] {
    if (this.#sort === undefined) return rows
    const { at, up } = this.#sort
    const order = (a: Value | undefined, b: Value | undefined) =>
      typeof a === 'number' || typeof b === 'number'
        ? Number(a ?? -1) - Number(b ?? -1)
        : textOf(a).localeCompare(textOf(b))
    return [...rows].sort((a, b) => order(a[at], b[at]) * (up ? 1 : -1))
  }

  /** The largest over the mean. */
  #balance(rows: Rows['rows']): string {
    const at = this.#shape.columns.findIndex(({ id }) => id === this.#shape.balance)
    const values = at < 0 ? [] : rows.map(row => Number(row[at] ?? 0))
    const total = values.reduce((a, b) => a + b, 0)
    if (values.length < 2 || total === 0) return ''
    return `imbalance ${((Math.max(...values) * values.length) / total).toFixed(2)}`
  }

  /** Puts the rows in their order, unless somebody is on one of them. */
  #place(): void {
    const wanted = [...this.#rows.values()].map(({ element }) => element)
    const isBusy = this.#body.matches(':hover, :focus-within')
    const kept = [...this.#body.children].filter(each => wanted.includes(each as never))
    if (isBusy && kept.length > 0) {
      for (const each of [...this.#body.children]) {
        if (!wanted.includes(each as never) && !each.matches(':hover, :focus-within')) each.remove()
      }
      for (const each of wanted) if (!each.isConnected) this.#body.append(each)
      return
    }
    const now = [...this.#body.children]
    if (now.length === wanted.length && now.every((each, at) => each === wanted[at])) return
    this.#body.replaceChildren(...wanted)
  }

  #make(): Row {
    const cells = this.#shape.columns.map(({ cell }, at) =>
      at === 0
        ? el('th', { scope: 'row', class: classOf(cell) })
        : el('td', { class: classOf(cell) }),
    )
    const buttons = this.#actions.map(({ label }) =>
      el('button', { type: 'button', class: 'small' }, label),
    )
    const row: Row = { element: el('tr'), cells, buttons, values: [] }
    for (const [at, button] of buttons.entries()) {
      button.addEventListener('click', () => this.#actions[at]!.run(row.values))
    }
    row.element.append(...cells)
    if (buttons.length > 0) row.element.append(el('td', { class: 'acts' }, ...buttons))
    return row
  }

  #fill(row: Row, values: readonly Value[]): void {
    row.values = values
    for (const [at, { cell }] of this.#shape.columns.entries()) {
      this.#write(row.cells[at]!, cell, values[at] ?? null, row)
    }
    for (const [at, button] of row.buttons.entries()) {
      button.hidden = !this.#actions[at]!.fits(values)
    }
  }

  #write(place: HTMLElement, cell: Column['cell'], value: Value, row: Row): void {
    if (cell === 'key') {
      const key = keyOf(value)
      setText(place, keyShown(key))
      place.title = keyShown(key, 400)
    } else if (cell === 'state') {
      setText(place, String(value ?? '–'))
      place.dataset.state = value === 'up' ? 'up' : value === 'unknown' ? 'degraded' : 'down'
    } else if (cell === 'mode') this.#mode(place, String(value), row)
    else if (cell === 'bar') bar(place, value as number | null)
    else if (cell === 'flag') setText(place, value === true ? 'yes' : '')
    else if (cell === 'text') setText(place, value === null ? '–' : visible(String(value)))
    else setText(place, figure(value as number | null, cell))
  }

  /** What a route does, to be changed if somebody may. */
  #mode(place: HTMLElement, mode: string, row: Row): void {
    const change = this.#onMode
    if (change === undefined) {
      setText(place, mode)
      return
    }
    let select = place.querySelector('select')
    if (select === null) {
      const made = el('select', {}, ...['on', 'shadow', 'off'].map(each => el('option', {}, each)))
      made.addEventListener('change', () => {
        const asked = made.value
        // It shows what is, until that has changed.
        made.value = String(row.values[1])
        change(row.values, asked)
      })
      place.append(made)
      select = made
    }
    select.setAttribute('aria-label', `Mode of ${textOf(row.values[0])}`)
    if (document.activeElement !== select) select.value = mode
  }
}

/** A key; that of a route is a text. */
function keyOf(value: Value): KeyText {
  return typeof value === 'string' ? { kind: 'string', text: value } : (value as KeyText)
}

/** A share, as a bar and as text. */
function bar(place: HTMLElement, value: number | null): void {
  if (place.firstChild === null) {
    place.append(el('span', { class: 'bar', 'aria-hidden': 'true' }, el('i')), el('span'))
  }
  const [box, text] = place.children as unknown as [HTMLElement, HTMLElement]
  ;(box.firstChild as HTMLElement).style.inlineSize = `${Math.round((value ?? 0) * 100)}%`
  setText(text, figure(value, 'share'))
}

function isFigure(cell: Column['cell']): boolean {
  return !['text', 'key', 'state', 'flag', 'mode'].includes(cell)
}

function classOf(cell: Column['cell']): string {
  if (cell === 'key') return 'key'
  return isFigure(cell) ? `figure${cell === 'bar' ? ' share' : ''}` : cell
}

function textOf(value: Value | undefined): string {
  if (typeof value === 'object' && value !== null) return keyShown(value)
  return visible(String(value ?? ''))
}
