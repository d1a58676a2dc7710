import test from 'ava'
import { BreakerOpenError, InvalidOptionError, OriginBusyError } from '../../src/base/errors.ts'
import { timersOf } from '../../src/base/timers.ts'
import { Breaker, type BreakerOptions, type BreakerState } from '../../src/guard/breaker.ts'
import { ManualClock } from '../../src/testing.ts'

const sick = new Error('sick')
const fails = () => Promise.reject(sick)
const answers = () => Promise.resolve('well')

function setUp(options?: BreakerOptions) {
  const clock = new ManualClock()
  const states: BreakerState[] = []
  const breaker = new Breaker(options, timersOf(clock), state => states.push(state))
  return { clock, states, breaker }
}

/** Runs a call and gives what it came to. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  return call.catch(error => error)
}

async function open(breaker: Breaker, failures: number): Promise<void> {
  for (let i = 0; i < failures; i++) await outcome(breaker.run(fails))
}

test('it opens after so many failures in a row and refuses without calling', async t => {
  const { breaker, states } = setUp({ failures: 3 })
  await open(breaker, 2)
  t.is(await breaker.run(answers), 'well')
  await open(breaker, 2)
  t.is(breaker.state, 'closed')
  t.is(await outcome(breaker.run(fails)), sick)
  t.is(breaker.state, 'open')
  const error = await t.throwsAsync(breaker.run(() => t.fail('called')))
  t.true(error instanceof BreakerOpenError)
  t.like(error, { code: 'ERR_BREAKER_OPEN', retryAfter: 5000 })
  t.deepEqual(states, ['open'])
})

test('by default it opens after five failures and tries again after five seconds', async t => {
  const { breaker, clock } = setUp()
  await open(breaker, 4)
  t.is(breaker.state, 'closed')
  await open(breaker, 1)
  t.is(breaker.state, 'open')
  clock.advance(4999)
  t.true(breaker.refuses)
  clock.advance(1)
  t.false(breaker.refuses)
})

test('after a while one call tries, and its success closes it', async t => {
  const { breaker, clock, states } = setUp({ failures: 1, halfOpenAfter: '10s' })
  await open(breaker, 1)
  clock.advance('10s')
  let finish = (_: string) => {}
  const trial = breaker.run(() => new Promise<string>(resolve => (finish = resolve)))
  t.is(breaker.state, 'half-open')
  t.like(await outcome(breaker.run(answers)), { code: 'ERR_BREAKER_OPEN', retryAfter: 0 })
  finish('well again')
  t.is(await trial, 'well again')
  t.is(breaker.state, 'closed')
  t.is(await breaker.run(answers), 'well')
  t.deepEqual(states, ['open', 'half-open', 'closed'])
})

test('a trial that fails opens it for as long again', async t => {
  const { breaker, clock, states } = setUp({ failures: 1, halfOpenAfter: 100 })
  await open(breaker, 1)
  for (let i = 0; i < 3; i++) {
    clock.advance(99)
    t.like(await outcome(breaker.run(answers)), { code: 'ERR_BREAKER_OPEN', retryAfter: 1 })
    clock.advance(1)
    t.is(await outcome(breaker.run(fails)), sick)
  }
  t.deepEqual(states, ['open', 'half-open', 'open', 'half-open', 'open', 'half-open', 'open'])
})

test('a trial that never settles does not hold up the next one', async t => {
  const { breaker, clock } = setUp({ failures: 1, halfOpenAfter: 100 })
  await open(breaker, 1)
  clock.advance(100)
  let finish = (_: string) => {}
  const hanging = breaker.run(() => new Promise<string>(resolve => (finish = resolve)))
  clock.advance(100)
  while (breaker.state === 'half-open') await null
  t.true(breaker.refuses)
  clock.advance(100)
  t.is(await breaker.run(answers), 'well')
  t.is(breaker.state, 'closed')
  finish('late')
  t.is(await hanging, 'late')
})

test('a function that calls the breaker again from inside a trial is refused', async t => {
  const { breaker, clock } = setUp({ failures: 1, halfOpenAfter: 100 })
  await open(breaker, 1)
  clock.advance(100)
  let inner: Promise<unknown> | undefined
  await breaker.run(() => {
    inner = outcome(breaker.run(answers))
    return 'outer'
  })
  t.like(await inner, { code: 'ERR_BREAKER_OPEN' })
  t.is(breaker.state, 'closed')
})

test('what is thrown need not be an error, nor be thrown later', async t => {
  const { breaker } = setUp({ failures: 3 })
  for (const thrown of [undefined, null, 'text']) {
    const caught = await breaker
      .run(() => {
        throw thrown
      })
      .then(
        () => t.fail('no error'),
        error => ({ error }),
      )
    t.deepEqual(caught, { error: thrown })
  }
  t.is(breaker.state, 'open')
})

test('failures of calls that were aborted, or never reached the origin, count neither way', async t => {
  const { breaker, clock } = setUp({ failures: 2, halfOpenAfter: 100 })
  const aborted = AbortSignal.abort()
  await open(breaker, 1)
  t.is(await outcome(breaker.run(fails, aborted)), sick)
  await outcome(breaker.run(() => Promise.reject(new OriginBusyError(1))))
  t.is(breaker.state, 'closed')
  await open(breaker, 1)
  t.is(breaker.state, 'open')
  clock.advance(100)
  t.is(await outcome(breaker.run(fails, aborted)), sick)
  t.is(breaker.state, 'open')
  t.is(await breaker.run(answers), 'well')
  t.is(breaker.state, 'closed')
})

test('errors that are answers keep it closed', async t => {
  const { breaker } = setUp({ failures: 1, isFailure: error => error !== 'no such user' })
  t.is(await outcome(breaker.run(() => Promise.reject('no such user'))), 'no such user')
  t.is(breaker.state, 'closed')
  await open(breaker, 1)
  t.is(breaker.state, 'open')
})

test('calls that began before it opened settle as they do and change nothing', async t => {
  const { breaker, clock, states } = setUp({ failures: 1, halfOpenAfter: 100 })
  const finish: (() => void)[] = []
  const early = [0, 1, 2].map(n =>
    breaker.run(() => new Promise<number>(resolve => finish.push(() => resolve(n)))),
  )
  await open(breaker, 1)
  finish[0]!()
  t.is(await early[0], 0)
  t.is(breaker.state, 'open')
  clock.advance(100)
  finish[1]!()
  t.is(await early[1], 1)
  t.is(breaker.state, 'open')
  t.is(await breaker.run(answers), 'well')
  finish[2]!()
  t.is(await early[2], 2)
  t.deepEqual(states, ['open', 'half-open', 'closed'])
})

test('options that cannot be are named', t => {
  const bad: [unknown, string][] = [
    [{ failures: 0 }, 'breaker.failures'],
    [{ failures: 1.5 }, 'breaker.failures'],
    [{ halfOpenAfter: 'soon' }, 'breaker.halfOpenAfter'],
    [{ halfOpenAfter: Number.POSITIVE_INFINITY }, 'breaker.halfOpenAfter'],
    [{ isFailure: 1 }, 'breaker.isFailure'],
    [{ failure: 1 }, 'breaker.failure'],
    [true, 'breaker'],
    [null, 'breaker'],
  ]
  for (const [options, option] of bad) {
    const error = t.throws(() => setUp(options as BreakerOptions), {
      instanceOf: InvalidOptionError,
    })
    t.is(error.option, option)
  }
})
