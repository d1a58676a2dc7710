// Flights as the native side does them: who leads, who waits, and what they are told.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { type CodecName, codingNamed } from '../../src/codec/codecs.ts'
import {
  ALONE,
  ALONE_HERE,
  type Fly,
  LEAD,
  LOST,
  OVERTAKEN,
  PASSED,
} from '../../src/native/mail.ts'
import { binding, flyers } from '../../src/native/native.ts'
import { State } from '../../src/native/port.ts'
import { start } from '../helpers/worker.ts'

const VALUE = 1
const FAILED = 7
const UNLESS_FRESH = 0

type Letter = [flight: number, kind: number, value: unknown]

/** What `open` takes, for a cache that instances anywhere in the process share. */
function optionsOf(name: string, codec: CodecName = 'string') {
  const { id, accepts } = codingNamed(codec)!
  const bounds = { max: 100, policy: 'lru', jitter: 0, near: 0, grace: 0 }
  return { ...bounds, name, codec, codecId: id, accepts }
}

/** An instance of a cache, and the mail that it got. */
function openInstance(t: ExecutionContext, name: string, codec?: CodecName) {
  const native = binding.open(optionsOf(name, codec))
  const at = native.number
  const letters: Letter[] = []
  const fly: Fly = (...letter) => letters.push(letter)
  flyers.set(at, new WeakRef(fly))
  // The cache is closed when `native` is collected, and mail is lost when `fly` is.
  const held = [native, fly]
  t.teardown(() => held.splice(0).length > 0 && binding.close(at))
  return {
    at,
    close: () => binding.close(at),
    join: (key = 'key') => binding.join(at, key, UNLESS_FRESH),
    /** What has come since the last call. */
    async mail() {
      await turn()
      await turn()
      return letters.splice(0)
    },
  }
}

test('the first leads, and an owner that comes again takes part once', async t => {
  const [a, b] = [openInstance(t, t.title), openInstance(t, t.title)]
  const flight = a.join()
  t.true(flight > 0)
  t.deepEqual([a.join(), b.join(), b.join()], [-flight, -flight, -flight])
  t.is(binding.land(a.at, flight, 'value', undefined, undefined), 1)
  t.deepEqual(await b.mail(), [[flight, VALUE, 'value']])
  t.deepEqual(await a.mail(), [])
  t.is(b.join(), 0)
  t.is(binding.land(a.at, flight, 'late', undefined, undefined), 0, 'a lease ends once')
  t.is(binding.get(a.at, 'key'), 'value')
})

test('what is given or failed is told and not stored', async t => {
  const [a, b] = [openInstance(t, t.title), openInstance(t, t.title)]
  const first = a.join()
  b.join()
  binding.give(a.at, first, 'given')
  const second = a.join()
  b.join()
  t.true(binding.fail(a.at, second, 'why: ☂'))
  t.deepEqual(await b.mail(), [
    [first, VALUE, 'given'],
    [second, FAILED, 'why: ☂'],
  ])
  t.is(binding.get(a.at, 'key'), undefined)
})

test('a write during a load keeps its value from the cache and not from who waits', async t => {
  const [a, b] = [openInstance(t, t.title), openInstance(t, t.title)]
  const old = a.join()
  b.join()
  binding.set(b.at, 'key', 'written')
  t.is(binding.land(a.at, old, 'loaded', undefined, undefined), 0)
  t.deepEqual(await b.mail(), [[old, VALUE, 'loaded']])
  t.is(binding.get(a.at, 'key'), 'written')
})

test('a leader is told when the last who waited has left, and ends the load then', async t => {
  const [a, b, c] = [1, 2, 3].map(() => openInstance(t, t.title)) as Instances
  const flight = a.join()
  b.join()
  c.join()
  binding.leave(b.at, flight)
  t.false(binding.leave(a.at, flight))
  t.deepEqual(await a.mail(), [])
  binding.leave(c.at, flight)
  binding.leave(c.at, flight)
  t.deepEqual(await a.mail(), [[flight, ALONE, undefined]])
  t.true(binding.leave(a.at, flight))
  t.true(b.join() > 0)
})

test('a load that is overdue is taken over once, however many have waited for it', async t => {
  const [a, b, c] = [1, 2, 3].map(() => openInstance(t, t.title)) as Instances
  const flight = a.join()
  b.join()
  c.join()
  // All lose patience before anybody reads mail.
  t.is(binding.overdue(c.at, flight), PASSED)
  for (const each of [b, a]) t.is(binding.overdue(each.at, flight), LOST)
  t.deepEqual(await a.mail(), [], 'it knows by its own call')
  t.deepEqual(await c.mail(), [])
  const [[, kind, lease]] = (await b.mail()) as [Letter]
  t.is(kind, LEAD)
  t.is(binding.land(a.at, flight, 'late', undefined, undefined), 0, 'its lease is over')
  t.is(binding.land(b.at, lease as number, 'value', undefined, undefined), 1)
  for (const each of [a, c]) t.deepEqual(await each.mail(), [[flight, VALUE, 'value']])
  t.is(binding.get(c.at, 'key'), 'value')
})

test('a leader that is overtaken hears of it, and leads again when its turn comes', async t => {
  const [a, b] = [openInstance(t, t.title), openInstance(t, t.title)]
  const flight = a.join()
  b.join()
  t.is(binding.overdue(b.at, flight), PASSED)
  t.deepEqual(await a.mail(), [[flight, OVERTAKEN, undefined]])
  const [[, lead, second]] = (await b.mail()) as [Letter]
  t.is(lead, LEAD)
  t.is(binding.handOver(b.at, flight, second as number), PASSED)
  const [[, kind, third]] = (await a.mail()) as [Letter]
  t.is(kind, LEAD)
  binding.give(a.at, third as number, 'value')
  t.deepEqual(await b.mail(), [[flight, VALUE, 'value']])
})

/** What who leads may do when it has lost its lease, and whether it waits for the other one then. */
const ends: Record<
  string,
  [end: (at: number, flight: number) => unknown, tells: unknown, waits: boolean]
> = {
  fail: [(at, flight) => binding.fail(at, flight, 'late'), false, true],
  'land an error': [
    (at, flight) => binding.land(at, flight, 'late', 1, undefined, State.ERROR),
    -1,
    true,
  ],
  handOver: [(at, flight) => binding.handOver(at, flight, flight), LOST, true],
  overdue: [(at, flight) => binding.overdue(at, flight), LOST, true],
  land: [(at, flight) => binding.land(at, flight, 'late', undefined, undefined), 0, false],
  give: [(at, flight) => binding.give(at, flight, 'late'), undefined, false],
  leave: [(at, flight) => binding.leave(at, flight), true, false],
}

for (const [name, [act, tells, waits]] of Object.entries(ends)) {
  for (const isOver of [false, true]) {
    const when = isOver ? 'and whose heir has answered' : 'and has not heard of it'
    test.serial(`a leader who lost its lease ${when} is told so: ${name}`, async t => {
      t.timeout(120_000)
      const a = openInstance(t, t.title)
      const gate = new Int32Array(new SharedArrayBuffer(4))
      const heir = startHeir(optionsOf(t.title), gate, isOver)
      const end = once(heir, 'exit')
      t.teardown(() => heir.terminate())
      t.is(await next(heir), 'here')
      // No mail is read from here on until it ends.
      const flight = a.join()
      pass(gate, JOIN)
      Atomics.wait(gate, 0, JOIN)
      t.is(act(a.at, flight), tells)
      pass(gate, ENDED)
      const [isAwaited] = (await next(heir)) as [boolean]
      await end
      t.is(isAwaited, isOver || waits, 'the heir loads for who waits')
      t.deepEqual(await a.mail(), isAwaited ? [[flight, VALUE, 'value']] : [])
    })
  }
}

test('a load that is overdue and whose key another one loads has nothing to wait for', t => {
  for (const end of ['fail', 'handOver', 'overdue'] as const) {
    const [a, b] = [openInstance(t, `${t.title} ${end}`), openInstance(t, `${t.title} ${end}`)]
    const flight = a.join()
    t.is(binding.overdue(a.at, flight), ALONE_HERE)
    t.true(b.join() > 0)
    if (end === 'fail') t.true(binding.fail(a.at, flight, 'late'))
    else if (end === 'handOver') t.is(binding.handOver(a.at, flight, flight), ALONE_HERE)
    else t.is(binding.overdue(a.at, flight), ALONE_HERE)
  }
})

test('who hears too late that it leads does not: another one does', async t => {
  const [a, b, c] = [1, 2, 3].map(() => openInstance(t, t.title)) as Instances
  const flight = a.join()
  b.join()
  c.join()
  t.is(binding.handOver(a.at, flight, flight), PASSED)
  // B leads and does not know it yet when C loses patience, twice: once with A, once with B.
  t.is(binding.overdue(c.at, flight), LOST)
  t.is(binding.overdue(c.at, flight), PASSED)
  const [[, kind, lease]] = (await c.mail()) as [Letter]
  t.is(kind, LEAD)
  t.deepEqual(await b.mail(), [])
  binding.give(c.at, lease as number, 'value')
  for (const each of [a, b]) t.deepEqual(await each.mail(), [[flight, VALUE, 'value']])
})

test('who led once gives away nothing of its later lease', async t => {
  const [a, b] = [openInstance(t, t.title), openInstance(t, t.title)]
  const flight = a.join()
  b.join()
  t.is(binding.handOver(a.at, flight, flight), PASSED)
  const [[, , second]] = (await b.mail()) as [Letter]
  t.is(binding.handOver(b.at, flight, second as number), PASSED)
  const [[, kind, third]] = (await a.mail()) as [Letter]
  t.is(kind, LEAD)
  t.is(binding.handOver(a.at, flight, flight), LOST)
  t.true(binding.mayStore(a.at, third as number))
  binding.give(a.at, third as number, 'value')
  t.deepEqual(await b.mail(), [[flight, VALUE, 'value']])
})

test('a flight that nobody waits for ends when its leader gives it away', async t => {
  const [a, b] = [openInstance(t, t.title), openInstance(t, t.title)]
  const flight = a.join()
  t.is(binding.handOver(a.at, flight, flight), ALONE_HERE)
  t.true(b.join() > 0)
  t.is(binding.land(a.at, flight, 'late', undefined, undefined), 0)
})

test('an instance that is closed leads and waits no more', async t => {
  const [a, b, c] = [1, 2, 3].map(() => openInstance(t, t.title)) as Instances
  const led = a.join('led')
  b.join('led')
  c.join('led')
  const waited = b.join('waited')
  a.join('waited')
  a.close()
  const [[flight, kind, lease], alone] = (await b.mail()) as [Letter, Letter]
  t.deepEqual([flight, kind], [led, LEAD])
  t.deepEqual(alone, [waited, ALONE, undefined])
  t.true(binding.leave(b.at, waited))
  t.is(binding.land(b.at, lease as number, 'value', undefined, undefined), 1)
  t.deepEqual(await c.mail(), [[led, VALUE, 'value']])
  t.throws(() => a.join(), { code: 'ERR_CACHE_CLOSED' })
})

const values: [codec: CodecName, value: unknown][] = [
  ['string', ''],
  ['string', 'one byte: é'],
  ['string', 'two bytes: ☂ \ud800'],
  ['string', 'x'.repeat(1_000_000)],
  ['string', '☂'.repeat(500_000)],
  ['number', -0.1],
  ['number', Number.NaN],
  ['bytes', Buffer.alloc(0)],
  ['bytes', Buffer.from([0, 255, 1])],
  ['bytes', Buffer.alloc(1_000_000, 7)],
]

test('values of every kind reach another thread as they are', async t => {
  const leaders = values.map(([codec], i) => openInstance(t, `${t.title} ${i}`, codec))
  const flights = leaders.map(leader => leader.join())
  const worker = startWaiting(values.map(([codec], i) => optionsOf(`${t.title} ${i}`, codec)))
  const end = once(worker, 'exit')
  t.deepEqual(await next(worker), flights)
  for (const [i, [, value]] of values.entries()) {
    t.is(binding.land(leaders[i]!.at, flights[i]!, value, undefined, undefined), 1)
    const [which, , kind, got] = (await next(worker)) as [number, ...Letter]
    t.deepEqual([which, kind], [i, VALUE])
    t.deepEqual(typeof value === 'object' ? Buffer.from(got as Uint8Array) : got, value)
  }
  await end
})

test('a thread that is terminated while it waits leaves its leader alone', async t => {
  const leader = openInstance(t, t.title)
  const flight = leader.join()
  const worker = startWaiting([optionsOf(t.title)])
  t.deepEqual(await next(worker), [flight])
  t.false(binding.leave(leader.at, flight))
  await worker.terminate()
  t.deepEqual(await leader.mail(), [[flight, ALONE, undefined]])
  t.true(binding.leave(leader.at, flight))
})

test('a thread that waits ends by itself once its instance is closed', async t => {
  const leader = openInstance(t, t.title)
  const flight = leader.join()
  const worker = startWaiting([optionsOf(t.title)], 'close')
  const end = once(worker, 'exit')
  t.deepEqual(await next(worker), [flight])
  await end
  t.true(binding.leave(leader.at, flight))
})

/** What this thread says to the other one at a gate; in between that one says 2. */
const JOIN = 1
const ENDED = 3

function pass(gate: Int32Array, what: number): void {
  Atomics.store(gate, 0, what)
  Atomics.notify(gate, 0)
}

/** A thread that takes a flight over, and answers it before or after its leader ends it. */
function startHeir(options: object, gate: Int32Array, answersFirst: boolean): Worker {
  return start(
    async ({ native: { binding, flyers }, port, data: { options, gate, answersFirst } }) => {
      const LEADS = 2
      const native = binding.open(options)
      const at = native.number
      const turn = new Promise<number>(resolve => {
        const fly: Fly = (_, kind, value) => kind === 8 && resolve(value as number)
        flyers.set(at, new WeakRef(fly))
        Object.assign(globalThis, { held: [native, fly] })
      })
      port.postMessage('here')
      const pass = (what: number) => {
        Atomics.store(gate, 0, what)
        Atomics.notify(gate, 0)
      }
      const answer = async () => {
        const lease = await turn
        // Who answers first cannot know.
        const isAwaited = answersFirst || !binding.leave(at, flight)
        if (isAwaited) binding.give(at, lease, 'value')
        return isAwaited
      }
      Atomics.wait(gate, 0, 0)
      const flight = -binding.join(at, 'key', 0)
      binding.overdue(at, flight)
      const isAwaited = answersFirst && (await answer())
      pass(LEADS)
      Atomics.wait(gate, 0, LEADS)
      const was = isAwaited || (await answer())
      binding.close(at)
      return [was]
    },
    { options, gate, answersFirst },
  )
}

type Instances = [
  ReturnType<typeof openInstance>,
  ReturnType<typeof openInstance>,
  ReturnType<typeof openInstance>,
]

async function next(worker: Worker): Promise<unknown> {
  const [message] = await once(worker, 'message')
  return message.value ?? message
}

/** A thread that waits for 'key' in each cache, says for which flights, and then what came of them. */
function startWaiting(caches: object[], then: 'read' | 'close' = 'read'): Worker {
  return start(
    ({ native: { binding, flyers }, port, data: { caches, then } }) => {
      const held: unknown[] = []
      Object.assign(globalThis, { held })
      return caches.map((options, i) => {
        const native = binding.open(options)
        const fly: Fly = (...letter) => port.postMessage([i, ...letter])
        flyers.set(native.number, new WeakRef(fly))
        held.push(native, fly)
        const flight = -binding.join(native.number, 'key', 0)
        if (then === 'close') binding.close(native.number)
        return flight
      })
    },
    { caches, then },
  )
}
