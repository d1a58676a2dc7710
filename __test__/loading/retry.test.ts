import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { BreakerOpenError, InvalidOptionError } from '../../src/base/errors.ts'
import { timersOf } from '../../src/base/timers.ts'
import { Retry, type RetryOptions } from '../../src/guard/retry.ts'
import { ManualClock } from '../../src/testing.ts'

/** A function that fails so often before it succeeds, and notes when it was called. */
function flaky(clock: ManualClock, failures: number) {
  const calls: number[] = []
  return {
    calls,
    call: async (failed: number) => {
      calls.push(clock.now)
      if (failed < failures) throw new Error(`failure ${failed}`)
      return 'well'
    },
  }
}

/** Moves time on by milliseconds until the promise has settled. */
async function advanceUntil<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  let isSettled = false
  const done = () => {
    isSettled = true
  }
  promise.then(done, done)
  while (!isSettled) {
    // The library takes a turn of the event loop between two tries.
    await setImmediate()
    clock.advance(1)
  }
  return promise
}

test('without options a failure is final', async t => {
  const clock = new ManualClock()
  const { call, calls } = flaky(clock, 1)
  await t.throwsAsync(new Retry(undefined, timersOf(clock)).run(call), { message: 'failure 0' })
  t.deepEqual(calls, [0])
})

test('it tries again as often as asked, and gives the last error', async t => {
  const clock = new ManualClock()
  const retry = new Retry({ retries: 2, backOff: { initial: 1 } }, timersOf(clock))
  const often = flaky(clock, 3)
  await t.throwsAsync(advanceUntil(clock, retry.run(often.call)), { message: 'failure 2' })
  t.is(often.calls.length, 3)
  const twice = flaky(clock, 2)
  t.is(await advanceUntil(clock, retry.run(twice.call)), 'well')
  t.is(twice.calls.length, 3)
})

test('waits double up to the longest, and no try comes before its time', async t => {
  const clock = new ManualClock()
  const backOff = { initial: 100, max: 300, jitter: 0 }
  const retry = new Retry({ retries: 4, backOff }, timersOf(clock))
  const { call, calls } = flaky(clock, 4)
  t.is(await advanceUntil(clock, retry.run(call)), 'well')
  const waits = calls.slice(1).map((at, i) => at - calls[i]!)
  for (const [i, least] of [100, 200, 300, 300].entries()) t.true(waits[i]! >= least)
})

test('jitter leaves out a share of each wait', async t => {
  const clock = new ManualClock()
  const waits: number[] = []
  const timers = {
    ...timersOf(clock),
    after: (ms: number, f: () => void) => {
      waits.push(ms)
      return clock.after(ms, f)
    },
  }
  const backOff = { initial: 100, jitter: 0.5 }
  const draws = [0, 0.5, 1]
  const retry = new Retry({ retries: 3, backOff }, timers, () => draws.shift()!)
  await advanceUntil(clock, retry.run(flaky(clock, 3).call))
  t.deepEqual(waits, [100, 150, 200])
})

test('only errors that are worth it are tried again', async t => {
  const clock = new ManualClock()
  const retry = new Retry({ retries: 3, when: error => error === 'again' }, timersOf(clock))
  let calls = 0
  const thrown = ['again', undefined, 'never asked for']
  const call = () => Promise.reject(thrown[calls++])
  const error = await advanceUntil(clock, retry.run(call)).then(
    () => t.fail(),
    error => error,
  )
  t.is(error, undefined)
  t.is(calls, 2)
})

test('what protects the origin is not asked again', async t => {
  const clock = new ManualClock()
  let calls = 0
  const call = () => {
    calls++
    throw new BreakerOpenError(1)
  }
  const retry = new Retry({ retries: 3 }, timersOf(clock))
  await t.throwsAsync(advanceUntil(clock, retry.run(call)), { code: 'ERR_BREAKER_OPEN' })
  t.is(calls, 1)
})

test('an abort ends the wait at once and leaves nothing behind', async t => {
  const clock = new ManualClock()
  const retry = new Retry({ retries: 3, backOff: { initial: '1h' } }, timersOf(clock))
  const { call, calls } = flaky(clock, 3)
  const controller = new AbortController()
  const result = retry.run(call, controller.signal)
  await setImmediate()
  const reason = new Error('no longer wanted')
  controller.abort(reason)
  t.is(await result.catch(error => error), reason)
  t.deepEqual(calls, [0])
})

test('an abort during a try makes it the last', async t => {
  const clock = new ManualClock()
  const retry = new Retry({ retries: 3 }, timersOf(clock))
  const controller = new AbortController()
  let calls = 0
  const call = async () => {
    calls++
    controller.abort()
    throw new Error('of the try')
  }
  await t.throwsAsync(retry.run(call, controller.signal), { message: 'of the try' })
  t.is(calls, 1)
})

test('nothing is tried when the signal has aborted before', async t => {
  const retry = new Retry({ retries: 3 }, timersOf(new ManualClock()))
  const error = await retry.run(() => t.fail('called'), AbortSignal.abort('why')).catch(e => e)
  t.is(error, 'why')
})

test('options that cannot be are named', t => {
  const bad: [unknown, string][] = [
    [{}, 'retry.retries'],
    [{ retries: -1 }, 'retry.retries'],
    [{ retries: Number.POSITIVE_INFINITY }, 'retry.retries'],
    [{ retries: 1, when: 'always' }, 'retry.when'],
    [{ retries: 1, backOff: 100 }, 'retry.backOff'],
    [{ retries: 1, backOff: { initial: 0 } }, 'retry.backOff.initial'],
    [{ retries: 1, backOff: { max: 'ever' } }, 'retry.backOff.max'],
    [{ retries: 1, backOff: { jitter: 2 } }, 'retry.backOff.jitter'],
    [{ retries: 1, tries: 1 }, 'retry.tries'],
    [3, 'retry'],
  ]
  for (const [options, option] of bad) {
    const error = t.throws(() => new Retry(options as RetryOptions, timersOf(undefined)), {
      instanceOf: InvalidOptionError,
    })
    t.is(error.option, option)
  }
})
