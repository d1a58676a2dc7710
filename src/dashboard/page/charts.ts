// Charts over time: lines by uPlot, with a legend that has the figures as text.
import uPlot from 'uplot'
import { figure, tick } from '../format.ts'
import type { Chart, Moment, Unit } from '../frames.ts'
import { clock } from './clock.ts'
import { el, setText } from './dom.ts'
import type { History } from './history.ts'
import type { Colours } from './theme.ts'

/** The height of what is drawn, in pixels. */
const HEIGHT = 132
/** The steps of an axis of bytes. */
const POWERS = Array.from({ length: 48 }, (_, power) => 2 ** power)
const FONT = '11px system-ui, sans-serif'

/** What charts share. */
export interface ChartHost {
  readonly history: History
  readonly columns: readonly string[]
  /** The span that is shown, in seconds. */
  span(): readonly [number, number]
  moments(): readonly Moment[]
}

/** A chart of the page. */
export class ChartView {
  readonly element: HTMLElement
  readonly #chart: Chart
  readonly #host: ChartHost
  readonly #plot: HTMLElement
  readonly #figures: HTMLElement[]
  readonly #time: HTMLElement
  #drawn: uPlot | undefined
  #colours: Colours

  constructor(chart: Chart, host: ChartHost, colours: Colours) {
    this.#chart = chart
    this.#host = host
    this.#colours = colours
    this.#plot = el('div', { class: 'plot', 'aria-hidden': 'true' })
    this.#figures = chart.series.map(() => el('b', {}, '–'))
    this.#time = el('span', { class: 'quiet at' })
    const legend = chart.series.map(({ label }, at) =>
      el('li', { class: `line-${at + 1}` }, el('span', {}, label), this.#figures[at]!),
    )
    this.element = el(
      'section',
      { class: 'panel chart', 'aria-label': chart.title },
      el('h3', {}, chart.title, this.#time),
      el('ul', { class: 'legend' }, ...legend),
      this.#plot,
    )
  }

  /** Draws anew, in the colours of now. */
  restyle(colours: Colours): void {
    this.#colours = colours
    this.#drawn?.destroy()
    this.#drawn = undefined
    this.draw()
  }

  draw(): void {
    const width = this.#plot.clientWidth
    if (width === 0) return
    const data = this.#data()
    if (this.#drawn === undefined) {
      this.#drawn = new uPlot(this.#options(width), data, this.#plot)
    } else {
      if (this.#drawn.width !== width) this.#drawn.setSize({ width, height: HEIGHT })
      this.#drawn.setData(data)
    }
    this.#tell()
  }

  /** Writes the figures under the cursor, or else the last ones. */
  #tell(): void {
    const { history, columns } = this.#host
    const at = this.#drawn?.cursor.idx ?? undefined
    const row = at ?? history.at.length - 1
    for (const [index, { column, unit }] of this.#chart.series.entries()) {
      const value = history.columns[columns.indexOf(column)]?.[row]
      setText(this.#figures[index]!, figure(value, unit ?? this.#chart.unit))
    }
    const time = at === undefined ? undefined : history.at[at]
    setText(this.#time, time === undefined ? '' : clock(time * 1000))
  }

  #data(): uPlot.AlignedData {
    const { history, columns } = this.#host
    const lines = this.#chart.series.map(({ column }) => history.columns[columns.indexOf(column)]!)
    return [history.at, ...lines] as uPlot.AlignedData
  }

  #options(width: number): uPlot.Options {
    const { unit, series } = this.#chart
    const { text, grid, lines } = this.#colours
    const scaleOf = (own?: Unit) => (own === undefined || own === unit ? 'y' : own)
    const axis = { stroke: text, font: FONT, ticks: { show: false }, gap: 4 }
    const hasShare = series.some(each => scaleOf(each.unit) === 'share')
    const share: uPlot.Axis = {
      ...axis,
      scale: 'share',
      side: 1,
      size: 44,
      grid: { show: false },
      splits: () => [0, 0.5, 1],
      values: (_, all) => all.map(value => tick(value, 'share')),
    }
    return {
      width,
      height: HEIGHT,
      padding: [8, hasShare ? 0 : 12, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: 'breakwater' }, drag: { x: false, y: false }, points: { size: 5 } },
      scales: {
        x: { time: true, range: () => [...this.#host.span()] as [number, number] },
        y: { range: (_, __, most) => [0, roomy(most, unit)] },
        ...(hasShare ? { share: { range: [0, 1] } } : {}),
      },
      axes: [
        { ...axis, space: 80, size: 22, grid: { show: false }, values: times },
        {
          ...axis,
          size: 56,
          space: 28,
          ...(unit === 'bytes' || unit === 'byteRate' ? { incrs: POWERS } : {}),
          grid: { stroke: grid, width: 1 },
          values: (_, all) => all.map(value => tick(value, unit)),
        },
        ...(hasShare ? [share] : []),
      ],
      series: [
        {},
        ...series.map((each, at) => ({
          scale: scaleOf(each.unit),
          stroke: lines[at % lines.length]!,
          width: 1.5,
          points: { show: false },
        })),
      ],
      hooks: { draw: [plot => this.#mark(plot)], setCursor: [() => this.#tell()] },
    }
  }

  /** Draws a line where something happened. */
  #mark(plot: uPlot): void {
    const [from, to] = this.#host.span()
    const { ctx, bbox } = plot
    ctx.save()
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio])
    ctx.lineWidth = devicePixelRatio
    ctx.globalAlpha = 0.6
    for (const { at, level } of this.#host.moments()) {
      const time = at / 1000
      if (level === 'note' || time < from || time > to) continue
      const x = Math.round(plot.valToPos(time, 'x', true))
      ctx.strokeStyle = this.#colours.level[level] ?? this.#colours.text
      ctx.beginPath()
      ctx.moveTo(x, bbox.top)
      ctx.lineTo(x, bbox.top + bbox.height)
      ctx.stroke()
    }
    ctx.restore()
  }
}

/** The top of a scale: some room above the largest value. */
function roomy(most: number | null, unit: Unit): number {
  const least = unit === 'bytes' ? 1024 : 1
  return Math.max(least, (most ?? 0) * 1.15)
}

/** Times of an axis: with seconds where its steps are shorter than a minute. */
function times(_: uPlot, all: number[]): string[] {
  const isFine = all.some(time => time % 60 !== 0)
  return all.map(time => (isFine ? clock(time * 1000) : clock(time * 1000).slice(0, 5)))
}
