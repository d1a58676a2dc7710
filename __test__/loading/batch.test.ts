import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { InvalidOptionError } from '../../src/base/errors.ts'
import { Batcher, type BatchLoader, type BatchOptions } from '../../src/loading/batch.ts'
import { ManualClock } from '../../src/testing.ts'
import { random } from '../helpers/random.ts'
import { countedTimers } from '../helpers/timers.ts'

type Load = BatchLoader<string, string>

function setUp(loader: Load, options?: BatchOptions) {
  const clock = new ManualClock()
  const timers = countedTimers(clock)
  const batches: string[][] = []
  const signals: AbortSignal[] = []
  const batcher = new Batcher<string, string>(
    (keys, context) => {
      batches.push([...keys])
      signals.push(context.signal)
      return loader(keys, context)
    },
    options,
    timers,
  )
  return { clock, timers, batches, signals, batcher }
}

const doubled: Load = async keys => keys.map(key => key + key)
const never: Load = () => new Promise(() => {})

/** What a promise came to. */
function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch(error => error)
}

test('loads of one tick go out together, also those that came over some awaits', async t => {
  const { batcher, batches } = setUp(doubled)
  const later = async (key: string, awaits: number) => {
    for (let i = 0; i < awaits; i++) await null
    return batcher.load(key)
  }
  const all = [batcher.load('a'), later('b', 1), later('c', 7), batcher.load('d')]
  t.deepEqual(await Promise.all(all), ['aa', 'bb', 'cc', 'dd'])
  t.deepEqual(batches, [['a', 'd', 'b', 'c']])
  t.is(await batcher.load('e'), 'ee')
  t.deepEqual(batches[1], ['e'])
})

test('a batch that is full goes out at once', async t => {
  const { batcher, batches } = setUp(doubled, { maxBatch: 2 })
  const all = ['a', 'b', 'c', 'd', 'e'].map(key => batcher.load(key))
  t.deepEqual(batches, [
    ['a', 'b'],
    ['c', 'd'],
  ])
  t.deepEqual(await Promise.all(all), ['aa', 'bb', 'cc', 'dd', 'ee'])
  t.deepEqual(batches[2], ['e'])
})

test('by default a batch has at most a hundred keys', async t => {
  const { batcher, batches } = setUp(doubled)
  await Promise.all(Array.from({ length: 250 }, (_, i) => batcher.load(`${i}`)))
  t.deepEqual(
    batches.map(batch => batch.length),
    [100, 100, 50],
  )
})

test('a batch may be gathered for a time', async t => {
  const { batcher, batches, clock, timers } = setUp(doubled, { when: '10ms' })
  const first = batcher.load('a')
  clock.advance(9)
  await setImmediate()
  t.deepEqual(batches, [])
  const second = batcher.load('b')
  clock.advance(1)
  t.deepEqual(await Promise.all([first, second]), ['aa', 'bb'])
  t.deepEqual(batches, [['a', 'b']])
  t.is(timers.waiting, 0)
})

test('two loads of a key in one batch are one', async t => {
  const { batcher, batches } = setUp(doubled)
  t.deepEqual(await Promise.all(['a', 'a', 'b'].map(key => batcher.load(key))), ['aa', 'aa', 'bb'])
  t.deepEqual(batches, [['a', 'b']])
})

test('a Map may leave out what there is not; prototypes are no values', async t => {
  const { batcher } = setUp(async () => new Map([['a', 'found']]))
  const keys = ['a', 'b', '__proto__', 'constructor']
  const values = await Promise.all(keys.map(key => batcher.load(key)))
  t.deepEqual(values, ['found', undefined, undefined, undefined])
})

test('a batch loader need not be asynchronous', async t => {
  const { batcher } = setUp(keys => [...keys])
  t.is(await batcher.load('a'), 'a')
})

test('an error in a place fails that key alone', async t => {
  const error = new Error('of b')
  const { batcher } = setUp(async keys => keys.map(key => (key === 'b' ? error : key)))
  const all = await Promise.all(['a', 'b', 'c'].map(key => outcome(batcher.load(key))))
  t.deepEqual(all, ['a', error, 'c'])
  const mapped = setUp(async () => new Map([['b', error]]))
  t.is(await outcome(mapped.batcher.load('b')), error)
})

test('a batch that fails, at once or later, fails each of its keys', async t => {
  const throws: Load = () => {
    throw undefined
  }
  for (const loader of [throws, () => Promise.reject('text')] as Load[]) {
    const { batcher } = setUp(loader)
    const all = await Promise.allSettled([batcher.load('a'), batcher.load('b')])
    t.deepEqual(
      all.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
  }
})

test('a result that is no value for each key is an error that says so', async t => {
  const bad: [unknown, string][] = [
    [['one'], 'an array of 1'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ a: 'a', b: 'b' }, 'an object'],
    ['ab', 'a string'],
  ]
  for (const [result, got] of bad) {
    const { batcher } = setUp((async () => result) as Load)
    const errors = await Promise.all(['a', 'b'].map(key => outcome(batcher.load(key))))
    for (const error of errors) {
      t.like(error, {
        code: 'ERR_BATCH_RESULT',
        message: `a batch loader must give a Map, or an array with a place for each of its 2 keys, not ${got}`,
      })
    }
  }
})

test('a caller that aborts leaves; its key is not asked for if nobody else wants it', async t => {
  const { batcher, batches, signals } = setUp(doubled)
  const controller = new AbortController()
  const left = ['a', 'b'].map(key => outcome(batcher.load(key, controller.signal)))
  const stays = batcher.load('b')
  controller.abort('left')
  t.deepEqual(await Promise.all(left), ['left', 'left'])
  t.is(await stays, 'bb')
  t.deepEqual(batches, [['b']])
  t.false(signals[0]!.aborted)
})

test('when all have left, a batch that went out is aborted, and one that did not never goes', async t => {
  const { batcher, batches, signals, timers } = setUp(never, { when: 10 })
  const [one, other] = [new AbortController(), new AbortController()]
  const first = outcome(batcher.load('a', one.signal))
  one.abort('early')
  t.is(await first, 'early')
  t.is(timers.waiting, 0)
  const full = setUp(never, { maxBatch: 2 })
  const all = [full.batcher.load('a', one.signal), full.batcher.load('a', other.signal)].map(
    outcome,
  )
  all.push(outcome(full.batcher.load('b', other.signal)))
  t.is(await all[0], 'early')
  await setImmediate()
  t.false(full.signals[0]!.aborted)
  other.abort('late')
  t.deepEqual(await Promise.all(all), ['early', 'late', 'late'])
  t.true(full.signals[0]!.aborted)
  t.deepEqual([batches, signals], [[], []])
})

test('a batch loader may load through the same batcher', async t => {
  const { batcher } = setUp(async keys => {
    const inner = keys.filter(key => key.length > 1).map(key => key.slice(1))
    const loaded = await Promise.all(inner.map(key => batcher.load(key)))
    return keys.map(key => (key.length > 1 ? `<${loaded.shift()}>` : key))
  })
  t.deepEqual(await Promise.all([batcher.load('abc'), batcher.load('z')]), ['<<c>>', 'z'])
})

test('whatever comes and goes, each caller gets what is its own', async t => {
  for (let seed = 1; seed <= 200; seed++) {
    const draw = random(seed)
    const upTo = (n: number) => Math.floor(draw() * n)
    const maxBatch = 1 + upTo(6)
    const delay = draw() < 0.5 ? 'tick' : 1 + upTo(5)
    const failed = new Error('batch')
    const { batcher, clock, timers, batches } = setUp(
      async keys => {
        for (let i = upTo(3); i > 0; i--) await setImmediate()
        if (draw() < 0.2) throw failed
        const values = keys.map(key => (draw() < 0.2 ? new Error(key) : key + key))
        return draw() < 0.5 ? values : new Map(keys.map((key, i) => [key, values[i]!]))
      },
      { maxBatch, when: delay },
    )
    const checks: Promise<void>[] = []
    for (let i = 0; i < 40; i++) {
      const key = `${upTo(8)}`
      const controller = new AbortController()
      const check = outcome(batcher.load(key, controller.signal)).then(got => {
        if (controller.signal.aborted && got === 'left') return
        if (got instanceof Error) t.true(got === failed || got.message === key)
        else t.is(got, key + key)
      })
      checks.push(check)
      if (draw() < 0.2) queueMicrotask(() => controller.abort('left'))
      if (draw() < 0.3) await setImmediate()
      if (draw() < 0.3) clock.advance(1)
    }
    clock.advance(10)
    await Promise.all(checks)
    t.is(timers.waiting, 0)
    for (const batch of batches) {
      t.true(batch.length <= maxBatch && batch.length > 0)
      t.is(new Set(batch).size, batch.length)
    }
  }
})

test('options that cannot be are named', t => {
  const bad: [unknown, unknown, string][] = [
    [doubled, { maxBatch: 0 }, 'batch.maxBatch'],
    [doubled, { when: 'later' }, 'batch.when'],
    [doubled, { when: 0 }, 'batch.when'],
    [doubled, { size: 1 }, 'batch.size'],
    [undefined, {}, 'batchLoader'],
    ['loader', {}, 'batchLoader'],
  ]
  for (const [loader, options, option] of bad) {
    const make = () => new Batcher(loader as Load, options as BatchOptions, countedTimers(clock))
    const clock = new ManualClock()
    t.is(t.throws(make, { instanceOf: InvalidOptionError }).option, option)
  }
})
