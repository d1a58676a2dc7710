// What must hold in each of two files that Vitest runs in one process.
import * as breakwater from 'breakwater'
import { ManualClock } from 'breakwater/testing'
import { fake, useFakeTimers } from 'sinon'
import { expect, test, vi } from 'vitest'

const { Cache, BreakwaterError } = breakwater

export function brings(file) {
  test(`${file}: errors are of this file's classes`, async () => {
    const cache = new Cache({ max: 1 })
    expect(() => cache.get({})).toThrow(breakwater.InvalidKeyError)
    expect(() => new Cache({ max: -1 })).toThrow(BreakwaterError)
    await expect(cache.save('/dev/null/nowhere')).rejects.toBeInstanceOf(breakwater.SnapshotIoError)
    const error = await cache.fetch('a').catch(error => error)
    expect(error).toBeInstanceOf(BreakwaterError)
    expect(error.constructor).toBe(breakwater.NoLoaderError)
    cache.close()
    expect(() => cache.get('a')).toThrow(breakwater.CacheClosedError)
  })

  test(`${file}: listeners hear`, async () => {
    const told = []
    const cache = new Cache({ name: 'vitest', max: 2, loader: key => `of ${key}` })
    cache.onRemoval((key, value, reason) => told.push([key, value, reason]))
    expect(await cache.fetch('a')).toBe('of a')
    cache.delete('a')
    expect(told).toEqual([['a', 'of a', 'deleted']])
  })

  const runners = {
    Vitest: () => {
      vi.useFakeTimers()
      return { tick: ms => vi.advanceTimersByTime(ms), end: () => vi.useRealTimers() }
    },
    Sinon: () => {
      const timers = useFakeTimers()
      return { tick: ms => timers.tick(ms), end: () => timers.restore() }
    },
  }
  for (const [name, fakes] of Object.entries(runners)) {
    test(`${file}: the clock of ${name} moves the program, the manual clock the cache`, async () => {
      const { tick, end } = fakes()
      const clock = new ManualClock()
      const loader = fake(key => key)
      const cache = new Cache({ max: 10, ttl: '1m', clock, loader })
      await cache.fetch('a')
      tick(60_000)
      await cache.fetch('a')
      expect(loader.callCount).toBe(1)
      clock.advance(60_000)
      await cache.fetch('a')
      expect(loader.callCount).toBe(2)
      await cache.close()
      end()
    })
  }
}
