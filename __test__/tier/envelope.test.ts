// The form of stored values, and the places where they are.
import { deflateRawSync } from 'node:zlib'
import test from 'ava'
import { TierError } from '../../src/base/errors.ts'
import { Compression, hasCompression, pack, unpack } from '../../src/tier/compression.ts'
import type { TierValue } from '../../src/tier/contract.ts'
import { Head, readSignature, seal, unseal } from '../../src/tier/envelope.ts'
import { Keys, readKey, writeKey } from '../../src/tier/redis/session/keys.ts'
import { random } from '../helpers/random.ts'

const MAX = 1024 ** 2

const signature = { origin: '0123456789abcdef', at: 99 }

/** A value as the store would have it. */
async function stored(value: TierValue, above = 1024): Promise<Buffer> {
  const sealed = await seal(value, { compression: 'brotli', above }, signature, MAX)
  if (sealed instanceof Error) throw sealed
  const { head, middle, body } = sealed
  return Buffer.concat([head, doubles(1_000_000, 5000), middle, doubles(77, 88), body])
}

/** What is made of bytes of a store. */
async function opened(bytes: Buffer, now = 0, max = MAX): Promise<TierValue | undefined> {
  return unseal(bytes, now, max)?.open()
}

function doubles(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(8 * numbers.length)
  for (const [i, number] of numbers.entries()) bytes.writeDoubleBE(number, 8 * i)
  return bytes
}

const value: TierValue = {
  encoded: 'x'.repeat(5000),
  freshFor: 0,
  cost: 3,
  tags: ['a'],
  version: 4,
}

test('times and the epoch are those of the store', async t => {
  const found = unseal(await stored(value), 2_000_000, MAX)!
  t.like(found, { known: 1_000_000, generation: 77, clock: 88 })
  t.deepEqual(await found.open(), { ...value, freshFor: 3000 })
  t.deepEqual(readSignature(await stored(value)), signature)
})

test('a value that was cut off anywhere is an error', async t => {
  const whole = await stored(value)
  for (let length = 0; length < whole.length; length++) {
    await t.throwsAsync(opened(whole.subarray(0, length)), { instanceOf: TierError })
  }
  await t.throwsAsync(opened(Buffer.concat([whole, whole]).fill(0, 3, 7), 0, 10), {
    instanceOf: TierError,
  })
})

test('damage is a TierError or another value, never anything else', async t => {
  const next = random(7)
  for (const [length, rounds] of [
    [3000, 5000],
    [100_000, 200],
  ] as const) {
    const whole = await stored({ ...value, encoded: 'y'.repeat(length) })
    for (let round = 0; round < rounds; round++) {
      const damaged = Buffer.from(whole)
      for (let i = 0; i < 3; i++) damaged[Math.floor(next() * 96)] = Math.floor(next() * 256)
      try {
        await opened(damaged)
      } catch (error) {
        if (!(error instanceof TierError)) throw error
      }
    }
  }
  t.pass()
})

test('a bomb is not decompressed, here or apart', async t => {
  const bomb = deflateRawSync(Buffer.alloc(50 * MAX))
  for (const length of [1000, 100_000]) {
    await t.throwsAsync(async () => unpack(bomb, Compression.DEFLATE, length), {
      instanceOf: TierError,
    })
  }
  const lying = await stored(value)
  lying.writeUInt32BE(MAX + 1, Head.VERSION + 12)
  await t.throwsAsync(opened(lying), { message: /more than/ })
})

test('a way of compressing that is unknown here is an error that says so', async t => {
  t.throws(() => unpack(Buffer.from('x'), 9, 1), { message: /unknown here \(9\)/ })
  const newer = await stored(value)
  newer[1] = 3
  t.throws(() => unseal(newer, 0, MAX), { message: /newer version/ })
})

test('what compression would make larger stays as it is', async t => {
  const next = random(3)
  for (const name of ['deflate', 'brotli', 'zstd'] as const) {
    for (const length of [4096, 20_000, 100_000]) {
      const noise = new Uint8Array(length).map(() => Math.floor(next() * 256))
      t.deepEqual(await pack(noise, name), { code: Compression.NONE, packed: noise })
      const even = Buffer.alloc(length, 'abc')
      const { code, packed } = await pack(even, name)
      t.is(packed.length < even.length, hasCompression(name))
      t.deepEqual(Buffer.from(await unpack(packed, code, length)), even)
    }
  }
  t.true((await stored(value)).length < 200)
  t.true((await stored(value, 5001)).length > 5000)
})

test('large values are compressed and read by other threads', async t => {
  const large = Buffer.alloc(2 * MAX, 'abc')
  let turns = 0
  const turn = () => {
    turns++
    if (turns < 1e6) setImmediate(turn)
  }
  const packing = pack(large, 'deflate')
  t.true(packing instanceof Promise, 'the event loop goes on')
  turn()
  const { code, packed } = await packing
  t.true(turns > 0)
  const before = turns
  await unpack(packed, code, large.length)
  t.true(turns > before)
  turns = 1e6
})

test('every key has one place, and every place one key', t => {
  const next = random(11)
  const keys = ['', '~', '~n1', '1', 1, -0.5, 'ü', '\ud83d', '\ud83d\ude00', '\ufffd', 'a:b', '~s']
  for (let i = 0; i < 2000; i++) {
    const units = Array.from({ length: Math.floor(next() * 4) }, () => Math.floor(next() * 0xffff))
    keys.push(String.fromCharCode(...units))
  }
  const places = new Set<string>()
  for (const key of new Set(keys)) {
    const place = writeKey(key)
    t.is(readKey(place), key)
    places.add(place.toString('latin1'))
  }
  t.is(places.size, new Set(keys).size)
  const bytes = new Uint8Array([126, 110, 0, 255])
  t.deepEqual(readKey(writeKey(bytes)), bytes)
  t.is(readKey(Buffer.from('~x')), undefined)
})

test('no prefix of a cache is the beginning of any other, and each place says what it is', t => {
  const names = ['a', 'a:b', 'a~t', 'a%3a', '{a}', '%', 'a:', '~', 'a~c']
  const caches = names.map(name => new Keys('root:', name))
  const prefixes = caches.flatMap(keys => keys.prefixes)
  for (const one of prefixes) {
    t.deepEqual(
      prefixes.filter(other => other.startsWith(one)),
      [one],
    )
  }
  for (const keys of caches) {
    t.deepEqual(keys.read(keys.value('k')), { key: 'k' })
    for (const other of [keys.epoch, keys.tags, keys.lock('k'), Buffer.from('x')]) {
      t.is(keys.read(other), undefined)
    }
  }
})
