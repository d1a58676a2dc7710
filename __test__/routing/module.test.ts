// The module of the hash that is committed is the one that its source makes.
import { readFileSync } from 'node:fs'
import test from 'ava'
import { hashModule } from '../../scripts/build-hash.mjs'

test('hash-module.ts is made of hash.wat', async t => {
  const file = new URL('../../src/routing/hash-module.ts', import.meta.url)
  t.is(readFileSync(file, 'utf8'), await hashModule(), 'npm run build:hash makes it anew')
})
