// Every documented event and channel comes, whoever else listens.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import test from 'ava'
import { Cache, type CacheEventName, type CacheOptions } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import type { TierHost, TierSession } from '../../src/tier/contract.ts'

type Caches = Cache<string, string>
type Make = (options: Partial<CacheOptions<string, string>>) => {
  cache: Caches
  clock: ManualClock
}

/** A tier that has nothing, and what it was told to tell. */
function tier() {
  const told: { host?: TierHost } = {}
  const nothing = async () => undefined
  const session = {
    ready: Promise.resolve(),
    get: nothing,
    set: async () => true,
    delete: nothing,
    invalidateTag: nothing,
    clear: nothing,
    lease: nothing,
    written: nothing,
    publishHot: nothing,
    fleetHot: async () => [],
    close: nothing,
  } as unknown as TierSession
  return {
    told,
    tier: {
      open(host: TierHost) {
        told.host = host
        return session
      },
    },
  }
}

let names = 0
const name = () => `walk ${names++}`
const upper = (key: string) => key.toUpperCase()
const fails = () => Promise.reject(new Error('sick'))
const ignore = (promise: Promise<unknown> | unknown) => Promise.resolve(promise).catch(() => {})

/** How each event is provoked: what is done before anybody listens, and then. */
const provoked: Record<CacheEventName, (make: Make, listen: () => void) => unknown> = {
  async hit(make, listen) {
    const { cache } = make({})
    listen()
    cache.set('a', '1')
    await cache.fetch('a', { loader: upper })
  },
  async miss(make, listen) {
    const { cache } = make({ loader: upper })
    listen()
    await cache.fetch('a')
  },
  async stale(make, listen) {
    const { cache, clock } = make({ loader: upper, ttl: 100, staleWhileRevalidate: 1000 })
    cache.set('a', '1')
    listen()
    clock.advance(200)
    await cache.fetch('a')
  },
  async load(make, listen) {
    const { cache } = make({ loader: upper })
    listen()
    await cache.fetch('a')
  },
  async coalesced(make, listen) {
    const { cache } = make({ loader: async key => key })
    listen()
    await Promise.all([cache.fetch('a'), cache.fetch('a')])
  },
  async refresh(make, listen) {
    const { cache, clock } = make({ loader: upper, ttl: 100, refreshAhead: 0.5 })
    listen()
    await cache.fetch('a')
    clock.advance(60)
    await cache.fetch('a')
  },
  evict(make, listen) {
    const { cache } = make({ max: 1 })
    listen()
    cache.set('a', '1').set('b', '2').set('c', '3')
  },
  expire(make, listen) {
    const { cache, clock } = make({ ttl: 100 })
    cache.set('a', '1')
    listen()
    clock.advance(200)
    cache.get('a')
  },
  async breaker(make, listen) {
    const { cache } = make({ loader: fails, origin: { breaker: { failures: 1 } } })
    listen()
    await ignore(cache.fetch('a'))
  },
  tier(make, listen) {
    const { told, tier: second } = tier()
    make({ name: name(), tier: second })
    listen()
    told.host?.lost()
  },
  async tierCall(make, listen) {
    const { tier: second } = tier()
    const { cache } = make({ name: name(), tier: second, loader: upper })
    listen()
    await cache.fetch('a')
  },
  async write(make, listen) {
    const { cache } = make({ writer: async () => {} })
    listen()
    await cache.put('a', '1')
  },
}

function maker(): { make: Make; close: () => Promise<void> } {
  const made: Caches[] = []
  const make: Make = options => {
    const clock = new ManualClock()
    const cache = new Cache<string, string>({ max: 10, clock, ...options })
    made.push(cache)
    return { cache, clock }
  }
  return { make, close: async () => void (await Promise.all(made.map(cache => cache.close()))) }
}

const page = readFileSync(new URL('../../docs/reference/events.md', import.meta.url), 'utf8')
const documented = [...page.matchAll(/^\| `(\w+)` \| /gm)].map(row => row[1] as CacheEventName)
const channels = [...page.matchAll(/^\| `(breakwater:\w+)` \| /gm)].map(row => row[1] as string)

test('all that is documented is provoked here, and nothing else is', t => {
  t.deepEqual([...documented].sort(), Object.keys(provoked).sort())
  t.deepEqual([...channels].sort(), documented.map(event => `breakwater:${event}`).sort())
})

for (const event of documented) {
  test.serial(`${event} is told to a listener alone, until it ceases`, async t => {
    for (const cease of ['the function', 'off'] as const) {
      const { make, close } = maker()
      const heard: object[] = []
      let stop = () => {}
      await provoked[event](
        options => {
          const made = make(options)
          const listener = (details: object) => heard.push(details)
          stop = () => {}
          pending = () => {
            const off = made.cache.on(event, listener)
            stop = cease === 'off' ? () => made.cache.off(event, listener) : off
          }
          return made
        },
        () => pending(),
      )
      t.true(heard.length > 0, cease)
      const before = heard.length
      stop()
      await ignore(provoked[event](make, () => {}))
      t.is(heard.length, before)
      await close()
    }
  })

  test.serial(`${event} is published to a subscriber alone, until it ceases`, async t => {
    const { make, close } = maker()
    const heard: unknown[] = []
    const listener = (message: unknown) => heard.push(message)
    await provoked[event](make, () => subscribe(`breakwater:${event}`, listener))
    t.true(heard.length > 0)
    unsubscribe(`breakwater:${event}`, listener)
    const before = heard.length
    await ignore(provoked[event](make, () => {}))
    t.is(heard.length, before)
    await close()
  })

  test.serial(`${event} is published beside a listener, to whoever subscribed first`, async t => {
    const heard: unknown[] = []
    const listener = (message: unknown) => heard.push(message)
    subscribe(`breakwater:${event}`, listener)
    const { make, close } = maker()
    await provoked[event](
      options => {
        const made = make(options)
        made.cache.on(event, () => {})()
        return made
      },
      () => {},
    )
    unsubscribe(`breakwater:${event}`, listener)
    t.true(heard.length > 0)
    await close()
  })
}

let pending = () => {}

test.serial('evict tells evictions and expire tells expiries, nothing else', t => {
  const clock = new ManualClock()
  const cache = new Cache<string, string>({ max: 2, ttl: 1000, policy: 'lru', clock })
  const heard: string[] = []
  cache.on('evict', ({ key }) => heard.push(`evict ${key}`))
  cache.on('expire', ({ key }) => heard.push(`expire ${key}`))
  cache.set('a', '1').set('a', '2').delete('a')
  cache.set('b', '1')
  cache.clear()
  t.deepEqual(heard, [])
  cache.set('c', '1').set('d', '1').set('e', '1')
  t.deepEqual(heard, ['evict c'])
  cache.set('d', '2', { ttl: 5 })
  clock.advance(100)
  t.deepEqual(heard, ['evict c', 'expire d'])
})

test.serial('who ceases lets the native side cease, and may begin again', t => {
  const cache = new Cache<string, string>({ max: 1 })
  const heard: string[] = []
  const listener = ({ key }: { key: string }) => heard.push(key)
  for (let round = 0; round < 3; round++) {
    cache.on('evict', listener)
    cache.on('expire', listener)
    cache.off('evict', listener)
    cache.once('evict', listener)
    cache.off('expire', listener)
    cache.set('a', '1').set('b', '1').set('c', '1')
    t.is(heard.length, 1 + round)
  }
  cache.off('evict', listener)
  t.throws(() => cache.off('nothing' as never, listener), { code: 'ERR_INVALID_OPTION' })
  t.throws(() => cache.off('evict', 5 as never), { code: 'ERR_INVALID_OPTION' })
})

test.serial('a subscriber alone hears of evictions of caches that were there before', async t => {
  const cache = new Cache<string, string>({ name: 'before', max: 1 })
  const heard: unknown[] = []
  const listener = (message: unknown) => heard.push(message)
  for (let round = 0; round < 3; round++) {
    subscribe('breakwater:evict', listener)
    cache.set('a', '1').set('b', '1')
    unsubscribe('breakwater:evict', listener)
    cache.set('c', '1').set('d', '1')
  }
  t.is(heard.length >= 3, true)
  t.true(heard.every(message => (message as { cache: string }).cache === 'before'))
  void cache.close()
  subscribe('breakwater:evict', listener)
  unsubscribe('breakwater:evict', listener)
})
