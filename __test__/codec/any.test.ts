// A value of the codec `any` stays what it is on every way that it may take.
import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Cache } from '../../src/index.ts'
import { redis as tier } from '../../src/tier/redis/index.ts'
import { redis } from '../router/support.ts'
import { connect } from '../tier/invalidation.ts'

const values = (): [string, unknown][] =>
  Object.entries({
    text: 'one byte',
    wide: 'two \u{1f30a}',
    lone: '\ud800',
    number: 1.5,
    zero: -0,
    nan: Number.NaN,
    yes: true,
    no: false,
    nothing: null,
    big: -(2n ** 70n),
    buffer: Buffer.from('buffer'),
    none: Buffer.alloc(0),
    bytes: new Uint8Array([1, 2, 3]),
    large: Buffer.alloc(100_000, 7),
    user: { name: 'Ada', born: new Date(0), roles: new Set(['admin']) },
  })

test('near or not, one by one or many, iterated, in a namespace, with tags', t => {
  for (const near of [true, false]) {
    const cache = new Cache({ max: 1000, near })
    const view = cache.namespace('view')
    cache.setMany(values())
    for (const [key, value] of values()) {
      cache.set(`tagged ${key}`, value, { tags: ['t'] })
      view.set(key, value)
    }
    for (let read = 0; read < 4; read++) {
      for (const [key, value] of values()) {
        for (const seen of [
          cache.get(key),
          cache.peek(key),
          cache.get(`tagged ${key}`),
          view.get(key),
        ]) {
          t.deepEqual(seen, value)
        }
      }
      const keys = values().map(([key]) => key)
      t.deepEqual(
        cache.getMany(keys),
        values().map(([, value]) => value),
      )
    }
    const entries = new Map(cache.entries())
    for (const [key, value] of values()) t.deepEqual(entries.get(key), value)
    cache.close()
  }
})

test('a caller may write into the bytes that it got', t => {
  const cache = new Cache({ max: 10 })
  cache.set('key', Buffer.from('abc'))
  for (let read = 0; read < 5; read++) {
    const bytes = cache.get('key') as Buffer
    t.is(bytes.toString(), 'abc')
    bytes.fill(0)
  }
  const buffer = Buffer.alloc(3)
  t.is(cache.getInto('key', buffer), 3)
  t.is(buffer.toString(), 'abc')
  cache.set('key', { no: 'bytes' })
  t.throws(() => cache.getInto('key', buffer), { code: 'ERR_CODEC_MISMATCH' })
})

test('typed arrays within a value have memory of their own', t => {
  const cache = new Cache({ max: 10 })
  cache.set('key', { floats: new Float64Array([1, 2]), view: new DataView(new ArrayBuffer(3)) })
  const { floats, view } = cache.get('key') as { floats: Float64Array; view: DataView }
  t.is(floats.buffer.byteLength, 16)
  t.is(view.buffer.byteLength, 3)
})

test('what leaves is told as it was', t => {
  const cache = new Cache({ max: 100 })
  const left: [string, unknown][] = []
  cache.onRemoval((key, value) => left.push([key, value]))
  cache.setMany(values())
  for (const [key] of values()) cache.delete(key)
  t.deepEqual(left, values())
})

test('loaded values and snapshots keep their kinds', async t => {
  const cache = new Cache({ max: 100 })
  for (const [key, value] of values()) {
    t.deepEqual(await cache.getOrSet(key, async () => value), value)
    t.deepEqual(cache.get(key), value)
  }
  const path = join(tmpdir(), `breakwater any ${randomUUID()}`)
  t.teardown(() => rm(path, { force: true }))
  await cache.save(path)
  const other = new Cache({ max: 100 })
  await other.load(path)
  for (const [key, value] of values()) t.deepEqual(other.get(key), value)
})

test('a second tier keeps the kinds of values', async t => {
  const { port } = await redis(t)
  const open = async () => {
    const { client } = await connect(t, 'ioredis', port)
    const inner = tier(client, { timeout: '20s' })
    // Taken for a cache of one name, as it would be in two processes.
    const renamed = {
      open: (host: Parameters<typeof inner.open>[0]) => inner.open({ ...host, name: 'any' }),
    }
    const cache = new Cache({ name: `any ${randomUUID()}`, max: 100, tier: renamed })
    t.teardown(() => cache.close())
    await cache.ready
    return cache
  }
  const [writer, reader] = [await open(), await open()]
  for (const [key, value] of values()) await writer.put(key, value)
  for (const [key, value] of values()) t.deepEqual(await reader.fetch(key), value)
})
