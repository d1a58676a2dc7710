import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { transform } from 'esbuild'

// Every example in the documentation of the sources runs, against the built package.
const src = fileURLToPath(new URL('../src', import.meta.url))

const root = new URL('../', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))

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
      const line = text.slice(0, comment.index).split('\n').length
      examples.push({ file, line, code: block[1] ?? '' })
    }
  }
  return examples
}

/** Where the package has an entry. */
function entryOf(name: string): URL {
  return new URL(manifest.exports[`./${name}`].import.default, root)
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
    const built = new URL('../dist/', import.meta.url)
    const resolved = js
      .replaceAll(/from "breakwater"/g, `from "${new URL('index.js', built)}"`)
      .replaceAll(/from "breakwater\/([\w-]+)"/g, (_, entry: string) => `from "${entryOf(entry)}"`)
    await t.notThrowsAsync(import(`data:text/javascript,${encodeURIComponent(resolved)}`))
  })
}
