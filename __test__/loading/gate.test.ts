import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { Awaited } from '../../src/base/awaited.ts'
import { InvalidOptionError } from '../../src/base/errors.ts'
import { Gate, type GateOptions } from '../../src/guard/gate.ts'
import { ManualClock } from '../../src/testing.ts'
import { random } from '../helpers/random.ts'
import { countedTimers } from '../helpers/timers.ts'

function setUp(options: GateOptions) {
  const clock = new ManualClock()
  const timers = countedTimers(clock)
  return { clock, timers, gate: new Gate(options, timers) }
}

/** Loads that a test ends. */
function loads() {
  const started: string[] = []
  const ends = new Map<string, (error?: unknown) => void>()
  const load = (name: string) => () =>
    new Promise<string>((resolve, reject) => {
      started.push(name)
      ends.set(name, error => (error === undefined ? resolve(name) : reject(error)))
    })
  return { started, load, end: (name: string, error?: unknown) => ends.get(name)!(error) }
}

test('no more loads run at once than allowed, the others in the order in which they came', async t => {
  const { gate } = setUp({ concurrency: 2 })
  const { started, load, end } = loads()
  const results = ['a', 'b', 'c', 'd', 'e'].map(name => gate.run(load(name)))
  await setImmediate()
  t.deepEqual(started, ['a', 'b'])
  t.is(gate.waiting, 3)
  end('b')
  await setImmediate()
  t.deepEqual(started, ['a', 'b', 'c'])
  end('a')
  end('c')
  await setImmediate()
  t.deepEqual(started, ['a', 'b', 'c', 'd', 'e'])
  end('d')
  end('e')
  t.deepEqual(await Promise.all(results), ['a', 'b', 'c', 'd', 'e'])
  t.deepEqual([gate.active, gate.waiting], [0, 0])
})

test('a load that fails, at once or later, gives its place back', async t => {
  const { gate } = setUp({ concurrency: 1 })
  const throws = () => {
    throw undefined
  }
  const first = gate.run(throws).catch(error => ({ error }))
  const second = gate.run(() => Promise.reject('text')).catch(error => error)
  const third = gate.run(() => 'value')
  t.deepEqual(await Promise.all([first, second, third]), [{ error: undefined }, 'text', 'value'])
})

test('whoever finds the queue full is refused at once', async t => {
  const { gate } = setUp({ concurrency: 1, queue: 1 })
  const { load, end } = loads()
  const running = gate.run(load('a'))
  const waiting = gate.run(() => 'b')
  await t.throwsAsync(
    gate.run(() => t.fail()),
    {
      code: 'ERR_ORIGIN_BUSY',
      message: 'the origin is busy and 1 loads wait for it already',
    },
  )
  end('a')
  t.deepEqual(await Promise.all([running, waiting]), ['a', 'b'])
})

test('a queue of none refuses what may not go at once', async t => {
  const { gate } = setUp({ concurrency: 1, queue: 0 })
  const { load, end } = loads()
  const running = gate.run(load('a'))
  await t.throwsAsync(
    gate.run(() => t.fail()),
    { code: 'ERR_ORIGIN_BUSY' },
  )
  end('a')
  await running
  t.is(await gate.run(() => 'b'), 'b')
})

test('a thousand may wait by default', async t => {
  const { gate } = setUp({ concurrency: 1 })
  const { load, end } = loads()
  const all = [gate.run(load('a'))]
  for (let i = 0; i < 1000; i++) all.push(gate.run(() => 'later'))
  await t.throwsAsync(
    gate.run(() => t.fail()),
    { code: 'ERR_ORIGIN_BUSY' },
  )
  end('a')
  t.is((await Promise.all(all)).length, 1001)
})

test('an abort takes a waiting load out of the queue and leaves a running one alone', async t => {
  const { gate } = setUp({ concurrency: 1, queue: 1 })
  const { load, end } = loads()
  const [first, second] = [new AbortController(), new AbortController()]
  const running = gate.run(load('a'), { signal: first.signal })
  const waiting = gate.run(() => t.fail(), { signal: second.signal })
  first.abort()
  second.abort('unwanted')
  t.is(await waiting.catch(error => error), 'unwanted')
  t.is(gate.waiting, 0)
  const next = gate.run(() => 'b')
  end('a')
  t.deepEqual(await Promise.all([running, next]), ['a', 'b'])
  t.is(await gate.run(() => t.fail(), { signal: second.signal }).catch(e => e), 'unwanted')
})

test('a load that is aborted in the moment it may go is not called', async t => {
  // The moment is some turns of the microtask queue wide: every one of them is tried.
  const outcomes = new Set<unknown>()
  for (let turns = 0; turns < 12; turns++) {
    const { gate } = setUp({ concurrency: 1 })
    const { load, end } = loads()
    const controller = new AbortController()
    const { signal } = controller
    const running = gate.run(load('a'))
    const waiting = gate.run(() => t.false(signal.aborted), { signal }).catch(error => error)
    await setImmediate()
    end('a')
    for (let i = 0; i < turns; i++) await null
    controller.abort('late')
    outcomes.add(await waiting)
    await running
    t.is(gate.active, 0)
  }
  t.deepEqual(outcomes, new Set(['late', true]))
})

test('urgent loads go before others and take their places in a full queue', async t => {
  const { gate } = setUp({ concurrency: 1, queue: 2 })
  const { started, load, end } = loads()
  const running = gate.run(load('a'))
  const patient = gate.run(load('patient'))
  const displaced = gate.run(() => t.fail())
  const urgent = gate.run(load('urgent'), { awaited: new Awaited(true) })
  await t.throwsAsync(displaced, { code: 'ERR_ORIGIN_BUSY' })
  const more = gate.run(load('more'), { awaited: new Awaited(true) })
  await t.throwsAsync(patient, { code: 'ERR_ORIGIN_BUSY' })
  await t.throwsAsync(gate.run(load('none'), { awaited: new Awaited(true) }), {
    code: 'ERR_ORIGIN_BUSY',
  })
  for (const name of ['a', 'urgent', 'more']) {
    end(name)
    await setImmediate()
  }
  await Promise.all([running, urgent, more])
  t.deepEqual(started, ['a', 'urgent', 'more'])
})

test('a load becomes urgent when somebody begins to wait for it, and is no longer when all have left', async t => {
  const { gate } = setUp({ concurrency: 1, queue: 3 })
  const { started, load, end } = loads()
  const [refresh, wanted] = [new Awaited(), new Awaited(true)]
  const running = gate.run(load('a'))
  const others = ['b', 'refresh', 'wanted'].map((name, i) =>
    gate.run(load(name), { awaited: [undefined, refresh, wanted][i] }),
  )
  refresh.isOn = true
  wanted.isOn = false
  // It takes the place of the last for which nobody waits.
  const urgent = gate.run(load('urgent'), { awaited: new Awaited(true) })
  await t.throwsAsync(others[2]!, { code: 'ERR_ORIGIN_BUSY' })
  for (const name of ['a', 'refresh', 'urgent', 'b']) {
    end(name)
    await setImmediate()
  }
  await Promise.all([running, others[0], others[1], urgent])
  t.deepEqual(started, ['a', 'refresh', 'urgent', 'b'])
})

test('no more loads begin in a time than allowed; what was not used may be used later', async t => {
  const { gate, clock, timers } = setUp({ rate: { limit: 4, per: '1s' } })
  const begun: number[] = []
  const begin = () => gate.run(() => begun.push(clock.now))
  const all = Array.from({ length: 10 }, begin)
  await setImmediate()
  t.deepEqual(begun, [0, 0, 0, 0])
  for (let i = 0; i < 6; i++) {
    t.is(timers.waiting, 1)
    clock.advance(250)
    await setImmediate()
  }
  await Promise.all(all)
  t.deepEqual(begun.slice(4), [250, 500, 750, 1000, 1250, 1500])
  t.is(timers.waiting, 0)
  clock.advance('1h')
  begun.length = 0
  const later = Array.from({ length: 5 }, begin)
  await setImmediate()
  t.is(begun.length, 4)
  clock.advance(250)
  await Promise.all(later)
})

test('no timer is left when the last that waited for one is aborted', async t => {
  const { gate, timers } = setUp({ rate: { limit: 1, per: '1s' } })
  await gate.run(() => 'a')
  const controller = new AbortController()
  const waiting = gate.run(() => t.fail(), { signal: controller.signal })
  t.is(timers.waiting, 1)
  controller.abort('unwanted')
  t.is(await waiting.catch(error => error), 'unwanted')
  t.is(timers.waiting, 0)
})

test('closing refuses what waits', async t => {
  const { gate, timers } = setUp({ concurrency: 1, rate: { limit: 1, per: 1000 } })
  const { load, end } = loads()
  const running = gate.run(load('a'))
  const waiting = ['b', 'c'].map(() => gate.run(() => t.fail()).catch(error => error))
  gate.close('closed')
  t.deepEqual(await Promise.all(waiting), ['closed', 'closed'])
  end('a')
  t.is(await running, 'a')
  t.is(timers.waiting, 0)
})

test('whatever comes, ends and is aborted: bounds hold, order is kept, nobody is forgotten', async t => {
  for (let seed = 1; seed <= 300; seed++) {
    const draw = random(seed)
    const upTo = (n: number) => Math.floor(draw() * n)
    const concurrency = draw() < 0.3 ? Number.POSITIVE_INFINITY : 1 + upTo(4)
    const rate = draw() < 0.3 ? undefined : { limit: 1 + upTo(5), per: 1 + upTo(50) }
    const { gate, clock, timers } = setUp({ concurrency, rate, queue: upTo(8) })
    const running = new Map<number, () => void>()
    const begun: { id: number; at: number }[] = []
    const aborts = new Map<number, AbortController>()
    const results: Promise<unknown>[] = []
    const settled = new Set<number>()
    for (let id = 0; id < 60; id++) {
      const choice = draw()
      if (choice < 0.5) {
        const controller = new AbortController()
        aborts.set(id, controller)
        const load = () =>
          new Promise<void>((resolve, reject) => {
            begun.push({ id, at: clock.now })
            running.set(id, draw() < 0.5 ? resolve : reject)
          })
        const end = () => settled.add(id)
        results.push(gate.run(load, { signal: controller.signal }).then(end, end))
      } else if (choice < 0.7) {
        const [first] = [...running].slice(upTo(running.size))
        first?.[1]()
        if (first) running.delete(first[0])
      } else if (choice < 0.8) {
        const [, controller] = [...aborts][upTo(aborts.size)] ?? []
        controller?.abort()
      } else {
        for (let ms = upTo(20); ms >= 0; ms--) {
          clock.advance(1)
          await setImmediate()
        }
      }
      await setImmediate()
      t.true(gate.active <= concurrency)
      t.is(gate.active, running.size)
      const awaitsToken = gate.waiting > 0 && gate.active < concurrency
      if (awaitsToken) t.is(timers.waiting, 1)
      if (gate.waiting === 0) t.is(timers.waiting, 0)
    }
    while (settled.size < results.length) {
      for (const [id, end] of running) {
        running.delete(id)
        end()
      }
      await setImmediate()
      clock.advance(1)
      await setImmediate()
    }
    const ids = begun.map(({ id }) => id)
    t.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
      `seed ${seed}`,
    )
    if (rate === undefined) continue
    for (const [i, { at: from }] of begun.entries()) {
      for (const [n, { at: to }] of begun.slice(i).entries()) {
        t.true(n + 1 <= rate.limit + 1e-3 + ((to - from) * rate.limit) / rate.per, `seed ${seed}`)
      }
    }
  }
})

test('options that cannot be are named', t => {
  const bad: [unknown, string][] = [
    [{ concurrency: 0 }, 'origin.concurrency'],
    [{ concurrency: '4' }, 'origin.concurrency'],
    [{ queue: -1 }, 'origin.queue'],
    [{ rate: 10 }, 'origin.rate'],
    [{ rate: { limit: 10 } }, 'origin.rate.per'],
    [{ rate: { per: '1s' } }, 'origin.rate.limit'],
    [{ rate: { limit: 0.5, per: '1s' } }, 'origin.rate.limit'],
    [{ rate: { limit: 1, per: '1s', burst: 1 } }, 'origin.rate.burst'],
  ]
  for (const [options, option] of bad) {
    const error = t.throws(() => setUp(options as GateOptions), { instanceOf: InvalidOptionError })
    t.is(error.option, option)
  }
})
