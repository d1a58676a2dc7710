// The form of stored values, and the places where they are.
import { deflateRawSync } from 'node:zlib'
import test from 'ava'
import { TierError } from '../../src/errors.ts'
import { Compression, hasCompression, pack, unpack } from '../../src/tier/compress.ts'
import { Head, readSignature, seal, unseal } from '../../src/tier/envelope.ts'
import { Keys, readKey, writeKey } from '../../src/tier/redis/keys.ts'
import type { TierValue } from '../../src/tier/tier.ts'
import { random } from '../router/support.ts'

const MAX = 1024 ** 2

const signature = { origin: '0123456789abcdef', at: 99 }

/** A value as the store would have it. */
function stored(value: TierValue, above = 1024): Buffer {
  const sealed = seal(value, { compression: 'brotli', above }, signature, MAX)
  if (sealed instanceof Error) throw sealed
  const { head, middle, body } = sealed
  return Buffer.concat([head, doubles(1_000_000, 5000), middle, doubles(77, 88), body])
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

test('times and the epoch are those of the store', t => {
  const opened = unseal(stored(value), 2_000_000, MAX)!
  t.like(opened, { known: 1_000_000, generation: 77, clock: 88 })
  t.deepEqual(opened.value, { ...value, freshFor: 3000 })
  t.deepEqual(readSignature(stored(value)), signature)
})

test('a value that was cut off anywhere is an error', t => {
  const whole = stored(value)
  for (let length = 0; length < whole.length; length++) {
    t.throws(() => unseal(whole.subarray(0, length), 0, MAX), { instanceOf: TierError })
  }
  t.throws(() => unseal(Buffer.concat([whole, whole]).fill(0, 3, 7), 0, 10), {
    instanceOf: TierError,
  })
})

test('damage is a TierError or another value, never anything else', t => {
  const next = random(7)
  const whole = stored({ ...value, encoded: 'y'.repeat(3000) })
  for (let round = 0; round < 5000; round++) {
    const damaged = Buffer.from(whole)
    for (let i = 0; i < 3; i++) damaged[Math.floor(next() * 80)] = Math.floor(next() * 256)
    try {
      unseal(damaged, 0, MAX)
    } catch (error) {
      if (!(error instanceof TierError)) throw error
    }
  }
  t.pass()
})

test('a bomb is not decompressed', t => {
  const bomb = deflateRawSync(Buffer.alloc(50 * MAX))
  t.throws(() => unpack(bomb, Compression.DEFLATE, 1000), { instanceOf: TierError })
  const lying = stored(value)
  lying.writeUInt32BE(MAX + 1, Head.VERSION + 12)
  t.throws(() => unseal(lying, 0, MAX), { message: /more than/ })
})

test('a way of compressing that is unknown here is an error that says so', t => {
  t.throws(() => unpack(Buffer.from('x'), 9, 1), { message: /unknown here \(9\)/ })
  const newer = stored(value)
  newer[1] = 3
  t.throws(() => unseal(newer, 0, MAX), { message: /newer version/ })
})

test('what compression would make larger stays as it is', t => {
  const next = random(3)
  const noise = new Uint8Array(4096).map(() => Math.floor(next() * 256))
  for (const name of ['deflate', 'brotli', 'zstd'] as const) {
    t.deepEqual(pack(noise, name), { code: Compression.NONE, packed: noise })
    const even = Buffer.alloc(4096, 'abc')
    const { code, packed } = pack(even, name)
    t.is(packed.length < even.length, hasCompression(name))
    t.deepEqual(Buffer.from(unpack(packed, code, 4096)), even)
  }
  t.true(stored(value).length < 200)
  t.true(stored(value, 5001).length > 5000)
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
