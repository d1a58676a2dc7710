import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { transform } from 'esbuild'

// Every example in the documentation of the sources runs, against the built package.
const src = fileURLToPath(new URL('../src', import.meta.url))

interface Example {
  file: string
  line: number
  code: string
}

function examplesOf(file: string): Example[] {
  const text = readFileSync(join(src, file), 'utf8')
  const examples: Example[] = []
  for (const comment of text.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const prose = comment[0].replaceAll(/^[ \t]*\* ?/gm, '')
    for (const block of prose.matchAll(/@example[^\n]*\n```ts\n([\s\S]*?)```/g)) {
      const before = text.slice(0, comment.index) + prose.slice(0, block.index)
      const line = before.split('\n').length
      examples.push({ file, line, code: block[1] ?? '' })
    }
  }
  return examples
}

const examples = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.ts'))
  .flatMap(examplesOf)

test('the sources have examples', t => {
  t.true(examples.length >= 12)
})

for (const { file, line, code } of examples) {
  test(`the example at ${file}:${line} runs`, async t => {
    const source = `import assert from 'node:assert/strict'\n${code}`
    const { code: js } = await transform(source, { loader: 'ts', format: 'esm', target: 'node20' })
    // A data: URL resolves no package by its name.
    const resolved = js.replaceAll(
      /from "(?!node:)(.+?)"/g,
      (_, name) => `from "${import.meta.resolve(name)}"`,
    )
    await t.notThrowsAsync(import(`data:text/javascript,${encodeURIComponent(resolved)}`))
  })
}
