/** What the benchmarks print, and the file that they write. */
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'

/** One measured figure. */
export interface Row {
  /** Which benchmark, as `headline`. */
  bench: string
  /** What was done, as `get, fresh keys`. */
  what: string
  /** Entries in the cache. */
  entries: number
  /** Who did it. */
  side: string
  /** The figure. */
  value: number
  /** Its unit, as `ns`. */
  unit: string
  /** How many times better ours is: above 1, ours wins. Absent where there is nothing to compare. */
  ratio?: number
}

/** The median of a list that is not empty. */
export function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b)
  return sorted[sorted.length >> 1] as number
}

/** Prints lines of cells in columns, numbers to the right. */
export function table(lines: readonly (readonly (string | number)[])[]): void {
  const widths: number[] = []
  for (const line of lines) {
    line.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, String(cell).length)
    })
  }
  for (const line of lines) {
    const cells = line.map((cell, at) => {
      const width = widths[at] ?? 0
      return at === 0 ? String(cell).padEnd(width) : String(cell).padStart(width)
    })
    console.log(`  ${cells.join('  ')}`)
  }
}

/** `2.345` as `2.35x`. */
export const times = (ratio: number | undefined) => (ratio ? `${ratio.toFixed(2)}x` : '')

/** Writes all rows and the machine that they were measured on. */
export function writeJson(file: string, rows: readonly Row[]): void {
  const machine = {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: availableParallelism(),
  }
  writeFileSync(file, `${JSON.stringify({ machine, rows }, null, 2)}\n`)
}
