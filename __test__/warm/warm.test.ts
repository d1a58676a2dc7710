import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { Cache, type InvalidOptionError, json } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { newFolder, removeFolder } from '../helpers/folders.ts'

const folder = newFolder('warm')
test.after.always(() => removeFolder(folder))

test('a cache begins with the hot set that the last one saved when it was closed', async t => {
  const from = join(folder, 'closed')
  const options = { max: 1000, codec: json<{ n: number }>(), warm: { from, keys: 10 } }
  const first = new Cache<string, { n: number }>(options)
  t.deepEqual(await first.ready, { loaded: 0, complete: true }, 'a first start is a cold one')
  for (let n = 0; n < 100; n++) first.set(`key ${n}`, { n }, { ttl: '1h' })
  for (let i = 0; i < 20_000; i++) for (let n = 0; n < 5; n++) first.peek(`key ${n}`)
  for (let i = 0; i < 20_000; i++) for (let n = 0; n < 5; n++) first.get(`key ${n}`)
  await first.close()
  const second = new Cache<string, { n: number }>(options)
  t.deepEqual(await second.ready, { loaded: 10, complete: true })
  for (let n = 0; n < 5; n++) t.deepEqual(second.get(`key ${n}`), { n })
  t.true(second.ttl('key 0')! > 3_500_000)
  t.is(second.size, 10)
  await second.close()
})

test('what was read is kept rather than what was not, however many keys there are', async t => {
  const from = join(folder, 'hot')
  const options = { max: 30_000, warm: { from, keys: 3_000 } }
  const first = new Cache(options)
  await first.ready
  for (let n = 0; n < 20_000; n++) first.set(`key ${n}`, 'value')
  // Fewer reads than would make single keys known as those that are read most.
  for (let i = 0; i < 3; i++) for (let n = 0; n < 20_000; n += 10) first.get(`key ${n}`)
  await first.close()
  const second = new Cache(options)
  t.deepEqual(await second.ready, { loaded: 3_000, complete: true })
  for (let n = 0; n < 20_000; n += 10) t.true(second.has(`key ${n}`), `${n}`)
  await second.close()
})

test('the hot set is saved from time to time', async t => {
  const path = join(folder, 'periodic')
  const clock = new ManualClock()
  const cache = new Cache({ max: 10, clock, warm: { from: pathToFileURL(path), every: '1m' } })
  await cache.ready
  cache.set('a', '1')
  clock.advance('1m')
  while (!existsSync(path)) await setTimeout(10)
  t.is(await new Cache({ max: 10 }).load(path), 1)
  await cache.close()
})

test('a file that is damaged is reported, and the start is a cold one', async t => {
  const from = join(folder, 'damaged')
  writeFileSync(from, 'not a snapshot')
  const warned = new Promise<Error>(resolve => process.once('warning', resolve))
  const cache = new Cache({ max: 10, warm: { from } })
  t.deepEqual(await cache.ready, { loaded: 0, complete: false })
  t.is(((await warned) as Error & { code: string }).code, 'ERR_SNAPSHOT_DAMAGED')
  await cache.close()
  t.deepEqual(await new Cache({ max: 10, warm: { from } }).ready, { loaded: 0, complete: true })
})

for (const [name, warm] of [
  ['warm.from', {}],
  ['warm.from', { from: 7 }],
  ['warm.from', { from: '' }],
  ['warm.keys', { from: 'x', keys: 0 }],
  ['warm.every', { from: 'x', every: 'often' }],
  ['warm.budget', { from: 'x', budget: Number.POSITIVE_INFINITY }],
  ['warm.rate', { from: 'x', rate: 0.5 }],
  ['warm.else', { from: 'x', else: 1 }],
  ['warm', 'file'],
] as const) {
  test(`a warm start that cannot be is named: ${JSON.stringify(warm)}`, t => {
    const error = t.throws(() => new Cache({ max: 1, warm: warm as never }), {
      code: 'ERR_INVALID_OPTION',
    })
    t.regex(error.message, new RegExp(`^(unknown option ')?${name}`))
    t.is((error as InvalidOptionError).option, name)
  })
}

test('a warm start from a tier needs one, and one from a file has none', t => {
  const code = 'ERR_OPTION_COMBINATION'
  t.throws(() => new Cache({ max: 1, warm: { from: 'tier' } }), { code })
  const tier = { open: () => t.fail() as never }
  t.throws(() => new Cache({ max: 1, name: 'warm', tier, warm: { from: '/tmp/hot' } }), { code })
})
