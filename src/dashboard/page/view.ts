// All that the page shows of one source.
import type { Hello, Look, Moment, Shape } from '../frames.ts'
import { AboutView } from './about.ts'
import { Actions } from './actions.ts'
import { type ChartHost, ChartView } from './charts.ts'
import { el } from './dom.ts'
import { GaugesView } from './gauges.ts'
import { HeatView } from './heat.ts'
import { History } from './history.ts'
import { RemovalsView } from './removals.ts'
import { TableView } from './tables.ts'
import { type Colours, colours } from './theme.ts'
import { TimelineView } from './timeline.ts'

/** The shortest span of the charts, in seconds. */
const LEAST = 60

/** What a view needs of the page. */
export interface Page {
  token(): string
  mayAct(): boolean
  locked(): void
  moments(source: string): readonly Moment[]
}

/** A source, drawn. */
export class SourceView implements ChartHost {
  readonly element: HTMLElement
  readonly shape: Shape
  readonly history: History
  readonly columns: readonly string[]
  readonly actions: Actions | undefined
  readonly #page: Page
  readonly #keeps: number
  readonly #gauges: GaugesView
  readonly #charts: (ChartView | HeatView)[]
  readonly #tables: Map<string, TableView>
  readonly #timeline = new TimelineView()
  readonly #about = new AboutView()
  readonly #removals: RemovalsView | undefined
  #last: Look | undefined

  constructor(shape: Shape, hello: Hello, page: Page, before?: SourceView) {
    this.shape = shape
    this.columns = shape.columns
    this.#page = page
    this.#keeps = hello.keeps / 1000
    const isSame = before !== undefined && before.columns.join() === shape.columns.join()
    this.history = isSame
      ? before.history
      : new History(shape.columns.length, hello.keeps, hello.every)
    const past = hello.past[shape.id]
    if (past !== undefined) this.history.addPast(past)
    before?.close()

    const { charts, heat, tables } = shape
    this.actions = page.mayAct()
      ? new Actions(
          shape,
          () => page.token(),
          () => page.locked(),
        )
      : undefined
    this.#gauges = new GaugesView(shape.gauges, shape.columns)
    const now = colours()
    this.#charts = charts.map(chart => new ChartView(chart, this, now))
    // Beside the latencies that it spreads out.
    const at = charts.findLastIndex(({ unit }) => unit === 'ms') + 1
    if (heat !== undefined) this.#charts.splice(at, 0, new HeatView(heat, this, now))
    this.#tables = new Map(tables.map(table => [table.id, this.#table(table)]))
    const mayRead = page.mayAct() || page.token() === ''
    this.#removals =
      mayRead && shape.removals !== undefined
        ? new RemovalsView(shape.id, shape.removals, () => page.token())
        : undefined
    this.element = el(
      'div',
      { class: 'source' },
      this.#gauges.element,
      ...(this.actions === undefined ? [] : [this.actions.element]),
      el('div', { class: 'charts' }, ...this.#charts.map(({ element }) => element)),
      ...[...this.#tables.values()].map(({ element }) => element),
      el(
        'div',
        { class: 'lists' },
        this.#timeline.element,
        ...(this.#removals === undefined ? [] : [this.#removals.element]),
        this.#about.element,
      ),
    )
  }

  #table(table: Shape['tables'][number]): TableView {
    const { actions } = this
    const isOfKeys = table.id === 'hot'
    const rowActions = isOfKeys ? (actions?.ofRows() ?? []) : []
    if (table.id !== 'routes' || !actions?.has('route')) return new TableView(table, rowActions)
    return new TableView(table, rowActions, (row, mode) => {
      void actions.ask({ action: 'route', text: String(row[0]), mode: mode as 'on' })
    })
  }

  span(): readonly [number, number] {
    const { at } = this.history
    const to = at.at(-1) ?? Date.now() / 1000
    const seen = to - (at[0] ?? to)
    return [to - Math.min(this.#keeps, Math.max(LEAST, seen)), to]
  }

  moments(): readonly Moment[] {
    return this.#page.moments(this.shape.id)
  }

  /** Takes a sample, and draws it if the page shows this source. */
  see(at: number, look: Look): void {
    this.history.add(at, look)
    this.#last = look
  }

  draw(): void {
    for (const chart of this.#charts) chart.draw()
    this.#timeline.show(this.moments())
    if (this.#last === undefined) return
    this.#gauges.show(this.#last.values)
    this.#about.show(this.#last.about)
    for (const [id, table] of this.#tables) {
      const rows = this.#last.tables[id]
      if (rows !== undefined) table.show(rows)
    }
  }

  get state(): Look['state'] | undefined {
    return this.#last?.state
  }

  get stateText(): string {
    return this.#last?.stateText ?? ''
  }

  restyle(now: Colours): void {
    for (const chart of this.#charts) chart.restyle(now)
  }

  close(): void {
    this.#removals?.close()
  }
}
