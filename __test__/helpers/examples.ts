// Runs examples of the documentation against the built package.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A block of code. */
export interface Block {
  /** Its file, from the root of the repository. */
  file: string
  /** The line of its file at which it begins. */
  line: number
  code: string
}

/** The pages of the documentation, from the root of the repository. */
export function pages(): string[] {
  const guides = readdirSync(`${root}docs`, { recursive: true, encoding: 'utf8' })
    .map(file => `docs/${file.replaceAll('\\', '/')}`)
    .filter(file => file.endsWith('.md') && !file.includes('node_modules'))
  return ['README.md', ...guides.sort()]
}

/** The TypeScript of a page. What is fenced as `ts fragment` does not stand alone. */
export function blocksOf(file: string): Block[] {
  const text = readFileSync(root + file, 'utf8')
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(block => ({
    file,
    line: text.slice(0, block.index).split('\n').length,
    code: block[1] ?? '',
  }))
}

/** The whole program of an example: it may use `assert` without importing it. */
export function programOf(code: string): string {
  if (/^import assert\b/m.test(code)) return code
  return `import assert from 'node:assert/strict'\n${code}`
}

/** Runs an example to its end; what it exports. */
export async function run(code: string): Promise<Record<string, unknown>> {
  const source = programOf(code)
  const { code: js } = await transform(source, { loader: 'ts', format: 'esm', target: 'node20' })
  // A data: URL resolves no package by its name.
  const resolved = js.replaceAll(
    /from "(?!node:)(.+?)"/g,
    (_, name) => `from "${import.meta.resolve(name)}"`,
  )
  return import(`data:text/javascript,${encodeURIComponent(resolved)}`)
}
