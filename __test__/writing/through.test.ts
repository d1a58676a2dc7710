import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { InvalidOptionError } from '../../src/base/errors.ts'
import type { SetOptions } from '../../src/base/types.ts'
import { Cache } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import {
  type EntryWriter,
  WriteThrough,
  type WriteThroughOptions,
} from '../../src/writing/through.ts'
import { random } from '../helpers/random.ts'
import { countedTimers } from '../helpers/timers.ts'

type Writer = EntryWriter<string, string>

function setUp(writer: Writer, options?: WriteThroughOptions) {
  const clock = new ManualClock()
  const timers = countedTimers(clock)
  const cache = new Cache({ max: 100, maxBytes: '64kb', clock })
  const through = new WriteThrough<string, string, SetOptions | undefined>(
    writer,
    {
      store: (key, value, options) => cache.set(key, value, options),
      forget: key => cache.delete(key),
    },
    options,
    timers,
  )
  return { clock, timers, cache, through }
}

const outcome = (promise: Promise<unknown>) => promise.catch(error => error)

test('the origin has a write before the cache has', async t => {
  const origin = new Map<string, string | undefined>()
  const { cache, through } = setUp(async ({ key, value }) => {
    await setImmediate()
    t.is(cache.get(key), origin.get(key))
    origin.set(key, value)
  })
  await through.set('a', '1', { ttl: '1s' })
  t.is(cache.get('a'), '1')
  t.is(cache.ttl('a'), 1000)
  await through.delete('a')
  t.is(cache.get('a'), undefined)
  t.is(origin.get('a'), undefined)
  t.is(through.size, 0)
})

test('when the origin fails the write fails, and the cache forgets the key', async t => {
  const thrown = [new Error('sick'), undefined, 'text']
  for (const cause of thrown) {
    const { cache, through } = setUp(() => {
      throw cause
    })
    for (const write of [() => through.set('a', '1', undefined), () => through.delete('a')]) {
      cache.set('a', 'old')
      const error = await outcome(write())
      t.like(error, { code: 'ERR_WRITE_FAILED', cause })
      t.is(cache.get('a'), undefined)
    }
  }
})

test('what the cache refuses is an error, and the old value is gone', async t => {
  const { cache, through } = setUp(() => {})
  cache.set('a', 'old')
  const large = 'x'.repeat(100_000)
  t.like(await outcome(through.set('a', large, undefined)), { code: 'ERR_ENTRY_TOO_LARGE' })
  t.is(cache.get('a'), undefined)
})

test('a cache that was closed meanwhile is said along with what the origin said', async t => {
  const { cache, through } = setUp(async () => {
    cache.close()
    throw new Error('sick')
  })
  const { cause } = (await outcome(through.set('a', '1', undefined))) as { cause: AggregateError }
  t.deepEqual(
    cause.errors.map(({ message }) => message),
    ['sick', 'the cache is closed'],
  )
})

test('writes of one key take turns, those of others do not wait', async t => {
  const begun: (string | undefined)[] = []
  const ends: (() => void)[] = []
  const { through } = setUp(({ value }) => {
    begun.push(value)
    return new Promise<void>(resolve => ends.push(resolve))
  })
  const first = through.set('a', '1', undefined)
  const second = through.set('a', '2', undefined)
  const other = through.set('b', '3', undefined)
  await setImmediate()
  t.deepEqual(begun, ['1', '3'])
  t.is(through.size, 2)
  ends[0]!()
  await first
  await setImmediate()
  t.deepEqual(begun, ['1', '3', '2'])
  ends[1]!()
  ends[2]!()
  await Promise.all([second, other, through.idle()])
  t.is(through.size, 0)
})

test('a write that fails does not hold up the next, and is nobody else to handle', async t => {
  const { cache, through } = setUp(async ({ value }) => {
    if (value === '1') throw new Error('sick')
  })
  const first = outcome(through.set('a', '1', undefined))
  const second = through.set('a', '2', undefined)
  t.like(await first, { code: 'ERR_WRITE_FAILED' })
  await second
  await through.idle()
  t.is(cache.get('a'), '2')
})

test('an origin that never answers fails the write in time and hears of it', async t => {
  let heard: AbortSignal | undefined
  const { through, clock, timers, cache } = setUp((_, { signal }) => {
    heard = signal
    return new Promise(() => {})
  })
  cache.set('a', 'old')
  const write = outcome(through.set('a', '1', undefined))
  clock.advance(29_999)
  await setImmediate()
  t.is(cache.get('a'), 'old')
  clock.advance(1)
  t.like(await write, { code: 'ERR_WRITE_FAILED' })
  t.true(heard!.aborted)
  t.is(cache.get('a'), undefined)
  t.deepEqual([timers.waiting, through.size], [0, 0])
})

test('whatever fails, the cache has what the origin has, or nothing', async t => {
  for (let seed = 1; seed <= 1000; seed++) {
    const draw = random(seed)
    const origin = new Map<string, string>()
    const { cache, through, timers } = setUp(async ({ kind, key, value }) => {
      const takes = draw() < 0.7
      const fails = draw() < 0.3
      if (draw() < 0.5) await setImmediate()
      if (takes || !fails) {
        if (kind === 'set') origin.set(key, value!)
        else origin.delete(key)
      }
      if (draw() < 0.3) await setImmediate()
      if (fails) throw new Error('sick')
    })
    const writes: Promise<unknown>[] = []
    for (let i = 0; i < 20; i++) {
      const key = `${Math.floor(draw() * 3)}`
      const value = draw() < 0.1 ? 'x'.repeat(100_000) : `${i}`
      const write = draw() < 0.2 ? through.delete(key) : through.set(key, value, undefined)
      writes.push(outcome(write))
      if (draw() < 0.3) await setImmediate()
    }
    await Promise.all(writes)
    await through.idle()
    for (const key of ['0', '1', '2']) {
      const cached = cache.get(key)
      t.true(cached === undefined || cached === origin.get(key), `seed ${seed}`)
    }
    t.deepEqual([through.size, timers.waiting], [0, 0])
    cache.close()
  }
})

test('options that cannot be are named', t => {
  const bad: [unknown, unknown, string][] = [
    [() => {}, { timeout: 0 }, 'writeThrough.timeout'],
    [() => {}, { timeouts: 1 }, 'writeThrough.timeouts'],
    [() => {}, 5, 'writeThrough'],
    [undefined, {}, 'writer'],
  ]
  for (const [writer, options, option] of bad) {
    const make = () => setUp(writer as Writer, options as WriteThroughOptions)
    t.is(t.throws(make, { instanceOf: InvalidOptionError }).option, option)
  }
})
