// Makes src/routing/hash-module.ts of src/routing/hash.wat. The result is committed, so that sources
// run as they are; a test compares the two.
//
// Functions that are one expression are put where they are called: engines do not do that for
// WebAssembly, and a call takes as long as a round of the hash.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import wabt from 'wabt'

const path = name => fileURLToPath(new URL(`../src/routing/${name}`, import.meta.url))

/** The text of hash-module.ts. */
export async function hashModule() {
  const source = written(inlined(read(readFileSync(path('hash.wat'), 'utf8'))))
  const { buffer } = (await wabt()).parseWat('hash.wat', source).toBinary({})
  const lines =
    Buffer.from(buffer)
      .toString('base64')
      .match(/.{1,90}/g) ?? []
  return [
    '// Made of hash.wat by `npm run build:hash`.',
    'export const HASH_MODULE =',
    ...lines.map((line, i) => `  '${line}'${i < lines.length - 1 ? ' +' : ''}`),
    '',
  ].join('\n')
}

/** The expressions of a text: lists of words and of lists. */
function read(text) {
  const open = [[]]
  for (const [word] of text.replace(/;;.*/g, '').matchAll(/[()]|"[^"]*"|[^\s()"]+/g)) {
    if (word === '(') open.push([])
    else if (word === ')') open.at(-2).push(open.pop())
    else open.at(-1).push(word)
  }
  return open[0][0]
}

const written = list => (Array.isArray(list) ? `(${list.map(written).join(' ')})` : list)

/** A module without the functions that are one expression, which uses each of their parameters once. */
function inlined(module) {
  const short = new Map()
  const rest = module.filter(part => {
    if (part[0] !== 'func' || !Array.isArray(part.at(-1))) return true
    const [, name, ...body] = part
    const expressions = body.filter(([kind]) => kind !== 'param' && kind !== 'result')
    if (typeof name !== 'string' || expressions.length !== 1) return true
    const parameters = body.filter(([kind]) => kind === 'param').map(([, parameter]) => parameter)
    short.set(name, { parameters, expression: expressions[0] })
    return false
  })
  const put = (list, values) => {
    if (!Array.isArray(list)) return list
    const [kind, name, ...words] = list
    if (kind === 'local.get' && values.has(name)) return values.get(name)
    const known = kind === 'call' && short.get(name)
    if (!known) return list.map(part => put(part, values))
    const given = words.map((word, at) => [known.parameters[at], put(word, values)])
    return put(known.expression, new Map(given))
  }
  return rest.map(part => put(part, new Map()))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(path('hash-module.ts'), await hashModule())
}
