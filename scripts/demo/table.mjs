// What a scene has measured, as a table.

/** Rows of figures, each without the nodes and with them. */
export function asTable(rows) {
  const head = { figure: '', without: 'without', with: 'with nodes' }
  const columns = ['figure', 'without', 'with']
  const widths = columns.map(name =>
    Math.max(...[head, ...rows].map(row => String(row[name]).length)),
  )
  const line = row =>
    `  ${columns
      .map((name, at) => String(row[name])[at === 0 ? 'padEnd' : 'padStart'](widths[at]))
      .join('   ')}`
  return [head, ...rows].map(line).join('\n')
}
