// docs/codecs.md says what comes back of which value: each row is tried.
import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import { Cache, type CodecName } from '../../src/index.ts'
import { page } from './page.ts'

/** The rows: what a value is, and what each codec makes of it. */
const rows = page('codecs.md')
  .split('\n')
  .filter(line => line.startsWith('| `'))
  .map(line => line.split('|').slice(1, -1))
  .map(([value = '', ...cells]) => ({
    value: value.trim().slice(1, -1),
    cells: cells.map(cell => cell.trim()),
  }))

/** The value of an expression. */
function evaluate(expression: string): unknown {
  return new Function(`return (${expression})`)()
}

const codecs: readonly CodecName[] = ['any', 'structured', 'json']

test('the page has rows', t => {
  t.true(rows.length > 25)
})

for (const { value, cells } of rows) {
  test(`what comes back of ${value}`, t => {
    for (const [i, codec] of codecs.entries()) {
      const cell = cells[i] ?? ''
      const cache = new Cache<string, unknown>({ max: 10, codec })
      const stored = evaluate(value)
      if (cell === 'refused') {
        t.throws(() => cache.set('key', stored), { code: 'ERR_INVALID_VALUE' }, codec)
        continue
      }
      const expected = cell === 'same' ? stored : evaluate(cell.slice(1, -1))
      cache.set('key', stored)
      const got = cache.get('key')
      t.true(isDeepStrictEqual(got, expected), `${codec}: ${String(got)}`)
    }
  })
}
