// Loads that take longer than `lockTimeout`: what they bring is not lost, and nobody waits in vain.
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Cache } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

interface Pending {
  by: string
  signal: AbortSignal
  end(value: string): void
  fail(error: Error): void
}

let names = 0

function instances(count: number, options: object = {}) {
  const clock = new ManualClock()
  const loads: Pending[] = []
  const name = `overdue ${++names}`
  const caches = Array.from({ length: count }, (_, i) => {
    const loader = (_: string, load: { signal: AbortSignal }) =>
      new Promise<string>((end, fail) =>
        loads.push({ by: 'abc'[i]!, signal: load.signal, end, fail }),
      )
    return new Cache<string, string>({
      name,
      max: 10,
      clock,
      lockTimeout: '10s',
      loader,
      ...options,
    })
  })
  return { caches, loads, clock }
}

async function mail(): Promise<void> {
  for (let i = 0; i < 4; i++) await turn()
}

for (const first of [0, 1]) {
  test(`who asks while two loads are under way is answered, whichever ends first: ${first}`, async t => {
    const { caches, loads, clock } = instances(1)
    const cache = caches[0]!
    const both = [cache.fetch('a'), cache.fetch('a')]
    clock.advance('10s')
    t.is(loads.length, 2)
    loads[first]!.end('first')
    t.deepEqual(await Promise.all(both), ['first', 'first'])
    const third = cache.fetch('a')
    if (first === 0) loads[1]!.end('second')
    t.is(await third, first === 0 ? 'second' : 'first')
    await mail()
    t.is(cache.get('a'), first === 0 ? 'second' : 'first')
    await cache.close()
  })
}

test('a load that nobody else waited for is kept, however late it ends', async t => {
  const { caches, loads, clock } = instances(2)
  const value = caches[0]!.fetch('a')
  clock.advance('25s')
  loads[0]!.end('late')
  t.is(await value, 'late')
  t.is(caches[1]!.get('a'), 'late')
  // What was written meanwhile is newer.
  const other = caches[0]!.fetch('b')
  clock.advance('25s')
  caches[1]!.delete('b')
  loads[1]!.end('old')
  t.is(await other, 'old')
  t.is(caches[1]!.get('b'), undefined)
  for (const cache of caches) await cache.close()
})

test('who asks for what is overdue elsewhere loads at once, and the late load keeps its hands off', async t => {
  const { caches, loads, clock } = instances(2)
  const late = caches[0]!.fetch('a')
  clock.advance('10s')
  const next = caches[1]!.fetch('a')
  t.is(loads.map(load => load.by).join(''), 'ab')
  loads[0]!.end('late')
  t.is(await late, 'late')
  t.is(caches[0]!.get('a'), undefined)
  loads[1]!.end('next')
  t.is(await next, 'next')
  t.is(caches[0]!.get('a'), 'next')
  for (const cache of caches) await cache.close()
})

test('a load that was killed and taken over does not answer who asked after the write', async t => {
  const { caches, loads, clock } = instances(2)
  const [before, elsewhere] = [caches[0]!.fetch('a'), caches[1]!.fetch('a')]
  caches[1]!.delete('a')
  clock.advance('10s')
  await mail()
  t.is(loads.map(load => load.by).join(''), 'ab')
  const after = caches[0]!.fetch('a')
  loads[0]!.end('old')
  t.is(await before, 'old')
  loads[1]!.end('new')
  t.deepEqual(await Promise.all([elsewhere, after]), ['new', 'new'])
  t.is(caches[0]!.get('a'), 'new')
  for (const cache of caches) await cache.close()
})

test('a loader is told when another load answered all who waited for it', async t => {
  const { caches, loads, clock } = instances(1)
  const all = [caches[0]!.fetch('a'), caches[0]!.fetch('a')]
  clock.advance('10s')
  loads[1]!.end('second')
  t.deepEqual(await Promise.all(all), ['second', 'second'])
  t.true(loads[0]!.signal.aborted)
  await caches[0]!.close()
})

test('of two loads of a key one may fail', async t => {
  for (const failing of [0, 1]) {
    const { caches, loads, clock } = instances(1)
    const all = [caches[0]!.fetch('a'), caches[0]!.fetch('a')]
    clock.advance('10s')
    loads[failing]!.fail(new Error('one'))
    await mail()
    loads[1 - failing]!.end('value')
    const results = await Promise.allSettled(all)
    // The load that has the lease answers for all.
    if (failing === 0)
      t.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'fulfilled'],
      )
    else t.pass()
    await caches[0]!.close()
  }
})

test('what takes too long for a caller is kept although another load took its place', async t => {
  const { caches, loads, clock } = instances(1, { staleIfError: '1h', ttl: '1s' })
  const cache = caches[0]!
  cache.set('a', 'stale')
  clock.advance('2s')
  const leaves = new AbortController()
  const patient = cache.fetch('a', { signal: leaves.signal })
  const soft = cache.fetch('a', { softTimeout: '15s' })
  clock.advance('10s')
  t.is(loads.length, 2)
  clock.advance('5s')
  t.is(await soft, 'stale')
  leaves.abort(new Error('left'))
  await t.throwsAsync(patient, { message: 'left' })
  t.false(loads[1]!.signal.aborted)
  loads[1]!.end('new')
  await mail()
  t.is(cache.get('a'), 'new')
  await cache.close()
})

const ends: Record<string, (load: Pending) => void> = {
  'brings a value': load => load.end('late'),
  fails: load => load.fail(new Error('late')),
  'has nothing': load => load.end(undefined as unknown as string),
}
for (const [how, end] of Object.entries(ends)) {
  test(`a load that lost its lease ends nothing of a later one: it ${how}`, async t => {
    const { caches, loads, clock } = instances(2, { leaderError: 'next' })
    // It goes on for the cache, until another one is to load in its place.
    const impatient = t.throwsAsync(caches[0]!.fetch('a', { timeout: '5s' }))
    const elsewhere = t.throwsAsync(caches[1]!.fetch('a'), { message: 'second' })
    clock.advance('10s')
    await mail()
    t.is(loads.map(load => load.by).join(''), 'ab')
    t.true(loads[0]!.signal.aborted)
    const again = caches[0]!.fetch('a')
    loads[1]!.fail(new Error('second'))
    await Promise.all([impatient, elsewhere, mail()])
    const last = caches[1]!.fetch('a')
    end(loads[0]!)
    await mail()
    t.is(loads.map(load => load.by).join(''), 'aba')
    loads[2]!.end('third')
    t.deepEqual(await Promise.all([again, last]), ['third', 'third'])
    t.is(caches[1]!.get('a'), 'third')
    for (const cache of caches) await cache.close()
  })
}
