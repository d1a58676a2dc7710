// Runs examples of the documentation against the built package.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'

/** A block of code. */
export interface Block {
  /** The line of its file at which it begins. */
  line: number
  code: string
}

/** The TypeScript of a guide in `docs`. */
export function blocksOf(guide: string): Block[] {
  const path = fileURLToPath(new URL(`../../docs/${guide}`, import.meta.url))
  const text = readFileSync(path, 'utf8')
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(block => ({
    line: text.slice(0, block.index).split('\n').length,
    code: block[1] ?? '',
  }))
}

/** Runs an example to its end; what it exports. */
export async function run(code: string): Promise<Record<string, unknown>> {
  const source = `import assert from 'node:assert/strict'\n${code}`
  const { code: js } = await transform(source, { loader: 'ts', format: 'esm', target: 'node20' })
  // A data: URL resolves no package by its name.
  const resolved = js.replaceAll(
    /from "(?!node:)(.+?)"/g,
    (_, name) => `from "${import.meta.resolve(name)}"`,
  )
  return import(`data:text/javascript,${encodeURIComponent(resolved)}`)
}
