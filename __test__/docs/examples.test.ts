// Every example runs, against the built package, and its types hold: those in the comments of the
// sources, in the README, in the guides, the reference and the recipes.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import ts from '../../docs/api/node_modules/typescript/lib/typescript.js'
import { type Block, blocksOf, pages, programOf, run } from '../helpers/examples.ts'
import { installed, redis, serve } from '../router/support.ts'
import { root } from './code.ts'

/** The examples in the comments of a source. */
function examplesOf(file: string): Block[] {
  const text = readFileSync(join(root, file), 'utf8')
  const examples: Block[] = []
  for (const comment of text.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const prose = comment[0].replaceAll(/^[ \t]*\* ?/gm, '')
    for (const block of prose.matchAll(/@example[^\n]*\n```ts\n([\s\S]*?)```/g)) {
      const before = text.slice(0, comment.index) + prose.slice(0, block.index)
      examples.push({ file, line: before.split('\n').length, code: block[1] ?? '' })
    }
  }
  return examples
}

const inSources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.ts'))
  .flatMap(file => examplesOf(join('src', file)))
const inPages = pages().flatMap(blocksOf)

test('the sources and the pages have examples', t => {
  t.true(inSources.length >= 30)
  t.true(inPages.length >= 30)
  t.is(blocksOf('README.md').length, 1)
})

for (const { file, line, code } of inSources) {
  test(`the example at ${file}:${line} runs`, async t => {
    await t.notThrowsAsync(run(code))
  })
}

// Those of the pages may speak to the server of the environment, and come one after the other.
for (const { file, line, code } of inPages) {
  const needsServer = code.includes('REDIS_URL')
  // The port that the pages have `breakwater serve` listen on.
  const isNode = code.includes(':6380')
  const check = !needsServer || isNode || installed('redis-server') ? test.serial : test.skip
  check(`the example at ${file}:${line} runs`, async t => {
    t.timeout(60_000)
    if (needsServer) {
      const { port } = await (isNode ? serve(t) : redis(t))
      process.env.REDIS_URL = `redis://127.0.0.1:${port}`
    }
    await t.notThrowsAsync(run(code))
  })
}

test('the types of all examples hold', t => {
  t.timeout(120_000)
  const examples = new Map(
    [...inSources, ...inPages].map(block => {
      const name = `${block.file}:${block.line}`
      return [join(root, `${name.replaceAll(/[^\w.]/g, '_')}.ts`), { ...block, name }]
    }),
  )
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    typeRoots: [join(root, 'node_modules/@types')],
    types: ['node'],
  }
  const host = ts.createCompilerHost(options)
  const { readFile, fileExists } = host
  const source = (path: string) => {
    const example = examples.get(path)
    // Each a module of its own, whatever it declares.
    return example && `${programOf(example.code)}\nexport {}\n`
  }
  host.readFile = path => source(path) ?? readFile.call(host, path)
  host.fileExists = path => examples.has(path) || fileExists.call(host, path)
  const { getSourceFile } = host
  host.getSourceFile = (path, ...rest) => {
    const text = source(path)
    if (text === undefined) return getSourceFile.call(host, path, ...rest)
    return ts.createSourceFile(path, text, {
      languageVersion: ts.ScriptTarget.ES2022,
      impliedNodeFormat: ts.ModuleKind.ESNext,
    })
  }
  const program = ts.createProgram([...examples.keys()], options, host)
  const wrong = ts
    .getPreEmitDiagnostics(program)
    .filter(({ file }) => file !== undefined && examples.has(file.fileName))
    .map(({ file, start, messageText }) => {
      const { name } = examples.get(file!.fileName)!
      const { line } = file!.getLineAndCharacterOfPosition(start!)
      return `${name}+${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
    })
  t.deepEqual(wrong, [])
})
