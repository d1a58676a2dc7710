// Options of calls: each method that takes some refuses those that do not exist, and says which was meant.
import test from 'ava'
import { Cache, type Namespace } from '../../src/index.ts'

type Both = Cache<string, number> | Namespace<number>

const loader = () => 1

/** Calls with options, and the names of all that they take, with a value that is good. */
const set = { ttl: '1m', jitter: 0.1, tags: ['a'], version: 1 }
const fetchMany = {
  ...set,
  signal: AbortSignal.timeout(1_000_000),
  softTimeout: '1m',
  timeout: '1m',
  staleWhileRevalidate: 0,
  staleIfError: 0,
  fresh: true,
}
const fetch = { ...fetchMany, loader }

const calls: Record<string, [call: (on: Both, options: never) => unknown, good: object]> = {
  set: [(on, options) => on.set('a', 1, options), set],
  setMany: [(on, options) => on.setMany([['a', 1]], options), set],
  setIfAbsent: [(on, options) => on.setIfAbsent('new', 1, options), set],
  update: [(on, options) => on.update('a', () => 2, options), set],
  increment: [(on, options) => on.increment('n', 1, options), { ...set, initial: 5 }],
  put: [(on, options) => on.put('a', 1, options), set],
  fetch: [(on, options) => on.fetch('a', options), fetch],
  fetchSync: [(on, options) => on.fetchSync('a', options), fetch],
  getOrSet: [(on, options) => on.getOrSet('a', loader, options), fetch],
  getOrSetSync: [(on, options) => on.getOrSetSync('a', loader, options), fetch],
  fetchMany: [(on, options) => on.fetchMany(['a'], undefined, options), fetchMany],
  invalidate: [(on, options) => on.invalidate('a', options), { again: '1s' }],
  invalidateTag: [(on, options) => on.invalidateTag('a', options), { stale: true }],
}

for (const [name, [call, good]] of Object.entries(calls)) {
  for (const where of ['cache', 'namespace'] as const) {
    test(`an unknown option is refused: ${name} of a ${where}`, async t => {
      const cache = new Cache<string, number>({ max: 100, codec: 'number', loader })
      const on: Both = where === 'cache' ? cache : cache.namespace('space')
      const refuses = async (options: unknown, message: string | RegExp) => {
        const refused = async () => call(on, options as never)
        await t.throwsAsync(refused, { code: 'ERR_INVALID_OPTION', message })
      }
      for (const known of Object.keys(good)) {
        const wrong = `${known}x`
        const message = `unknown option '${wrong}'; did you mean '${known}'?`
        await refuses({ ...good, [wrong]: undefined }, message)
        await t.notThrowsAsync(async () => call(on, { [known]: undefined } as never), known)
      }
      await refuses({ quux: 1 }, /^unknown option 'quux': options are /)
      await refuses({ constructor: 1 }, /^unknown option 'constructor'/)
      for (const options of [5_000, '5m', true, loader]) {
        await refuses(options, /options.*an object \{/)
      }
      await t.notThrowsAsync(async () => call(on, good as never))
      await cache.close()
    })
  }
}
