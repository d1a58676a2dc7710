// Makes src/routing/hash-module.ts of src/routing/hash.wat. The result is committed, so that sources
// run as they are; a test compares the two.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import wabt from 'wabt'

const path = name => fileURLToPath(new URL(`../src/routing/${name}`, import.meta.url))

/** The text of hash-module.ts. */
export async function hashModule() {
  const source = readFileSync(path('hash.wat'), 'utf8')
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(path('hash-module.ts'), await hashModule())
}
