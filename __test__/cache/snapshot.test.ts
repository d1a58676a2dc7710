import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import anyTest, { type TestFn } from 'ava'
import { bytes, Cache, type CacheKey, json } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { newFolder, removeFolder } from '../helpers/folders.ts'
import { start } from '../helpers/worker.ts'

const test = anyTest as TestFn<{ folder: string; file: string }>

test.beforeEach(async t => {
  const folder = newFolder('snapshot')
  t.context = { folder, file: join(folder, 'snapshot') }
})

test.afterEach.always(async t => {
  await removeFolder(t.context.folder)
})

test('what was saved is loaded: keys, values and the lives that are left', async t => {
  const clock = new ManualClock()
  const cache = new Cache<CacheKey>({ max: 1000, clock })
  const keys = ['text', '\u20ac', '\ud800', 1.5, Buffer.from([1, 2, 3]), '']
  for (const [i, key] of keys.entries()) cache.set(key, `value \u20ac ${i}`)
  const begun = performance.now()
  cache.set('brief', 'v', { ttl: '1h' })
  t.is(await cache.save(t.context.file), keys.length + 1)

  const other = new Cache<CacheKey>({ max: 1000, clock: new ManualClock() })
  other.set('already', 'there')
  t.is(await other.load(pathToFileURL(t.context.file)), keys.length + 1)
  t.deepEqual(
    keys.map(key => other.get(key)),
    keys.map((_, i) => `value \u20ac ${i}`),
  )
  t.is(other.get('already'), 'there')
  const life = other.ttl('brief') as number
  const passed = performance.now() - begun
  t.true(life > 3_599_000 - passed && life <= 3_600_000, `${life} ms`)
  t.is(other.ttl('text'), Number.POSITIVE_INFINITY)
  // Only the snapshot is there: the file that was written beside it took its place.
  t.deepEqual(await readdir(t.context.folder), ['snapshot'])
})

test('a snapshot of bytes and of JSON keeps what it holds', async t => {
  const blobs = new Cache({ maxBytes: '32mb', codec: bytes() })
  blobs.set('a', Buffer.alloc(3_000_000, 'x')).set('b', Buffer.alloc(0))
  await blobs.save(t.context.file)
  const back = new Cache({ maxBytes: '32mb', codec: bytes() })
  t.is(await back.load(t.context.file), 2)
  t.true(back.get('a')?.equals(Buffer.alloc(3_000_000, 'x')))
  t.is(back.get('b')?.length, 0)
})

test('a value of another codec is an error where it is read, not garbage', async t => {
  const objects = new Cache({ max: 10, codec: json<object>() })
  await objects.set('a', { n: 1 }).save(t.context.file)
  const strings = new Cache({ max: 10 })
  await strings.load(t.context.file)
  t.throws(() => strings.get('a'), { code: 'ERR_CODEC_MISMATCH' })
  t.throws(() => strings.getMany(['a']), { code: 'ERR_CODEC_MISMATCH' })
  t.throws(() => [...strings], { code: 'ERR_CODEC_MISMATCH' })
  t.is(strings.set('a', 'text').get('a'), 'text')
})

test('a damaged file is refused whole, and the cache keeps what it had', async t => {
  const cache = new Cache({ max: 1000 })
  for (let i = 0; i < 100; i++) cache.set(`key ${i}`, `value ${i}`)
  await cache.save(t.context.file)
  const intact = await readFile(t.context.file)
  const other = new Cache({ max: 1000 })
  other.set('mine', 'kept')
  const damage: [string, Buffer][] = [
    ['empty', Buffer.alloc(0)],
    ['cut', intact.subarray(0, intact.length - 1)],
    ['cut in half', intact.subarray(0, intact.length / 2)],
    ['of another kind', Buffer.from('not a snapshot at all')],
    ['longer', Buffer.concat([intact, Buffer.from('x')])],
    ...[4, 12, 40, intact.length >> 1, intact.length - 5].map((at): [string, Buffer] => {
      const flipped = Buffer.from(intact)
      flipped[at] = (flipped[at] as number) ^ 0x10
      return [`flipped at ${at}`, flipped]
    }),
  ]
  for (const [what, content] of damage) {
    await writeFile(t.context.file, content)
    await t.throwsAsync(other.load(t.context.file), { code: 'ERR_SNAPSHOT_DAMAGED' }, what)
    t.deepEqual([...other], [['mine', 'kept']], what)
  }
})

test('a file that is not there or cannot be written is an error of its own', async t => {
  const cache = new Cache({ max: 10 })
  await t.throwsAsync(cache.load(t.context.file), { code: 'ERR_SNAPSHOT_IO' })
  const nowhere = join(t.context.folder, 'no', 'such', 'folder')
  await t.throwsAsync(cache.save(nowhere), { code: 'ERR_SNAPSHOT_IO' })
  await t.throwsAsync(cache.save(5 as never), { code: 'ERR_INVALID_OPTION', message: /path/ })
})

test('a snapshot that does not fit says how much of it was loaded', async t => {
  const cache = new Cache({ max: 100 })
  for (let i = 0; i < 100; i++) cache.set(`key ${i}`, 'v')
  await cache.save(t.context.file)
  const small = new Cache({ max: 10, policy: 'none' })
  const error = await t.throwsAsync(small.load(t.context.file), { code: 'ERR_SNAPSHOT_NO_ROOM' })
  t.like(error, { loaded: 10 })
  t.is(small.size, 10)
})

test('a cache may be closed and written to while it is saved', async t => {
  const cache = new Cache({ max: 10_000 })
  for (let i = 0; i < 5000; i++) cache.set(`key ${i}`, 'v')
  const saving = cache.save(t.context.file)
  cache.clear()
  cache.close()
  await saving
  const back = new Cache({ max: 10_000 })
  t.is(await back.load(t.context.file), back.size)
  await t.throwsAsync(cache.save(t.context.file), { code: 'ERR_CACHE_CLOSED' })
})

test('a worker that is terminated while it saves leaves a whole snapshot or none', async t => {
  for (let i = 0; i < 5; i++) {
    const worker = start(async ({ breakwater, port, data }) => {
      const cache = new breakwater.Cache({ max: 100_000 })
      for (let i = 0; i < 20_000; i++) cache.set(`key ${i}`, 'v')
      port.postMessage('saving')
      for (;;) await cache.save(data)
    }, t.context.file)
    await once(worker, 'message')
    await worker.terminate()
    const back = new Cache({ max: 100_000 })
    const loaded = await back.load(t.context.file).catch(error => {
      t.is(error.code, 'ERR_SNAPSHOT_IO')
      return 20_000
    })
    t.is(loaded, 20_000)
  }
})
