// What a page of the documentation says: its sections and the rows of their tables.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './code.ts'

/** A row of a table: what its first cell names, and its other cells by their headings. */
export interface Row {
  readonly name: string
  readonly cells: Readonly<Record<string, string>>
}

export function page(path: string): string {
  return readFileSync(join(root, 'docs', path), 'utf8')
}

/** The sections whose headings name something in code, each with its text. */
export function sectionsOf(path: string): Map<string, string> {
  const sections = page(path).split(/^## /m).slice(1)
  return new Map(
    sections
      .map(text => [/^`([^`]+)`/.exec(text)?.[1] ?? '', text] as const)
      .filter(([name]) => name !== ''),
  )
}

/** The rows of all tables whose first cell names something in code: one for each name. */
export function rowsOf(text: string): Row[] {
  const rows: Row[] = []
  let headings: string[] = []
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) {
      headings = []
      continue
    }
    const cells = line
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim())
    if (headings.length === 0) headings = cells
    if (!cells[0]?.startsWith('`')) continue
    const named = Object.fromEntries(headings.map((heading, i) => [heading, cells[i] ?? '']))
    for (const [, name = ''] of cells[0].matchAll(/`([^`]+)`/g)) rows.push({ name, cells: named })
  }
  return rows
}

/** What one list has and the other has not. */
export function difference(page: Iterable<string>, code: Iterable<string>) {
  const [documented, declared] = [new Set(page), new Set(code)]
  return {
    undocumented: [...declared].filter(name => !documented.has(name)).sort(),
    unknown: [...documented].filter(name => !declared.has(name)).sort(),
  }
}

export const same = { undocumented: [], unknown: [] }
