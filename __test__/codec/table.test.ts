import { readFileSync } from 'node:fs'
import test from 'ava'
import { Cache, type CodecName, InvalidValueError } from '../../src/index.ts'

// docs/codecs.md says what comes back of a value: each row of its table is tried.

const page = readFileSync(new URL('../../docs/codecs.md', import.meta.url), 'utf8')
const rows = [...page.matchAll(/^\| `(.+)` \| (.+) \| (.+) \|$/gm)].map(
  ([, value = '', clone = '', json = '']) => ({ value, clone, json }),
)

/** What an expression of the page stands for, made anew each time. */
const evaluate = (expression: string) => new Function(`return (${expression})`)()

/** What a cache gives back, by all the ways out. */
function ways(codec: CodecName, value: unknown): unknown[] {
  const cache = new Cache({ max: 10, codec, near: false })
  cache.set('key', value)
  cache.setMany([['many', value]])
  const seen = [cache.get('key'), cache.peek('key'), ...cache.getMany(['key', 'many'])]
  seen.push(...cache.values())
  cache.close()
  return seen
}

test('the page has a table', t => t.true(rows.length > 50))

for (const { value, clone, json } of rows) {
  const cells: [CodecName, string][] = [
    ['any', clone],
    ['structured', clone],
    ['json', json],
  ]
  for (const [codec, cell] of cells) {
    test(`${codec}: ${value} → ${cell}`, t => {
      if (cell === 'refused') {
        const error = t.throws(() => ways(codec, evaluate(value)), {
          instanceOf: InvalidValueError,
        })
        t.is(error?.code, 'ERR_INVALID_VALUE')
        return
      }
      const expected = cell === 'same' ? evaluate(value) : evaluate(cell.slice(1, -1))
      for (const seen of ways(codec, evaluate(value))) {
        if (expected instanceof Error && seen instanceof Error) {
          // Made at another place, so their stacks differ.
          t.deepEqual(
            [seen.name, seen.message, seen.cause],
            [expected.name, expected.message, expected.cause],
          )
          t.is(Object.getPrototypeOf(seen), Object.getPrototypeOf(expected))
        } else {
          t.deepEqual(seen, expected)
        }
      }
    })
  }
}

test('string, number and bytes take their own and refuse all else', t => {
  const types: [CodecName, (value: unknown) => boolean][] = [
    ['string', value => typeof value === 'string'],
    ['number', value => typeof value === 'number'],
    ['bytes', value => value instanceof Uint8Array],
  ]
  for (const { value } of rows) {
    for (const [codec, takes] of types) {
      const given = evaluate(value)
      if (!takes(given)) {
        t.throws(() => ways(codec, given), { code: 'ERR_INVALID_VALUE' }, `${codec} ${value}`)
      } else {
        const same = codec === 'bytes' ? Buffer.from(given) : given
        for (const seen of ways(codec, given)) t.deepEqual(seen, same)
      }
    }
  }
})

test('the error names the field, and tells nothing of what maps hold', t => {
  const paths: [unknown, string][] = [
    [{ user: { site: new URL('http://localhost/') } }, 'value.user.site: '],
    [{ list: [1, { 'odd key': () => 1 }] }, 'value.list[1]["odd key"]: '],
    [new Map([['secret', { f: Symbol('secret') }]]), 'value<entry 0>.f: '],
    [new Map([[Symbol('secret'), 1]]), 'value<key 0>: '],
    [[new Set([1, Promise.resolve()])], 'value[0]<member 1>: '],
    [new Error('no', { cause: new Proxy({}, {}) }), 'value.cause: '],
    [{ e: Object.assign(new Error('no'), { code: 1 }) }, 'value.e: '],
    [new WeakRef({}), 'value: '],
  ]
  for (const codec of ['any', 'structured'] as const) {
    const cache = new Cache({ max: 10, codec })
    for (const [value, path] of paths) {
      const error = t.throws(() => cache.set('key', value), { instanceOf: InvalidValueError })
      t.true(error?.message.startsWith(`the codec '${codec}' cannot store ${path}`), error?.message)
      t.notRegex(String(error?.message), /secret/)
      t.is(error?.codec, codec)
    }
    t.is(cache.size, 0)
  }
})

test('values of any depth, width and sharing are checked to the end, once each', t => {
  const cache = new Cache({ max: 10 })
  let shared: unknown = [1]
  for (let i = 0; i < 50; i++) shared = [shared, shared]
  t.notThrows(() => cache.set('shared', shared))
  let deep: unknown = { site: new URL('http://localhost/') }
  for (let i = 0; i < 1000; i++) deep = { deep }
  t.throws(() => cache.set('deep', deep), { message: /value\.deep\.deep.*…: .* the class URL/ })
  const wide = Array.from({ length: 1000 }, () => [{}]) as unknown[]
  t.notThrows(() => cache.set('wide', wide))
  wide.push(() => 1)
  t.throws(() => cache.set('wide', wide), { message: /value\[1000\]: / })
  const ring: unknown[] = []
  ring.push({ ring }, new URL('http://localhost/'))
  t.throws(() => cache.set('ring', ring), { message: /value\[1\]: / })
})
