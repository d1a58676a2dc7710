// A process of its own, in which nothing is alive but what one case leaves: `alive.test.ts`.
import { register } from 'tsx/esm/api'

register()
const { Cache } = await import('../../src/index.ts')

const never = () => new Promise(() => {})

/** Says that a case came to its end. */
const say = what => () => process.stdout.write(what)

const stale = async options => {
  const cache = new Cache({ max: 10, ttl: 1, ...options })
  cache.set('a', 'old')
  await new Promise(resolve => setTimeout(resolve, 20))
  return cache
}

const hangingTier = {
  open: () => ({
    ready: Promise.resolve(),
    get: never,
    set: async () => true,
    delete: async () => {},
    invalidateTag: async () => {},
    clear: async () => {},
    lease: never,
    written: never,
    publishHot: async () => {},
    fleetHot: never,
    close: async () => {},
  }),
}

/** Somebody waits for a timer: the process lives until it has fired. */
const awaited = {
  async softTimeout() {
    const cache = await stale({ staleIfError: '1h', softTimeout: 50, loader: never })
    cache.fetch('a').then(say('done'))
  },
  timeout() {
    const cache = new Cache({ max: 10, timeout: 50, loader: never })
    cache.fetch('a').catch(say('done'))
  },
  lockTimeout() {
    const cache = new Cache({ max: 10, lockTimeout: 50 })
    cache.getOrSet('a', never)
    cache.getOrSet('a', () => 'value', { signal: new AbortController().signal }).then(say('done'))
  },
  retry() {
    let tries = 0
    const loader = () => {
      if (++tries === 1) throw new Error('once more')
      return 'value'
    }
    const origin = { retry: { retries: 1, backOff: { initial: 50 } } }
    new Cache({ max: 10, origin, loader }).fetch('a').then(say('done'))
  },
  rate() {
    const origin = { rate: { limit: 1, per: 50 } }
    const cache = new Cache({ max: 10, origin, loader: key => key })
    Promise.all(['a', 'b'].map(key => cache.fetch(key))).then(say('done'))
  },
  batch() {
    const batchLoader = keys => keys
    new Cache({ max: 10, batchLoader, batch: { when: 50 } }).fetch('a').then(say('done'))
  },
  writer() {
    const cache = new Cache({ max: 10, writer: never, writeThrough: { timeout: 50 } })
    cache.put('a', 'value').catch(say('done'))
  },
  ready() {
    const options = { name: 'alive', tier: hangingTier, warm: { from: 'tier', budget: 50 } }
    new Cache({ max: 10, ...options }).ready.then(say('done'))
  },
}

/** Nobody waits for a timer, or it would help nobody: the process ends. */
const forgotten = {
  lockTimeout() {
    new Cache({ max: 10, lockTimeout: '1h' }).getOrSet('a', never)
  },
  async retry() {
    const origin = { retry: { retries: 1, backOff: { initial: '1h', max: '1h' } } }
    const loader = () => {
      throw new Error('no')
    }
    const cache = await stale({ staleWhileRevalidate: '1h', origin, loader })
    await cache.fetch('a')
  },
  async rate() {
    const origin = { rate: { limit: 1, per: '1h' } }
    const cache = await stale({ staleWhileRevalidate: '1h', origin, loader: key => key })
    await cache.fetch('b')
    await cache.fetch('a')
  },
  async batch() {
    const cache = await stale({
      staleWhileRevalidate: '1h',
      batchLoader: keys => keys,
      batch: { when: '1h' },
    })
    await cache.fetch('a')
  },
  again() {
    new Cache({ max: 10 }).invalidate('a', { again: '1h' })
  },
  ready() {
    const options = { name: 'alive', tier: hangingTier, warm: { from: 'tier', budget: '1h' } }
    new Cache({ max: 10, ...options })
  },
}

const [kind, name] = process.argv.slice(2)
await (kind === 'awaited' ? awaited : forgotten)[name]()
