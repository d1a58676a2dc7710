import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { CacheClosedError, InvalidOptionError } from '../../src/base/errors.ts'
import type { CacheKey } from '../../src/base/types.ts'
import { ManualClock } from '../../src/testing.ts'
import {
  type BatchWriter,
  WriteBehind,
  type WriteBehindOptions,
  type WriteContext,
} from '../../src/writing/behind.ts'
import type { WriteEntry } from '../../src/writing/queue.ts'
import { random } from '../helpers/random.ts'
import { countedTimers } from '../helpers/timers.ts'

type Entry = WriteEntry<CacheKey, number>
type Writer = BatchWriter<CacheKey, number>
type Options = WriteBehindOptions<CacheKey, number>

const set = (key: CacheKey, value: number): Entry => ({ kind: 'set', key, value })
const remove = (key: CacheKey): Entry => ({ kind: 'delete', key })
const never = () => new Promise<void>(() => {})

function setUp(options?: Options, writer: Writer = async () => {}) {
  const clock = new ManualClock()
  const timers = countedTimers(clock)
  const batches: Entry[][] = []
  const contexts: WriteContext[] = []
  const write: Writer = (entries, context) => {
    batches.push([...entries])
    contexts.push(context)
    return writer(entries, context)
  }
  return { clock, timers, batches, contexts, behind: new WriteBehind(write, options, timers) }
}

/** Moves time on until the promise has settled. */
async function advanceUntil<T>(clock: ManualClock, promise: Promise<T>, step = 100): Promise<T> {
  let isSettled = false
  const done = () => {
    isSettled = true
  }
  promise.then(done, done)
  for (;;) {
    await setImmediate()
    if (isSettled) return promise
    clock.advance(step)
  }
}

/** Listens to the warnings of the process; the result stops and gives their codes and texts. */
function warnings(): () => Promise<[string | undefined, string][]> {
  const heard: [string | undefined, string][] = []
  const listener = (warning: Error & { code?: string }) => {
    heard.push([warning.code, warning.message])
  }
  process.on('warning', listener)
  return async () => {
    await setImmediate()
    process.off('warning', listener)
    return heard
  }
}

test('a batch goes out when its first write is old enough', async t => {
  const { behind, clock, batches, timers } = setUp()
  behind.add(set('a', 1))
  clock.advance(600)
  behind.add(remove('b'))
  clock.advance(399)
  t.deepEqual(batches, [])
  t.like(behind.stats, { pending: 2, oldestAge: 999, written: 0 })
  clock.advance(1)
  await setImmediate()
  t.deepEqual(batches, [[set('a', 1), remove('b')]])
  t.deepEqual(behind.stats, { pending: 0, waiting: 0, oldestAge: 0, written: 2, failed: 0 })
  t.is(timers.waiting, 0)
})

test('a batch that is full goes out at once, the rest after it', async t => {
  const { behind, batches } = setUp({ maxBatch: 2 })
  for (const key of ['a', 'b', 'c', 'd', 'e']) behind.add(set(key, 1))
  await behind.flush()
  t.deepEqual(
    batches.map(batch => batch.map(({ key }) => key)),
    [['a', 'b'], ['c', 'd'], ['e']],
  )
})

test('of the pending writes of a key the last is written, or all if asked', async t => {
  for (const keepAll of [false, true]) {
    const { behind, batches } = setUp({ keepAll })
    behind.add(set('a', 1))
    behind.add(set('b', 1))
    behind.add(set('a', 2))
    behind.add(remove('a'))
    await behind.flush()
    const all = [set('a', 1), set('b', 1), set('a', 2), remove('a')]
    t.deepEqual(batches, [keepAll ? all : [remove('a'), set('b', 1)]])
  }
})

test('keys of different types are different, bytes are equal by what they hold', async t => {
  const { behind, batches } = setUp()
  for (const key of ['1', 1, Buffer.from('1'), new Uint8Array([49]), 's1', 'b1']) {
    behind.add(set(key, 1))
  }
  behind.add(set('__proto__', 1))
  t.is(behind.stats.pending, 6)
  t.is(behind.find(Buffer.from('1'))?.value, 1)
  await behind.flush()
  t.is(batches[0]!.length, 6)
})

test('a write that is pending or being written can be found, the last of a key', async t => {
  const finish: (() => void)[] = []
  const hangs: Writer = () => new Promise(resolve => finish.push(resolve))
  const { behind } = setUp({ maxBatch: 1, maxPending: 2 }, hangs)
  behind.add(set('a', 1))
  t.deepEqual(behind.find('a'), set('a', 1))
  behind.add(set('a', 2))
  t.deepEqual(behind.find('a'), set('a', 2))
  const room = behind.add(set('b', 3))
  t.deepEqual(behind.find('b'), set('b', 3))
  await setImmediate()
  finish[0]!()
  await room
  t.deepEqual(behind.find('a'), set('a', 2))
  await setImmediate()
  finish[1]!()
  await setImmediate()
  t.is(behind.find('a'), undefined)
  finish[2]!()
  await behind.flush()
  t.is(behind.find('b'), undefined)
})

test('when it is full a write waits for room, or is refused', async t => {
  let finish = () => {}
  const hangs: Writer = () =>
    new Promise(resolve => {
      finish = resolve
    })
  const waits = setUp({ maxPending: 2, maxBatch: 1 }, hangs)
  t.is(waits.behind.add(set('a', 1)), undefined)
  t.is(waits.behind.add(set('b', 1)), undefined)
  t.is(waits.behind.add(set('b', 2)), undefined)
  let isIn = false
  const room = waits.behind.add(set('c', 1))!.then(() => {
    isIn = true
  })
  await setImmediate()
  t.false(isIn)
  t.like(waits.behind.stats, { pending: 2, waiting: 1 })
  finish()
  await room
  t.like(waits.behind.stats, { pending: 2, waiting: 0 })
  const refuses = setUp({ maxPending: 1, whenFull: 'error' }, hangs)
  refuses.behind.add(set('a', 1))
  t.throws(() => refuses.behind.add(set('b', 1)), { code: 'ERR_WRITE_QUEUE_FULL' })
  t.is(refuses.behind.find('b'), undefined)
})

test('a batch that fails is written again with waits between, before any later one', async t => {
  const { behind, batches, contexts, clock, timers } = setUp(
    { backOff: { initial: 100, jitter: 0 }, retries: 2 },
    async (_, { failures }) => {
      if (failures < 2) throw new Error(`failure ${failures}`)
    },
  )
  behind.add(set('a', 1))
  const flushed = behind.flush()
  behind.add(set('a', 2))
  await advanceUntil(clock, flushed)
  t.deepEqual(batches.slice(0, 3), [[set('a', 1)], [set('a', 1)], [set('a', 1)]])
  t.deepEqual(
    contexts.slice(0, 3).map(({ failures }) => failures),
    [0, 1, 2],
  )
  await advanceUntil(clock, behind.flush())
  t.deepEqual(batches[3], [set('a', 2)])
  t.like(behind.stats, { written: 2, failed: 0 })
  t.is(timers.waiting, 0)
})

test('what cannot be written is handed over, and the next batch goes on', async t => {
  const handed: [unknown, readonly Entry[]][] = []
  const { behind, clock } = setUp(
    { retries: 1, onWriteError: (error, entries) => void handed.push([error, entries]) },
    entries => {
      if (entries[0]!.key === 'bad') throw undefined
    },
  )
  behind.add(set('bad', 1))
  const flushed = behind.flush()
  behind.add(set('good', 1))
  await advanceUntil(clock, flushed)
  t.deepEqual(handed, [[undefined, [set('bad', 1)]]])
  await behind.flush()
  t.like(behind.stats, { pending: 0, written: 1, failed: 1 })
})

test.serial('without onWriteError a warning says how many entries were not written', async t => {
  const heard = warnings()
  const text = { toString: () => ({}) }
  for (const thrown of [new Error('sick'), text]) {
    const { behind } = setUp({ retries: 0 }, () => Promise.reject(thrown))
    behind.add(set('a', 1))
    behind.add(set('b', 1))
    await behind.flush()
    t.is(behind.stats.failed, 2)
  }
  t.deepEqual(await heard(), [
    ['ERR_WRITE_FAILED', '2 entries were not written: Error: sick'],
    ['ERR_WRITE_FAILED', '2 entries were not written: a value that has no text'],
  ])
})

test('flush waits for what came before it, not for what comes after', async t => {
  const finish: (() => void)[] = []
  const { behind, batches } = setUp({}, () => new Promise<void>(resolve => finish.push(resolve)))
  await behind.flush()
  behind.add(set('a', 1))
  const flushed = behind.flush()
  behind.add(set('a', 2))
  await setImmediate()
  finish[0]!()
  await flushed
  t.deepEqual(batches, [[set('a', 1)]])
  t.is(behind.stats.pending, 1)
})

test('flush waits for writes that wait for room, too', async t => {
  const { behind, batches } = setUp({ maxPending: 1 }, () => setImmediate())
  const rooms = ['a', 'b', 'c'].map(key => behind.add(set(key, 1)))
  await behind.flush()
  await Promise.all(rooms)
  t.deepEqual(batches, [[set('a', 1)], [set('b', 1)], [set('c', 1)]])
})

test('closing writes what is pending and takes no more', async t => {
  const { behind, batches, timers } = setUp()
  behind.add(set('a', 1))
  const closed = behind.close()
  t.throws(() => behind.add(set('b', 1)), { instanceOf: CacheClosedError })
  await closed
  await behind.close()
  t.deepEqual(batches, [[set('a', 1)]])
  t.is(timers.waiting, 0)
})

test('closing gives up what takes too long, and aborts it', async t => {
  const handed: [unknown, readonly Entry[]][] = []
  const onWriteError = (error: unknown, entries: readonly Entry[]) => {
    handed.push([error, entries])
  }
  const options = { maxBatch: 2, maxPending: 3, closeTimeout: '3s', onWriteError }
  const { behind, clock, contexts, timers } = setUp(options, never)
  const room = ['a', 'b', 'c', 'd'].map(key => behind.add(set(key, 1))).at(-1)
  const closed = behind.close()
  clock.advance(2999)
  await setImmediate()
  t.deepEqual(handed, [])
  clock.advance(1)
  await closed
  await room
  t.true(contexts[0]!.signal.aborted)
  const codes = handed.map(([error]) => (error as { code: string }).code)
  t.deepEqual(codes, ['ERR_WRITE_FAILED', 'ERR_WRITE_FAILED'])
  t.deepEqual(
    handed.flatMap(([, entries]) => entries.map(({ key }) => key)),
    ['a', 'b', 'c', 'd'],
  )
  t.is(timers.waiting, 0)
})

test.serial('closing ends although onWriteError does not', async t => {
  const { behind, clock } = setUp(
    { closeTimeout: 10, retries: 0, onWriteError: never },
    async () => {
      throw new Error('sick')
    },
  )
  const heard = warnings()
  behind.add(set('a', 1))
  await advanceUntil(clock, behind.close(), 10)
  t.deepEqual(await heard(), [
    ['ERR_WRITE_FAILED', 'onWriteError did not settle: 1 entries were not written'],
  ])
})

test('a writer may write through the same queue', async t => {
  const { behind, batches } = setUp({ maxBatch: 1 }, entries => {
    const { key, value } = entries[0]!
    if (value! < 3) behind.add(set(key, value! + 1))
  })
  behind.add(set('a', 1))
  await behind.flush()
  await behind.flush()
  await behind.flush()
  t.deepEqual(batches, [[set('a', 1)], [set('a', 2)], [set('a', 3)]])
})

/** One random program, checked against what any order-keeping queue must have done. */
async function program(seed: number): Promise<string | undefined> {
  const draw = random(seed)
  const upTo = (n: number) => Math.floor(draw() * n)
  const keepAll = draw() < 0.5
  const maxPending = 1 + upTo(draw() < 0.5 ? 3 : 12)
  const added: { key: string; value: number }[] = []
  const landed = new Map<string, number[]>()
  const failed: Entry[] = []
  /** The batches in the order in which their writing began first. */
  const batches: (readonly Entry[])[] = []
  let isWriting = false
  let fault: string | undefined
  const done = (key: string) => [
    ...(landed.get(key) ?? []),
    ...failed.filter(entry => entry.key === key).map(({ value }) => value as number),
  ]
  const { behind, clock, timers } = setUp(
    {
      keepAll,
      maxPending,
      maxBatch: 1 + upTo(5),
      maxDelay: 1 + upTo(30),
      retries: upTo(3),
      backOff: { initial: 1 + upTo(10), max: 20 },
      onWriteError: async (_, entries) => {
        failed.push(...entries)
        if (draw() < 0.3) await setImmediate()
      },
    },
    async entries => {
      // A batch that fails may have been written in part.
      const part = draw() < 0.3 ? upTo(entries.length + 1) : undefined
      if (isWriting) fault = 'two batches are written at once'
      isWriting = true
      if (batches.includes(entries)) {
        if (batches.at(-1) !== entries) fault = 'a batch is written again after a later one'
      } else batches.push(entries)
      for (const { key, value } of entries.slice(0, part)) {
        if (draw() < 0.2) await setImmediate()
        const values = landed.get(key as string) ?? []
        landed.set(key as string, [...values, value as number])
      }
      isWriting = false
      if (part !== undefined) throw new Error('in part')
    },
  )
  for (let step = 0; step < 40; step++) {
    const choice = draw()
    if (choice < 0.6) {
      const key = `${upTo(4)}`
      const write = { key, value: step }
      added.push(write)
      const room = behind.add(set(key, step))
      if (behind.find(key)?.value !== step) return 'the last write cannot be found'
      if (room && draw() < 0.5) await Promise.race([room, setImmediate()])
    } else if (choice < 0.8) clock.advance(1 + upTo(20))
    else if (choice < 0.85) await Promise.race([behind.flush(), setImmediate()])
    else await setImmediate()
    if (behind.stats.pending > maxPending) return 'more pending than allowed'
    for (const key of ['0', '1', '2', '3']) {
      const last = added.findLast(write => write.key === key)?.value
      if (last !== undefined && !done(key).includes(last) && behind.find(key)?.value !== last) {
        return 'a write that was not done with cannot be found'
      }
    }
  }
  await advanceUntil(clock, draw() < 0.5 ? behind.flush() : behind.close(), 5)
  if (fault !== undefined) return fault
  const last = new Map<CacheKey, number>()
  for (const { key, value } of batches.flat()) {
    if (value! <= (last.get(key) ?? -1)) return `write ${value} of ${key} came after a later one`
    last.set(key, value!)
  }
  for (const { key, value } of added) {
    const superseded = !keepAll && added.some(later => later.key === key && later.value > value)
    if (!superseded && !done(key).includes(value)) return `write ${value} of ${key} was lost`
    if (behind.find(key) !== undefined) return 'a write that is done with is still found'
  }
  const { pending, waiting } = behind.stats
  return pending + waiting + timers.waiting === 0 ? undefined : 'something is left'
}

test('writes of a key land in their order and none is lost, whatever fails', async t => {
  for (let seed = 1; seed <= 4000; seed += 200) {
    const seeds = Array.from({ length: 200 }, (_, i) => seed + i)
    const failures = await Promise.all(
      seeds.map(async seed => [seed, await program(seed)] as const),
    )
    t.deepEqual(
      failures.filter(([, failure]) => failure !== undefined),
      [],
    )
  }
})

test('options that cannot be are named', t => {
  const bad: [unknown, string][] = [
    [{ maxBatch: 0 }, 'writeBehind.maxBatch'],
    [{ maxDelay: 'soon' }, 'writeBehind.maxDelay'],
    [{ maxPending: Number.POSITIVE_INFINITY }, 'writeBehind.maxPending'],
    [{ whenFull: 'drop' }, 'writeBehind.whenFull'],
    [{ keepAll: 1 }, 'writeBehind.keepAll'],
    [{ retries: -1 }, 'writeBehind.retries'],
    [{ backOff: { max: 0 } }, 'writeBehind.backOff.max'],
    [{ closeTimeout: 0 }, 'writeBehind.closeTimeout'],
    [{ flushOnSignal: 'SIGTERM' }, 'writeBehind.flushOnSignal'],
    [{ flushOnSignal: ['TERM'] }, 'writeBehind.flushOnSignal'],
    [{ onWriteError: true }, 'writeBehind.onWriteError'],
    [{ maxbatch: 1 }, 'writeBehind.maxbatch'],
    [[], 'writeBehind'],
  ]
  for (const [options, option] of bad) {
    const error = t.throws(() => setUp(options as Options), { instanceOf: InvalidOptionError })
    t.is(error.option, option)
  }
  const make = () => new WriteBehind(undefined as never, {}, countedTimers(new ManualClock()))
  t.is(t.throws(make, { instanceOf: InvalidOptionError }).option, 'writer')
})
