// docs/reference/options.md lists every option, no other, and the defaults that the code has.
import test from 'ava'
import { byteCount, milliseconds } from '../../src/base/units.ts'
import { checkBreaker } from '../../src/guard/breaker.ts'
import { checkGate } from '../../src/guard/gate.ts'
import { checkBackOff } from '../../src/guard/waits.ts'
import { checkBatch } from '../../src/loading/batch.ts'
import { checkLoading } from '../../src/loading/options.ts'
import { check as checkRouter } from '../../src/router/checking.ts'
import { checkRedisTier } from '../../src/tier/redis/options.ts'
import { checkSecond } from '../../src/tier/second.ts'
import { checkWarm } from '../../src/warm/warm.ts'
import { checkWriteBehind } from '../../src/writing/behind.ts'
import { checkWriteThrough } from '../../src/writing/through.ts'
import { entries, fieldsOf, reached, typesOf } from './code.ts'
import { difference, rowsOf, same, sectionsOf } from './page.ts'

const PAGE = 'reference/options.md'
const sections = sectionsOf(PAGE)

/** Where each section's interface is exported. */
const EXPORTED: Record<string, string> = {
  CacheOptions: 'breakwater',
  SetOptions: 'breakwater',
  FetchOptions: 'breakwater',
  IncrementOptions: 'breakwater',
  InvalidateOptions: 'breakwater',
  RedisTierOptions: 'breakwater/redis',
  RouterOptions: 'breakwater/router',
  RouterRoute: 'breakwater/router',
  RouterUser: 'breakwater/router',
  ListenOptions: 'breakwater/router',
  AdminOptions: 'breakwater/admin',
  RingOptions: 'breakwater/routing',
  PoolOptions: 'breakwater/routing',
  RunOptions: 'breakwater/routing',
  MemoizeOptions: 'breakwater/memoize',
  DashboardOptions: 'breakwater/dashboard',
  NextOptions: 'breakwater/nextjs',
  SpansOptions: 'breakwater/opentelemetry',
}

/** An object that a page describes by its fields needs no row of its own. */
function withoutParents(names: Iterable<string>, documented: ReadonlySet<string>): string[] {
  const all = [...names]
  return all.filter(name => documented.has(name) || !all.some(each => each.startsWith(`${name}.`)))
}

for (const [name, text] of sections) {
  test(`every field of ${name} is documented, and no other`, t => {
    const entry = EXPORTED[name]
    if (entry === undefined) return t.fail('say where it is exported')
    const documented = rowsOf(text).map(row => row.name)
    const fields = withoutParents(fieldsOf(entry, name), new Set(documented))
    t.deepEqual(difference(documented, fields), same)
  })
}

test('every exported type of options has a section, or is a part of one', t => {
  for (const [name] of sections) fieldsOf(EXPORTED[name]!, name)
  // The drop-in's are those of lru-cache; its own are in docs/lru-cache.md.
  const exported = [...entries.keys()]
    .filter(entry => entry !== 'breakwater/lru-cache')
    .flatMap(typesOf)
  // What constructors take in parts, which other sections have.
  const parts = [
    'StoreOptions',
    'OpenCacheOptions',
    'LoadingOptions',
    'WritingOptions',
    'GateOptions',
    'SecondOptions',
  ]
  const missing = exported.filter(
    name => /Options$/.test(name) && !reached.has(name) && !parts.includes(name),
  )
  t.deepEqual(missing, [])
})

/** The defaults as the code has them, by section and option. */
function defaults(): Record<string, Record<string, unknown>> {
  const { retry, ...behind } = checkWriteBehind(undefined)
  const backOff = checkBackOff(undefined)
  const under = (path: string, values: object) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [`${path}.${name}`, value]))
  const loading = checkLoading({})
  const tier = checkRedisTier(undefined)
  const router = checkRouter({}, 'any')
  const { maxBatch, delay } = checkBatch(undefined)
  return {
    CacheOptions: {
      ...loading,
      ...checkSecond({}),
      ...under('origin', checkGate(undefined)),
      ...under('origin.breaker', checkBreaker(undefined)),
      ...under('origin.retry.backOff', backOff),
      'batch.maxBatch': maxBatch,
      'batch.when': delay,
      ...under('writeThrough', checkWriteThrough(undefined)),
      ...under('writeBehind', { ...behind, retries: retry.retries }),
      ...under('writeBehind.backOff', retry.backOff),
      ...under('warm', checkWarm({ from: '/file' }, false)!),
    },
    RedisTierOptions: {
      ...tier,
      ...under('breaker', checkBreaker(undefined)),
      compressAbove: tier.packing.above,
      ...under('invalidation', tier.invalidation as object),
    },
    RouterOptions: { ...router, maxBytes: byteCount('maxBytes', '25%') },
  }
}

/** What a cell of the page means, as the code has it; `undefined` if it is prose. */
function meant(cell: string): unknown {
  const code = /^`([^`]+)`$/.exec(cell)?.[1]
  if (code === undefined) return undefined
  if (code === 'Infinity') return Number.POSITIVE_INFINITY
  if (code === 'true' || code === 'false') return code === 'true'
  if (/^[\d.]+$/.test(code)) return Number(code)
  const text = code.replaceAll("'", '')
  if (/^[\d.]+(kb|mb|gb|%)$/.test(text)) return byteCount('default', text)
  if (/^[\d.]+(ms|s|m|h|d|w)$/.test(text)) return milliseconds('default', text)
  return text
}

for (const [name, values] of Object.entries(defaults())) {
  test(`the defaults of ${name} are those of the code`, t => {
    let compared = 0
    for (const { name: option, cells } of rowsOf(sections.get(name)!)) {
      const said = meant(cells.default ?? '')
      const has = values[option]
      if (said === undefined || has === undefined || typeof has === 'object') continue
      if (typeof has === 'function') continue
      t.deepEqual(has as unknown, said, option)
      compared++
    }
    t.true(compared >= (name === 'RouterOptions' ? 3 : 8), `only ${compared}`)
  })
}
