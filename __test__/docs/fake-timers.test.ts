// What docs/fake-timers.md says: fake timers move the program, the manual clock moves the cache.
import { mock } from 'node:test'
import test from 'ava'
import { Cache } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'

test.serial('time that node:test fakes leaves a cache alone; its own clock moves it', async t => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] })
  t.teardown(() => mock.timers.reset())
  const clock = new ManualClock()
  let loads = 0
  const cache = new Cache<string, number>({ max: 10, ttl: '1m', clock, loader: () => ++loads })
  t.is(await cache.fetch('a'), 1)
  mock.timers.tick(60_000)
  t.is(await cache.fetch('a'), 1)
  clock.advance(60_000)
  t.is(await cache.fetch('a'), 2)
  await cache.close()
})

test.serial('what a cache waits for is due within advance, while the timers are faked', async t => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] })
  t.teardown(() => mock.timers.reset())
  const clock = new ManualClock()
  const hang = () => new Promise<undefined>(() => {})
  const cache = new Cache<string, string>({ max: 10, timeout: '2s', clock, loader: hang })
  const call = cache.fetch('a')
  clock.advance('2s')
  await t.throwsAsync(call, { code: 'ERR_LOAD_TIMEOUT' })
  await cache.close()
})

test.serial('faked clocks do not keep entries of a cache without a manual clock', async t => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  t.teardown(() => mock.timers.reset())
  const cache = new Cache<string, string>({ max: 10, ttl: 20 })
  cache.set('a', 'value')
  const began = process.hrtime.bigint()
  while (process.hrtime.bigint() - began < 30_000_000n);
  t.is(cache.get('a'), undefined)
  await cache.close()
})
