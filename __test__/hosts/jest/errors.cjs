// What must hold in each of two files that Jest runs in one process.
const { Worker } = require('node:worker_threads')
const breakwater = require('breakwater')
const { ManualClock } = require('breakwater/testing')
const { memoize } = require('breakwater/memoize')
const { LRUCache } = require('breakwater/lru-cache')

exports.brings = file => {
  const { Cache, BreakwaterError } = breakwater

  test(`${file}: errors are of this file's classes`, async () => {
    const cache = new Cache({ max: 1 })
    const thrown = f => {
      try {
        return f()
      } catch (error) {
        return error
      }
    }
    const errors = {
      InvalidKeyError: thrown(() => cache.get({})),
      InvalidOptionError: thrown(() => new Cache({ max: -1 })),
      NoSuchCacheError: thrown(() => Cache.open('nobody')),
      SnapshotIoError: await cache.save('/dev/null/nowhere').catch(error => error),
      NoLoaderError: await cache.fetch('a').catch(error => error),
    }
    cache.close()
    errors.CacheClosedError = thrown(() => cache.get('a'))
    for (const [name, error] of Object.entries(errors)) {
      expect(error).toBeInstanceOf(BreakwaterError)
      expect(error).toBeInstanceOf(breakwater[name])
      expect(error).toBeInstanceOf(Error)
      expect(error.constructor).toBe(breakwater[name])
      expect(() => {
        throw error
      }).toThrow(breakwater[name])
    }
  })

  test(`${file}: listeners, loads and drop-ins work`, async () => {
    const told = []
    const cache = new Cache({
      name: `jest ${file}`,
      max: 2,
      policy: 'lru',
      loader: key => `of ${key}`,
    })
    cache.onRemoval((key, value, reason) => told.push([key, value, reason]))
    expect(await cache.fetch('a')).toBe('of a')
    cache.delete('a')
    expect(told).toEqual([['a', 'of a', 'deleted']])
    const remembers = memoize(async id => ({ id }), { max: 10 })
    expect(await remembers(1)).toEqual({ id: 1 })
    const old = new LRUCache({ max: 1, dispose: (_, key) => told.push(key) })
    old.set('x', 1).set('y', 2)
    expect(told.at(-1)).toBe('x')
    // Nothing is closed: the file is over, and what it opened is let go with it.
  })

  test(`${file}: a cache is shared with a thread`, async () => {
    const cache = new Cache({ name: `jest thread ${file}`, max: 10 })
    cache.set('a', { n: 1 })
    const path = JSON.stringify(require.resolve('breakwater'))
    const source = `
      const { Cache } = require(${path})
      const cache = Cache.open('jest thread ${file}')
      require('node:worker_threads').parentPort.postMessage(cache.get('a'))`
    const worker = new Worker(source, { eval: true })
    const [answer] = await require('node:events').once(worker, 'message')
    expect(answer).toEqual({ n: 1 })
    await worker.terminate()
    cache.close()
  })

  test(`${file}: Jest's clock moves the program, the manual clock the cache`, async () => {
    jest.useFakeTimers()
    const clock = new ManualClock()
    const loader = jest.fn(key => key)
    const cache = new Cache({ max: 10, ttl: '1m', clock, loader })
    await cache.fetch('a')
    jest.advanceTimersByTime(60_000)
    await cache.fetch('a')
    expect(loader).toHaveBeenCalledTimes(1)
    clock.advance(60_000)
    await cache.fetch('a')
    expect(loader).toHaveBeenCalledTimes(2)
    await cache.close()
    jest.useRealTimers()
  })
}
