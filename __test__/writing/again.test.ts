import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import type { CacheKey } from '../../src/base/types.ts'
import { ManualClock } from '../../src/testing.ts'
import { Again } from '../../src/writing/again.ts'
import { countedTimers } from '../helpers/timers.ts'

function setUp(max?: number) {
  const clock = new ManualClock()
  const timers = countedTimers(clock)
  const forgotten: CacheKey[] = []
  const again = new Again<CacheKey>(key => forgotten.push(key), timers, max)
  return { clock, timers, forgotten, again }
}

test('a key is invalidated once more after the delay', t => {
  const { again, clock, forgotten, timers } = setUp()
  again.add('a', 500)
  clock.advance(499)
  t.deepEqual(forgotten, [])
  clock.advance(1)
  t.deepEqual(forgotten, ['a'])
  t.deepEqual([again.pending, timers.waiting], [0, 0])
})

test('a key that is invalidated again meanwhile has one to come, at the latest time', t => {
  const { again, clock, forgotten, timers } = setUp()
  again.add('a', 500)
  clock.advance(100)
  again.add('a', 500)
  again.add('a', 10)
  t.deepEqual([again.pending, timers.waiting], [1, 1])
  clock.advance(499)
  t.deepEqual(forgotten, [])
  clock.advance(1)
  t.deepEqual(forgotten, ['a'])
  clock.advance('1h')
  t.deepEqual(forgotten, ['a'])
})

test('keys of different types are different, bytes are equal by what they hold', t => {
  const { again, clock, forgotten } = setUp()
  const bytes = Buffer.from('1')
  for (const key of ['1', 1, bytes, Buffer.from('1')]) again.add(key, 5)
  clock.advance(5)
  t.deepEqual(forgotten, ['1', 1, bytes])
})

test('beyond the bound the first is done early, none is left out', t => {
  const { again, clock, forgotten } = setUp(2)
  for (const key of ['a', 'b', 'c']) again.add(key, 500)
  t.deepEqual(forgotten, ['a'])
  t.is(again.pending, 2)
  clock.advance(500)
  t.deepEqual(forgotten, ['a', 'b', 'c'])
})

test('closing does at once what is to come', t => {
  const { again, clock, forgotten, timers } = setUp()
  again.add('a', 500)
  again.add('b', 1000)
  again.close()
  t.deepEqual(forgotten, ['a', 'b'])
  clock.advance('1h')
  t.deepEqual(forgotten, ['a', 'b'])
  t.is(timers.waiting, 0)
})

test('one that is to come does not keep the process', async t => {
  const source = `
    import { Again } from ${JSON.stringify(new URL('../../src/writing/again.ts', import.meta.url).href)}
    import { timersOf } from ${JSON.stringify(new URL('../../src/base/timers.ts', import.meta.url).href)}
    new Again(() => console.log('late'), timersOf()).add('a', 3_600_000)
    console.log('added')`
  const args = ['--import=tsx', '--input-type=module', '--eval', source]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  t.is(stdout, 'added\n')
})
