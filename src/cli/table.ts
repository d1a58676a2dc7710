// Figures in columns, as terminals show them.

/** Rows of cells, the first column to the left and all others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map(row => row[at]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ')
  return rows.map(row => `${line(row).trimEnd()}\n`).join('')
}

/** A size as people say it. */
export function sized({ capacity, inBytes }: { capacity: number; inBytes: boolean }): string {
  if (!inBytes) return `${capacity} ${capacity === 1 ? 'entry' : 'entries'}`
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  const step = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, capacity)) / 10))
  return `${Number((capacity / 1024 ** step).toPrecision(3))} ${units[step]}`
}

/** A number as it stands on a scale: `10K`. */
export function compact(number: number): string {
  const style = { notation: 'compact', maximumSignificantDigits: 3 } as const
  return new Intl.NumberFormat('en', style).format(number)
}
