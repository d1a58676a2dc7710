// In which context (AsyncLocalStorage) functions of the user are called: a loader in that of a caller
// who waits for it, a listener in none.
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { Cache, type Tier } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { start } from '../helpers/worker.ts'

const requests = new AsyncLocalStorage<string>()
const inRequest = <T>(name: string, f: () => T): T => requests.run(name, f)

/** Entrances: how a loader comes to be called for the callers `first` and `second`. */
const entrances: Record<
  string,
  { expected: string[]; run: (seen: unknown[]) => Promise<unknown> }
> = {
  'a miss': {
    expected: ['first'],
    run: async seen => {
      const cache = open(seen)
      await inRequest('first', () => cache.fetch('a'))
    },
  },
  'getOrSet, twice at once': {
    expected: ['first'],
    run: seen => {
      const cache = open(seen)
      const load = () => note(seen)
      return Promise.all(
        ['first', 'second'].map(name => inRequest(name, () => cache.getOrSet('a', load))),
      )
    },
  },
  'a batch whose first caller left': {
    expected: ['second'],
    run: async seen => {
      const batchLoader = async (keys: readonly string[]) => keys.map(() => note(seen))
      const cache = new Cache<string, string>({ max: 10, batchLoader })
      const leaving = new AbortController()
      const first = inRequest('first', () => cache.fetch('a', { signal: leaving.signal }))
      const second = inRequest('second', () => cache.fetch('b'))
      leaving.abort()
      await Promise.allSettled([first, second])
    },
  },
  'a retry after a wait': {
    expected: ['first', 'first'],
    run: async seen => {
      const clock = new ManualClock()
      let tries = 0
      const cache = new Cache<string, string>({
        max: 10,
        clock,
        origin: { retry: { retries: 1 } },
        loader: () => {
          const value = note(seen)
          if (++tries === 1) throw new Error('once more')
          return value
        },
      })
      const value = inRequest('first', () => cache.fetch('a'))
      for (let i = 0; i < 20; i++) await turn()
      inRequest('other', () => clock.advance('1s'))
      await value
    },
  },
  'a load that waited at the gate': {
    expected: ['first', 'second'],
    run: async seen => {
      const ends: (() => void)[] = []
      const cache = new Cache<string, string>({
        max: 10,
        origin: { concurrency: 1 },
        loader: () => {
          note(seen)
          return new Promise(resolve => ends.push(() => resolve('value')))
        },
      })
      const all = ['first', 'second'].map(name => inRequest(name, () => cache.fetch(name)))
      await turn()
      inRequest('other', () => ends[0]!())
      await turn()
      ends[1]!()
      await Promise.all(all)
    },
  },
  'a load beside one that is overdue': {
    expected: ['first', 'second'],
    run: async seen => {
      const clock = new ManualClock()
      const cache = new Cache<string, string>({ max: 10, clock, lockTimeout: '10s' })
      const hang = () => {
        note(seen)
        return new Promise<string>(() => {})
      }
      void inRequest('first', () => cache.getOrSet('a', hang, { tags: ['t'] }))
      const options = { signal: new AbortController().signal }
      const second = inRequest('second', () => cache.getOrSet('a', () => note(seen), options))
      inRequest('other', () => clock.advance('10s'))
      await second
    },
  },
  'the next one after an error': {
    expected: ['first', 'second'],
    run: async seen => {
      const cache = new Cache<string, string>({ max: 10, leaderError: 'next' })
      const load = async () => {
        if (note(seen) === 'first') throw new Error('for the first')
        return 'value'
      }
      const all = ['first', 'second'].map(name => inRequest(name, () => cache.getOrSet('a', load)))
      await Promise.allSettled(all)
    },
  },
  'a refresh': {
    expected: ['first', 'second'],
    run: async seen => {
      const clock = new ManualClock()
      const cache = open(seen, { clock, ttl: '1s', staleWhileRevalidate: '1m' })
      await inRequest('first', () => cache.fetch('a'))
      clock.advance('2s')
      await inRequest('second', () => cache.fetch('a'))
      await turn()
    },
  },
  'a turn that another instance gave up': {
    expected: ['second'],
    run: async seen => {
      const other = new Cache<string, string>({ name: 'context turn', max: 10 })
      const cache = open(seen, { name: 'context turn' })
      void inRequest('first', () =>
        other.getOrSet('a', () => new Promise<string>(() => {})).catch(() => {}),
      )
      const second = inRequest('second', () => cache.fetch('a'))
      inRequest('other', () => void other.close())
      await second
    },
  },
  'the turn of a thread that died': {
    expected: ['second'],
    run: async seen => {
      const cache = open(seen, { name: 'context heir' })
      const worker = start(({ breakwater, port }) => {
        const cache = new breakwater.Cache<string, string>({ name: 'context heir', max: 10 })
        void cache.getOrSet('a', () => {
          port.postMessage('loading')
          return new Promise<string>(() => {})
        })
        return new Promise(() => setInterval(() => {}, 1000))
      }, undefined)
      await once(worker, 'message')
      const second = inRequest('second', () => cache.fetch('a'))
      await turn()
      await worker.terminate()
      await second
    },
  },
}

function note(seen: unknown[]): string {
  seen.push(requests.getStore())
  return String(requests.getStore())
}

function open(seen: unknown[], options: object = {}): Cache<string, string> {
  return new Cache<string, string>({ max: 10, loader: () => note(seen), ...options })
}

for (const [name, { expected, run }] of Object.entries(entrances)) {
  test(`a loader runs in the context of who waits: ${name}`, async t => {
    t.timeout(60_000)
    const seen: unknown[] = []
    await run(seen)
    t.deepEqual(seen, expected)
  })
}

test('listeners of removals run in no context, whoever caused the removal', async t => {
  const seen: unknown[] = []
  const cache = inRequest(
    'open',
    () => new Cache<string, string>({ name: 'context removals', max: 2 }),
  )
  inRequest('listen', () => cache.onRemoval(() => seen.push(requests.getStore())))
  inRequest('evict', () => cache.set('a', '1').set('b', '2').set('c', '3'))
  inRequest('delete', () => cache.delete('c'))
  inRequest('clear', () => cache.clear())
  const worker = start(({ breakwater }) => {
    const cache = new breakwater.Cache<string, string>({ name: 'context removals', max: 2 })
    cache.set('x', '1').delete('x')
  }, undefined)
  await once(worker, 'exit')
  await turn()
  t.true(seen.length >= 3, String(seen.length))
  t.deepEqual(new Set(seen), new Set([undefined]))
  await cache.close()
})

test('what outlasts a call runs in no context: batches of writes, and a tier with its news', async t => {
  const seen: [what: string, context: unknown][] = []
  const see = (what: string) => void seen.push([what, requests.getStore()])
  const nothing = async () => undefined
  const tier: Tier = {
    open: host => {
      see('open')
      setImmediate(() => host.failed('later', new Error('far away')))
      return {
        ...{ ready: Promise.resolve(), get: nothing, delete: nothing, invalidateTag: nothing },
        ...{ set: async () => true, clear: nothing, lease: nothing, written: nothing },
        ...{ publishHot: nothing, fleetHot: async () => [], close: nothing },
      }
    },
  }
  await inRequest('first', async () => {
    const tiered = new Cache<string, string>({ name: 'context tier', max: 10, tier })
    const told = new Promise(resolve => tiered.on('tier', resolve))
    tiered.on('tier', () => see('tier'))
    await told
    await tiered.close()

    const behind = new Cache<string, string>({
      max: 10,
      writeBehind: {
        maxDelay: 1,
        retries: 0,
        writer: entries => {
          see('writer')
          if (entries.some(({ key }) => key === 'bad')) throw new Error('refused')
        },
        onWriteError: () => see('onWriteError'),
      },
    })
    behind.on('write', () => see('write'))
    await behind.put('a', '1')
    await behind.flush()
    await inRequest('second', () => behind.put('bad', '1'))
    await behind.close()
  })
  t.deepEqual(
    seen.filter(([, context]) => context !== undefined),
    [],
  )
  t.deepEqual(
    new Set(seen.map(([what]) => what)),
    new Set(['open', 'tier', 'writer', 'write', 'onWriteError']),
  )
})

test('what a call causes at once is told in its context, and what the engine removes in none', async t => {
  const cache = new Cache<string, string>({ max: 1, policy: 'lru', loader: key => key })
  const seen: Record<string, unknown> = {}
  for (const event of ['hit', 'miss', 'load', 'evict'] as const) {
    cache.on(event, () => {
      seen[event] = requests.getStore()
    })
  }
  await inRequest('first', () => cache.fetch('a'))
  await inRequest('second', () => cache.fetch('a'))
  await inRequest('third', () => cache.fetch('b'))
  t.deepEqual(seen, { miss: 'third', load: 'third', hit: 'second', evict: undefined })
  await cache.close()
})
