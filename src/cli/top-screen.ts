// What `breakwater top` shows: lines of text from the last sample, and what keys change of them.
import { timeOfDay } from '../base/runtime.ts'
import { figure, keyShown, visible } from '../dashboard/format.ts'
import type { Hello, KeyText, Look, Sample, Shape, TableShape, Value } from '../dashboard/frames.ts'

const [BOLD, DIM, REVERSE, RED, YELLOW, GREEN, PLAIN] = [1, 2, 7, 31, 33, 32, 0].map(
  code => `\x1b[${code}m`,
) as [string, string, string, string, string, string, string]
/** What switches one of these on, between parts of a line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those of a terminal
const COLOUR = /(\x1b\[\d+m)/
/** The widest cell. */
const WIDEST = 40
/** How many of the last happenings are shown. */
const HAPPENINGS = 3

/** What a key asks for. */
export type Asked = 'end' | 'draw'

/** A node in lines of text. */
export class Screen {
  readonly #address: string
  #hello: Hello | undefined
  #sample: Sample | undefined
  #moments: Sample['moments'] = []
  #lost: string | undefined = 'connecting'
  #table = 0
  #column = -1
  #isRising = false
  #row = 0
  #isOpen = false
  isPaused = false

  constructor(address: string) {
    this.#address = address
  }

  greet(hello: Hello): void {
    this.#hello = hello
    this.#moments = hello.moments
    this.#lost = undefined
  }

  see(sample: Sample): void {
    this.#sample = sample
    this.#moments = [...this.#moments, ...sample.moments].slice(-20)
    this.#lost = undefined
  }

  lose(why: string): void {
    this.#lost = why
  }

  /** Takes what was typed. */
  press(keys: string): Asked {
    const tables = this.#tables()
    const columns = tables[this.#table]?.columns.length ?? 0
    if (keys === 'q' || keys === '\x03') return 'end'
    if (keys === 'p') this.isPaused = !this.isPaused
    else if (keys === 'r') this.#isRising = !this.#isRising
    else if (keys === '\r') this.#isOpen = !this.#isOpen
    else if (keys === '\x1b[A' || keys === 'k') this.#row = Math.max(0, this.#row - 1)
    else if (keys === '\x1b[B' || keys === 'j') this.#row++
    else if (keys === '\x1b[C') this.#column = (this.#column + 1) % Math.max(1, columns)
    else if (keys === '\x1b[D')
      this.#column = ((this.#column + columns) % Math.max(1, columns + 1)) - 1
    else if (keys === '\t') this.#choose((this.#table + 1) % Math.max(1, tables.length))
    else if (/^[1-9]$/.test(keys) && Number(keys) <= tables.length) this.#choose(Number(keys) - 1)
    return 'draw'
  }

  #choose(table: number): void {
    this.#table = table
    this.#column = -1
    this.#row = 0
    this.#isOpen = false
  }

  #tables(): readonly TableShape[] {
    return this.#hello?.shapes[0]?.tables ?? []
  }

  /** All of it once, with every table, as plain text. */
  text(width: number): string {
    const shape = this.#hello?.shapes[0]
    const look = shape && this.#sample?.looks[shape.id]
    const lines = [this.#head(look)]
    if (shape !== undefined && look !== undefined) {
      lines.push('', ...gauges(shape, look, width))
      for (const table of shape.tables) {
        const { heads, rows } = laidOut(table, look.tables[table.id]?.rows ?? [])
        lines.push('', table.title, ...(rows.length === 0 ? [table.empty] : [heads, ...rows]))
      }
      lines.push('', ...this.#happenings())
    }
    return lines.map(line => `${plain(line).trimEnd()}\n`).join('')
  }

  /** The lines for a terminal of this size. */
  lines(width: number, height: number): string[] {
    const shape = this.#hello?.shapes[0]
    const look = shape && this.#sample?.looks[shape.id]
    const lines = [this.#head(look)]
    if (shape !== undefined && look !== undefined) {
      lines.push('', ...gauges(shape, look, width), '', ...this.#tabs())
      const table = shape.tables[this.#table]
      const rest = Math.max(3, height - lines.length - HAPPENINGS - 3)
      if (table !== undefined) lines.push(...this.#rows(table, look, rest))
      lines.push('', ...this.#happenings())
    }
    lines.push(`${DIM}q end  Tab table  ←→ sort  r order  ↑↓ row  Enter detail  p pause${PLAIN}`)
    return lines.slice(0, height).map(line => cut(line, width))
  }

  #head(look: Look | undefined): string {
    const { version = '', pid = '' } = this.#hello ?? {}
    const name = `${BOLD}Breakwater${PLAIN} ${version} at ${this.#address}, process ${pid}`
    if (this.#lost !== undefined) return `${name}  ${RED}${visible(this.#lost)}${PLAIN}`
    const colour = { up: GREEN, degraded: YELLOW, down: RED }[look?.state ?? 'up']
    const state = visible(look?.stateText ?? 'no figures yet')
    return `${name}  ${colour}${state}${PLAIN}${this.isPaused ? `  ${REVERSE} paused ${PLAIN}` : ''}`
  }

  #tabs(): string[] {
    const tabs = this.#tables().map(({ title }, at) =>
      at === this.#table ? `${REVERSE} ${at + 1} ${title} ${PLAIN}` : ` ${at + 1} ${title} `,
    )
    return tabs.length === 0 ? [] : [tabs.join(' ')]
  }

  #rows(table: TableShape, look: Look, room: number): string[] {
    const all = look.tables[table.id]?.rows ?? []
    if (all.length === 0) return [`${DIM}${table.empty}${PLAIN}`]
    const rows = this.#sorted(all)
    this.#row = Math.min(this.#row, rows.length - 1)
    if (this.#isOpen) return detail(table, rows[this.#row]!)
    const from = Math.max(0, this.#row - room + 2)
    const shown = rows.slice(from, from + room - 1)
    const { heads, rows: lines } = laidOut(table, shown, at => {
      if (at !== this.#column) return ''
      return this.#isRising ? '↑' : '↓'
    })
    return [
      `${DIM}${heads}${PLAIN}`,
      ...lines.map((text, at) => (from + at === this.#row ? `${REVERSE}${text}${PLAIN}` : text)),
    ]
  }

  #sorted(rows: Look['tables'][string]['rows']): readonly (readonly Value[])[] {
    const at = this.#column
    if (at < 0) return rows
    const order = (a: Value | undefined, b: Value | undefined) =>
      typeof a === 'number' || typeof b === 'number'
        ? Number(a ?? -1) - Number(b ?? -1)
        : written(a, 'text').localeCompare(written(b, 'text'))
    return [...rows].sort((a, b) => order(a[at], b[at]) * (this.#isRising ? 1 : -1))
  }

  #happenings(): string[] {
    const last = [...this.#moments].slice(-HAPPENINGS).reverse()
    return last.map(({ at, level, text }) => {
      const colour = level === 'bad' ? RED : level === 'warn' ? YELLOW : DIM
      return `${colour}${timeOfDay(at)}${PLAIN} ${visible(text, 200)}`
    })
  }
}

/** The figures at the top, in as many columns as there is room for. */
function gauges({ gauges, columns }: Shape, look: Look, width: number): string[] {
  const cells = gauges.map(({ column, label, unit, of }) => {
    const value = figure(look.values[columns.indexOf(column)], unit)
    const most = of === undefined ? null : look.values[columns.indexOf(of)]
    const bound = most === null || most === undefined ? '' : ` of ${figure(most, unit)}`
    return `${label.padEnd(15)}${BOLD}${value.padStart(10)}${PLAIN}${bound.padEnd(14)}`
  })
  const each = Math.max(1, Math.floor(width / 40))
  const lines: string[] = []
  for (let at = 0; at < cells.length; at += each) lines.push(cells.slice(at, at + each).join(' '))
  return lines
}

/** Rows of a table in columns below their heads, each of which may bear a mark. */
function laidOut(
  { columns }: TableShape,
  rows: readonly (readonly Value[])[],
  markOf: (column: number) => string = () => '',
): { heads: string; rows: string[] } {
  const cells = rows.map(row => columns.map(({ cell }, at) => written(row[at], cell)))
  const heads = columns.map(({ label }, at) => label + markOf(at))
  const widths = heads.map((head, at) =>
    Math.min(WIDEST, Math.max(head.length, ...cells.map(row => row[at]!.length))),
  )
  const line = (row: readonly string[]) =>
    row
      .map((text, at) => {
        const fitted = text.length > widths[at]! ? `${text.slice(0, widths[at]! - 1)}…` : text
        return isText(columns[at]!.cell) ? fitted.padEnd(widths[at]!) : fitted.padStart(widths[at]!)
      })
      .join('  ')
  return { heads: line(heads), rows: cells.map(line) }
}

/** All of a row: a line for each column. */
function detail(table: TableShape, row: readonly Value[]): string[] {
  return table.columns.map(({ label, cell }, at) => {
    const value = row[at]
    const isKey = typeof value === 'object' && value !== null
    return `${DIM}${label.padEnd(20)}${PLAIN} ${isKey ? keyShown(value, 400) : written(value, cell)}`
  })
}

function isText(cell: TableShape['columns'][number]['cell']): boolean {
  return ['text', 'key', 'state', 'flag', 'mode'].includes(cell)
}

/** A cell as text; nothing of a stranger moves the cursor. */
function written(value: Value | undefined, cell: TableShape['columns'][number]['cell']): string {
  if (value === null || value === undefined) return '–'
  if (typeof value === 'object') return keyShown(value as KeyText)
  if (typeof value === 'boolean') return value ? 'yes' : ''
  if (typeof value === 'string') return visible(value)
  if (cell === 'bar') return figure(value, 'share')
  return isText(cell) ? String(value) : figure(value, cell as 'count')
}

/** A line without colours. */
function plain(line: string): string {
  return line
    .split(COLOUR)
    .filter(part => !part.startsWith('\x1b'))
    .join('')
}

/** Cuts a line to a width; what colours it takes no room. */
function cut(line: string, width: number): string {
  let room = width
  let text = ''
  for (const part of line.split(COLOUR)) {
    if (part.startsWith('\x1b')) text += part
    else {
      text += part.slice(0, Math.max(0, room))
      room -= part.length
    }
  }
  return `${text}${PLAIN}`
}
