// Nothing of a tier reaches a caller or the event loop but its answers; and what it says of a value that it
// need not send.
import test from 'ava'
import type { Tier, TierHost } from '../../src/index.ts'
import { Cache } from '../../src/index.ts'
import { installed } from '../router/support.ts'
import { fresh, openSession, setups } from './sessions.ts'

const check = installed('redis-server') && installed('redis-cli') ? test.serial : test.skip
const servers = setups()

test.before(async t => {
  t.timeout(120_000)
  if (check !== test.skip) await servers.start()
})
test.after.always(() => servers.stop())

const METHODS = ['get', 'has', 'set', 'delete', 'invalidateTag', 'clear', 'lease', 'written']

/** A tier of which every method fails in one way, and its host. */
function failing(how: 'throws' | 'rejects'): { tier: Tier; host(): TierHost } {
  let host: TierHost | undefined
  const fail = () => {
    const error = new Error('it is broken')
    if (how === 'throws') throw error
    return Promise.reject(error)
  }
  const methods = [...METHODS, 'publishHot', 'fleetHot', 'close'].map(name => [name, fail])
  return {
    tier: {
      open(given) {
        host = given
        return { ready: Promise.reject(new Error('never ready')), ...Object.fromEntries(methods) }
      },
    },
    host: () => host as TierHost,
  }
}

for (const how of ['throws', 'rejects'] as const) {
  test(`a tier that ${how} is told of and done without`, async t => {
    const uncaught: unknown[] = []
    const note = (error: unknown) => uncaught.push(error)
    process.on('unhandledRejection', note)
    process.on('uncaughtException', note)
    const { tier, host } = failing(how)
    for (const tierLease of [false, true]) {
      const name = `broken ${Math.random()}`
      const cache = new Cache<string, unknown>({
        name,
        max: 10,
        codec: 'json' as never,
        tier,
        tierLease,
        loader: key => ({ key }),
      })
      const told: (string | undefined)[] = []
      cache.on('tier', ({ state, operation }) => told.push(state === 'failed' ? operation : state))
      await cache.ready
      t.deepEqual(await cache.fetch('a'), { key: 'a' })
      cache.set('b', 1)
      cache.delete('b')
      cache.invalidateTag('t')
      cache.clear()
      await cache.put('c', 2)
      await cache.remove('c')
      // Keys that no cache can have, as strangers may write them.
      for (const key of ['x'.repeat(2 ** 20), Number.NaN, {}, null, undefined, Symbol('s')]) {
        host().changed([key as never])
        host().doubted([key as never])
        host().tagged([key as never])
      }
      t.deepEqual(await cache.fetch('a'), { key: 'a' })
      await new Promise(setImmediate)
      for (const operation of ['get', 'set', 'delete', 'invalidateTag', 'clear', 'invalidation']) {
        t.true(told.includes(operation), `${operation}: ${told}`)
      }
      await cache.close()
    }
    await new Promise(setImmediate)
    process.off('unhandledRejection', note)
    process.off('uncaughtException', note)
    t.deepEqual(uncaught, [])
  })
}

for (const setup of servers.all) {
  check(`whether there is a value is known without it: ${setup.title}`, async t => {
    const { client } = await setup.client(t)
    const { session, host } = openSession(t, client, { grace: '1m', compression: false })
    const has = (key: string) => session.has!(key)
    t.false(await has('none'))
    const tags = Array.from({ length: 500 }, (_, i) => `tag ${i}`)
    await session.set('k', fresh('v'))
    await session.set('large', fresh('v'.repeat(1_000_000)))
    await session.set('tagged', fresh('v', { tags: ['t'] }))
    await session.set('other', fresh('v', { tags: ['u'] }))
    await session.set('many tags', fresh('v', { tags: [...tags, 't'] }))
    await session.set('stale', fresh('v', { freshFor: -1_000 }))
    await session.set('gone', fresh('v'))
    await session.delete(['gone'])
    const all = ['k', 'large', 'tagged', 'other', 'many tags', 'stale', 'gone']
    const each = async () => (await Promise.all(all.map(has))).map(Number).join('')
    t.is(await each(), '1111100')
    await session.invalidateTag('t')
    t.is(await each(), '1101000')
    await session.clear()
    t.is(await each(), '0000000')
    t.deepEqual(host.failures, [])
  })

  check(`a value's kind comes back with it: ${setup.title}`, async t => {
    const { client } = await setup.client(t)
    const { session } = openSession(t, client)
    for (const encoded of ['text', 'x'.repeat(5_000), 1.5, new Uint8Array([1, 2])]) {
      for (const kind of [undefined, 0, 1, 7, 255]) {
        t.true(await session.set('k', fresh(encoded, { kind, tags: ['t'] })))
        const found = await session.get('k')
        t.is(found?.kind ?? 0, kind ?? 0)
        t.deepEqual(found?.tags, ['t'])
      }
    }
  })
}
