import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { blocksOf, run } from '../helpers/examples.ts'
import { installed, redis } from '../router/support.ts'

// Every example in the documentation of the sources runs, against the built package.
const src = fileURLToPath(new URL('../../src', import.meta.url))

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
    await t.notThrowsAsync(run(code))
  })
}

// So does every one in the guide of migrating. They speak to the server of the environment.
for (const { line, code } of blocksOf('migrating.md')) {
  const needsServer = code.includes('REDIS_URL')
  const check = !needsServer || installed('redis-server') ? test.serial : test.skip
  check(`the example at migrating.md:${line} runs`, async t => {
    if (needsServer) process.env.REDIS_URL = `redis://127.0.0.1:${(await redis(t)).port}`
    await t.notThrowsAsync(run(code))
  })
}
