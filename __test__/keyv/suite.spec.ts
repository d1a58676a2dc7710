// Keyv's own test suite on our store, for both versions of Keyv. Vitest runs it: see keyv.test.ts.
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite'
import { Keyv } from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import * as vitest from 'vitest'
import { KeyvStore } from '../../dist/adapters/keyv.js'
import { Cache } from '../../dist/index.js'

// Keyv 6 tells of each key whether it was deleted, whatever the store; the suite is older.
const CHANGED = '.deleteMany([keys]) with nonexistent keys resolves to false'
const it = (name: string, f: vitest.TestFunction) =>
  (name === CHANGED ? vitest.it.fails : vitest.it)(name, f)

function suite(test: typeof vitest, Class: typeof Keyv): void {
  const cache = new Cache({ max: 1000 })
  const store = () => new KeyvStore(cache) as never
  keyvTestSuite(test, Class, store)
  keyvIteratorTests(test, Class, store)
}

vitest.describe('Keyv 5', () => suite(vitest, Keyv))
vitest.describe('Keyv 6', () => {
  suite({ ...vitest, it } as typeof vitest, Keyv6 as unknown as typeof Keyv)
})
