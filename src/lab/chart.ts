// A chart of lines as SVG: shares or ratios over a scale of powers of ten. It follows the reader's light or dark
// theme, and needs nothing but a viewer.
import { scaleLinear, scaleLog } from 'd3-scale'
import { area, curveMonotoneX, line } from 'd3-shape'

/** A point of a line. */
export interface Spot {
  /** Above 0. */
  readonly x: number
  readonly y: number
  /** How far off `y` may be; drawn as a band. */
  readonly error?: number
}

/** A line, and how it is drawn. */
export interface Line {
  readonly name: string
  readonly spots: readonly Spot[]
  /** A thin line without marks, as of what is only to be compared with. */
  readonly faint?: boolean
}

/** What the values of lines are. */
export interface Values {
  /** Between which values the chart is drawn. */
  readonly between: (least: number, most: number) => [number, number]
  readonly label: (value: number) => string
}

/** Shares of a whole, between the tenths that hold them all. */
export const SHARES: Values = {
  between: (least, most) => [Math.floor(least * 10) / 10, Math.ceil(most * 10) / 10],
  label: share => `${Math.round(share * 100)} %`,
}

/** How many times as much as something else, from nothing on. */
export const TIMES: Values = {
  between: (_, most) => [0, Math.max(1.5, most * 1.1)],
  label: times => `${Number(times.toFixed(2))}x`,
}

/** What a chart shows. */
export interface Chart {
  readonly title: string
  readonly subtitle: string
  readonly lines: readonly Line[]
  readonly values: Values
  /** What `x` is. */
  readonly unit: string
  /** What is said of a value of `x`. */
  readonly label: (x: number) => string
}

const WIDTH = 860
const HEIGHT = 480
const PLOT = { left: 56, right: WIDTH - 140, top: 76, bottom: HEIGHT - 44 }
/** Names beside the ends of lines are at least this far apart. */
const NAME_HEIGHT = 15
/** Told apart by people who see colours differently (Okabe and Ito, 2008), on light and on dark. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#b4589a', '#c48a00', '#3d9bd4', '#7a5cc8']

const STYLE = `
svg { background: #ffffff; font: 12px system-ui, sans-serif; font-variant-numeric: tabular-nums }
text { fill: #57606a } .title { fill: #1f2328; font-size: 16px; font-weight: 600 }
.grid { stroke: #d8dee4 } .line { fill: none; stroke-width: 2 } .faint { stroke-width: 1.2; stroke-dasharray: 5 4 }
.none { stroke: #6e7781 } text.none { stroke: none } .band { fill: #6e7781; opacity: .2 }
${COLOURS.map((colour, at) => `.c${at} { stroke: ${colour} } text.c${at} { stroke: none; fill: ${colour} } circle.c${at} { fill: ${colour} }`).join('\n')}
@media (prefers-color-scheme: dark) {
svg { background: #0d1117 } text { fill: #9198a1 } .title { fill: #f0f6fc } .grid { stroke: #30363d }
}`

/** The chart as a file of SVG. */
export function svg({ title, subtitle, lines, values, unit, label }: Chart): string {
  const all = lines.flatMap(({ spots }) => spots.map(({ x }) => x))
  const [least, most] = [Math.min(...all), Math.max(...all)]
  const x = scaleLog(least < most ? [least, most] : [least / 2, most * 2], [PLOT.left, PLOT.right])
  const y = scaleLinear(rangeOf(lines, values), [PLOT.bottom, PLOT.top])
  const styles = stylesOf(lines)
  const drawn = lines.map((one, at) => drawnLine(one, styles[at]!, x, y))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>${STYLE}</style>
<text class="title" x="${PLOT.left}" y="30">${escaped(title)}</text>
<text x="${PLOT.left}" y="50">${escaped(subtitle)}</text>
${horizontal(y, values)}
${vertical(x, label)}
<text x="${PLOT.right}" y="${PLOT.bottom + 36}" text-anchor="end">${escaped(unit)}</text>
${drawn.join('\n')}
${names(lines, styles, y)}
</svg>
`
}

type Scale = (value: number) => number

function rangeOf(lines: readonly Line[], { between }: Values): [number, number] {
  const all = lines.flatMap(({ spots }) => spots.map(({ y }) => y))
  const [least, most] = between(Math.min(...all), Math.max(...all))
  return least < most ? [least, most] : [0, 1]
}

/** The class of each line: those that are faint have no colour. */
function stylesOf(lines: readonly Line[]): string[] {
  let colours = 0
  return lines.map(({ faint }) => (faint ? 'none' : `c${colours++ % COLOURS.length}`))
}

function horizontal(y: ReturnType<typeof scaleLinear<number, number>>, values: Values): string {
  return y
    .ticks(6)
    .map(value => {
      const at = y(value).toFixed(1)
      return `<path class="grid" d="M${PLOT.left},${at}H${PLOT.right}"/><text x="${PLOT.left - 8}" y="${at}" dy=".35em" text-anchor="end">${values.label(value)}</text>`
    })
    .join('\n')
}

/** Marks at the powers of ten; at 2 and 5 as well where there are few of them. */
function vertical(x: ReturnType<typeof scaleLog<number, number>>, label: Chart['label']): string {
  const leading = (tick: number) => Math.round(tick / 10 ** Math.floor(Math.log10(tick) + 1e-9))
  const ticks = x.ticks()
  const powers = ticks.filter(tick => leading(tick) === 1)
  const shown =
    powers.length >= 3 ? powers : ticks.filter(tick => [1, 2, 5].includes(leading(tick)))
  return shown
    .map(tick => {
      const at = x(tick).toFixed(1)
      return `<path class="grid" d="M${at},${PLOT.bottom}v5"/><text x="${at}" y="${PLOT.bottom + 20}" text-anchor="middle">${escaped(label(tick))}</text>`
    })
    .join('\n')
}

function drawnLine({ spots, faint = false }: Line, style: string, x: Scale, y: Scale): string {
  const sorted = [...spots].sort((a, b) => a.x - b.x)
  const path = line<Spot>(
    spot => x(spot.x),
    spot => y(spot.y),
  ).curve(curveMonotoneX)
  const band = area<Spot>(
    spot => x(spot.x),
    ({ y: value, error = 0 }) => Math.min(PLOT.bottom, y(value - 2 * error)),
    ({ y: value, error = 0 }) => Math.max(PLOT.top, y(value + 2 * error)),
  ).curve(curveMonotoneX)
  const parts = [`<path class="line ${style}${faint ? ' faint' : ''}" d="${path(sorted)}"/>`]
  if (spots.some(({ error = 0 }) => error > 0)) {
    parts.unshift(`<path class="band" d="${band(sorted)}"/>`)
  }
  if (!faint) {
    const mark = (spot: Spot) =>
      `<circle class="${style}" cx="${x(spot.x).toFixed(1)}" cy="${y(spot.y).toFixed(1)}" r="2.5"/>`
    parts.push(sorted.map(mark).join(''))
  }
  return parts.join('\n')
}

/** The names of lines beside their right ends, moved apart where they would overlap. */
function names(lines: readonly Line[], styles: readonly string[], y: Scale): string {
  const last = ({ spots }: Line) => spots.reduce((a, b) => (b.x >= a.x ? b : a))
  const order = lines
    .map((one, at) => ({ name: one.name, style: styles[at]!, at: y(last(one).y) }))
    .sort((a, b) => a.at - b.at)
  // Down from the top, and then up again as far as the last would lie below the plot.
  let free = PLOT.top
  for (const name of order) {
    name.at = Math.max(name.at, free)
    free = name.at + NAME_HEIGHT
  }
  let floor = PLOT.bottom
  for (const name of [...order].reverse()) {
    name.at = Math.min(name.at, floor)
    floor = name.at - NAME_HEIGHT
  }
  return order
    .map(
      ({ name, style, at }) =>
        `<text class="${style}" x="${PLOT.right + 8}" y="${at.toFixed(1)}" dy=".35em">${escaped(name)}</text>`,
    )
    .join('\n')
}

/** Text as XML has it: file names are data from strangers. */
function escaped(text: string): string {
  const plain = Array.from(text, letter => (letter >= ' ' && letter !== '\u007f' ? letter : '�'))
  return plain
    .join('')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
