// A distribution over time: a column of cells a sample, darker where more lies.

import { tick } from '../format.ts'
import type { HeatMap } from '../frames.ts'
import type { ChartHost } from './charts.ts'
import { el } from './dom.ts'
import type { Colours } from './theme.ts'

const HEIGHT = 154
const [LEFT, BOTTOM] = [56, 22]

/** A heat map of the page. */
export class HeatView {
  readonly element: HTMLElement
  readonly #map: HeatMap
  readonly #host: ChartHost
  readonly #canvas = el('canvas', { 'aria-hidden': 'true' })
  readonly #note = el('li', {}, '')
  #colours: Colours

  constructor(map: HeatMap, host: ChartHost, colours: Colours) {
    this.#map = map
    this.#host = host
    this.#colours = colours
    this.element = el(
      'section',
      { class: 'panel chart', 'aria-label': map.title },
      el('h3', {}, map.title),
      el('ul', { class: 'legend' }, this.#note),
      el('div', { class: 'plot' }, this.#canvas),
    )
  }

  restyle(colours: Colours): void {
    this.#colours = colours
    this.draw()
  }

  draw(): void {
    const width = this.#canvas.parentElement!.clientWidth
    if (width === 0) return
    const scale = devicePixelRatio
    this.#canvas.width = width * scale
    this.#canvas.height = HEIGHT * scale
    const ctx = this.#canvas.getContext('2d')!
    ctx.scale(scale, scale)
    this.#cells(ctx, width - LEFT - 12, HEIGHT - BOTTOM - 8)
  }

  #cells(ctx: CanvasRenderingContext2D, width: number, height: number): void {
    const { history } = this.#host
    const [low, high] = this.#rows()
    const rows = high - low + 1
    const [from, to] = this.#host.span()
    const cell = height / rows
    const most = Math.max(1, ...history.heat.flatMap(counts => counts ?? []))
    ctx.fillStyle = this.#colours.heat
    let seen = 0
    for (const [at, counts] of history.heat.entries()) {
      if (counts === null) continue
      const x = LEFT + ((history.at[at]! - from) / (to - from)) * width
      const wide = Math.max(2, width / (to - from) + 0.5)
      for (let row = low; row <= high; row++) {
        const count = counts[row] ?? 0
        if (count === 0 || x < LEFT) continue
        seen += count
        // By the logarithm: one slow load in a thousand is seen.
        ctx.globalAlpha = 0.15 + 0.85 * (Math.log1p(count) / Math.log1p(most))
        ctx.fillRect(x - wide, 8 + (high - row) * cell, wide, cell - 0.5)
      }
    }
    ctx.globalAlpha = 1
    this.#scale(ctx, { low, high, cell, width, height })
    this.#note.textContent = `${seen.toLocaleString('en')} counted in the last minutes`
  }

  /** The rows that have something, and one beside them. */
  #rows(): [number, number] {
    const used = new Set<number>()
    for (const counts of this.#host.history.heat) {
      for (const [row, count] of (counts ?? []).entries()) if (count > 0) used.add(row)
    }
    const last = this.#map.bounds.length
    if (used.size === 0) return [8, 16]
    return [Math.max(0, Math.min(...used) - 1), Math.min(last, Math.max(...used) + 2)]
  }

  #scale(
    ctx: CanvasRenderingContext2D,
    at: { low: number; high: number; cell: number; width: number; height: number },
  ): void {
    ctx.font = '11px system-ui, sans-serif'
    ctx.fillStyle = this.#colours.text
    ctx.textAlign = 'right'
    ctx.textBaseline = 'middle'
    const step = Math.max(1, Math.ceil(((at.high - at.low) * 18) / at.height))
    for (let row = at.low; row <= at.high; row += step) {
      const bound = this.#map.bounds[row]
      if (bound === undefined) continue
      ctx.fillText(tick(bound, 'ms'), LEFT - 6, 8 + (at.high - row) * at.cell)
    }
    ctx.textAlign = 'center'
    const [from, to] = this.#host.span()
    const minute = 60
    for (let time = Math.ceil(from / minute) * minute; time <= to; time += minute) {
      const x = LEFT + ((time - from) / (to - from)) * at.width
      const text = new Date(time * 1000).toLocaleTimeString('en-GB').slice(0, 5)
      ctx.fillText(text, x, HEIGHT - 8)
    }
  }
}
