// What a session remembers of its questions, by which another thread's removal finds what it has to take
// along.
import test from 'ava'
import { processClock } from '../../src/base/process-clock.ts'
import type { TierHost } from '../../src/index.ts'
import { Recent } from '../../src/tier/redis/session/recent.ts'

/** What is remembered, by a clock that stands until it is moved. */
function remembering() {
  const clock = { now: 1_000_000 }
  const timers = { now: () => clock.now, after: () => () => {} }
  return { clock, recent: new Recent({ timers } as unknown as TierHost) }
}

test('the last question for a key is found, and none that was in vain', t => {
  const { recent } = remembering()
  const since = processClock()
  const first = recent.ask('a')
  t.is(recent.find('a', since), first)
  const second = recent.ask('a')
  t.is(recent.find('a', since), second)
  t.is(recent.find('b', since), undefined)
  recent.drop(second)
  t.is(recent.find('a', since), undefined)
  t.deepEqual([...recent.all(since)], [])
})

test('a question is found only by what was asked for before it, or just before', t => {
  const { recent } = remembering()
  recent.ask('a')
  t.is(recent.find('a', processClock() + 1_000_000), undefined)
  t.is([...recent.all(processClock() + 1_000_000)].length, 0)
})

test('a key of bytes is remembered as it was asked for, whatever becomes of the bytes', t => {
  const { recent } = remembering()
  const since = processClock()
  const key = Buffer.from('abc')
  recent.ask(key)
  key.fill(0)
  t.deepEqual(recent.find(Buffer.from('abc'), since)?.key, new Uint8Array(Buffer.from('abc')))
  t.is(recent.find(key, since), undefined)
})

test('questions are remembered for five seconds, and forgotten after ten more', t => {
  const { clock, recent } = remembering()
  const since = processClock()
  recent.ask('a')
  clock.now += 5_001
  recent.ask('b')
  t.is(recent.find('a', since)?.key, 'a')
  clock.now += 10_001
  recent.ask('c')
  t.is(recent.find('a', since), undefined)
  t.is(recent.find('b', since), undefined)
  t.is(recent.find('c', since)?.key, 'c')
})

test('of many questions the last twenty thousand are remembered, each key once', t => {
  const { recent } = remembering()
  const since = processClock()
  for (let id = 0; id < 70_000; id++) recent.ask(`key ${id % 35_000}`)
  const keys = [...recent.all(since)].map(({ key }) => key)
  t.true(keys.length >= 20_000 && keys.length <= 40_000, `${keys.length}`)
  t.not(recent.find('key 34999', since), undefined)
})
