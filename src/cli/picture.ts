// Saves a chart: as SVG, or as PNG by a library that who wants PNG installs.
import { writeFile } from 'node:fs/promises'
import { type Chart, svg } from '../lab/chart.ts'

/** Why a chart was not saved. */
export class PictureError extends Error {}

/**
 * Writes a chart to a file that ends in `.svg` or `.png`.
 * @throws PictureError
 */
export async function save(file: string, chart: Chart): Promise<void> {
  const drawn = svg(chart)
  const contents = /\.png$/i.test(file) ? await png(drawn) : drawn
  await writeFile(file, contents).catch((error: Error) => {
    throw new PictureError(`cannot be written (${error.message})`)
  })
}

/** Twice as large, for screens with small pixels. */
async function png(drawn: string): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js').catch(() => {
    throw new PictureError(
      'PNG needs another package: npm install @resvg/resvg-js. A chart in .svg needs none',
    )
  })
  return new Resvg(drawn, { fitTo: { mode: 'zoom', value: 2 } }).render().asPng()
}
