// What Redis does not remove when it is told to does not come back, and is removed later.
import test, { type ExecutionContext } from 'ava'
import { ManualClock } from '../../src/testing.ts'
import type { Change } from '../../src/tier/redis/channel/messages.ts'
import { redis as redisTier } from '../../src/tier/redis/index.ts'
import { Owed } from '../../src/tier/redis/session/owed.ts'
import { countedTimers } from '../helpers/timers.ts'
import { installed, redis } from '../router/support.ts'
import { connect, type Library, libraries } from './invalidation.ts'
import { fresh, Host, openSession, sinceOf } from './sessions.ts'

const check = installed('redis-server') ? test : test.skip

/** A session whose writes its server refuses at times, and one of another process. */
async function refusing(t: ExecutionContext, library: Library) {
  const { port } = await redis(t)
  const { client, send } = await connect(t, library, port)
  const name = 'owed'
  const clock = new ManualClock()
  const timers = countedTimers(clock)
  const host = new Host(name, timers)
  const breaker = { failures: 1000 }
  const session = redisTier(client, { timeout: '100d', invalidation: false, breaker }).open(host)
  t.teardown(() => session.close())
  const other = openSession(t, (await connect(t, library, port)).client, {}, name)
  const scripts = (sign: '+' | '-') =>
    send('ACL', 'SETUSER', 'default', `${sign}evalsha`, `${sign}eval`)
  return {
    session,
    host,
    other: other.session,
    timers,
    refuse: () => scripts('-'),
    allow: () => scripts('+'),
    /** Waits until it has removed what it owes. */
    async pay() {
      const told = host.changes.length
      while (host.changes.length === told) {
        clock.advance(1000)
        await new Promise(setImmediate)
      }
    },
    advance: (ms: number) => clock.advance(ms),
  }
}

for (const library of libraries) {
  check(`what could not be removed is not read, and removed later: ${library}`, async t => {
    const { session, other, host, timers, refuse, allow, pay, advance } = await refusing(t, library)
    await session.set('gone', fresh('old'))
    await session.set('kept', fresh('kept'))
    await session.set('written', fresh('old'))
    await session.set('tagged', fresh('old', { tags: ['t'] }))
    await refuse()
    await session.delete(['gone'])
    t.false(await session.set('written', fresh('new')))
    await session.invalidateTag('t')
    const all = ['gone', 'kept', 'written', 'tagged']
    const read = async (from = session) =>
      (await Promise.all(all.map(key => from.get(key)))).map(value => value?.encoded)
    t.deepEqual(await read(), [undefined, 'kept', undefined, undefined])
    t.is(await sinceOf(session, 'gone'), 0, 'what is loaded meanwhile is not stored')
    t.deepEqual(await read(other), ['old', 'kept', 'old', 'old'])
    advance(1000)
    await new Promise(setImmediate)
    t.deepEqual(host.changes, [], 'it is still refused')
    await allow()
    await pay()
    t.deepEqual(host.changes.sort(), ['#t', 'gone', 'written'])
    t.deepEqual(await read(other), [undefined, 'kept', undefined, undefined])
    t.true(await session.set('gone', fresh('new')))
    t.deepEqual(await read(), ['new', 'kept', undefined, undefined])
    t.is(timers.waiting, 0)
  })

  check(`what is written anew is no longer owed: ${library}`, async t => {
    const { session, other, refuse, allow, pay } = await refusing(t, library)
    await session.set('k', fresh('old'))
    await session.set('end', fresh('old'))
    await refuse()
    await session.delete(['k', 'end'])
    await other.set('end', fresh('by another'))
    await allow()
    t.true(await session.set('k', fresh('new')))
    await pay()
    t.is(await other.get('end'), undefined)
    t.is((await other.get('k'))?.encoded, 'new')
  })

  check(`a clear that failed, and too many removals, clear later: ${library}`, async t => {
    for (const many of [false, true]) {
      const { session, other, host, refuse, allow, pay } = await refusing(t, library)
      await session.set('k', fresh('old'))
      await refuse()
      if (many) await session.delete(Array.from({ length: 10_001 }, (_, i) => `gone ${i}`))
      else await session.clear()
      t.is(await session.get('k'), undefined)
      t.is((await other.get('k'))?.encoded, 'old')
      await allow()
      await pay()
      t.deepEqual(host.changes, ['*'])
      t.is(await other.get('k'), undefined)
      t.true(await session.set('k', fresh('new')))
      t.is((await session.get('k'))?.encoded, 'new')
    }
  })
}

test('an attempt that fails in whatever way is made again, and nothing owed is lost', async t => {
  const clock = new ManualClock()
  const timers = countedTimers(clock)
  const host = new Host('owed', timers)
  const { changed } = host
  const attempts: Change[] = []
  const ways: (() => Promise<boolean>)[] = [
    async () => false,
    () => Promise.reject(new Error('rejected')),
    () => {
      throw new Error('thrown')
    },
    // It is removed, but the cache cannot be told.
    async () => {
      host.changed = () => {
        host.changed = changed
        throw new Error('untold')
      }
      return true
    },
    // Something is owed anew meanwhile.
    async () => {
      owed.add({ keys: ['a'] })
      return true
    },
    async () => true,
  ]
  const owed = new Owed(host, change => {
    attempts.push(change)
    return ways[attempts.length - 1]!()
  })
  owed.add({ keys: ['a', 'b'], tags: ['t'] })
  for (const [i] of ways.entries()) {
    t.is(timers.waiting, 1, `attempt ${i}`)
    t.true(owed.hasKey('a'))
    clock.advance(1000)
    await new Promise(setImmediate)
    t.is(attempts.length, i + 1)
  }
  t.is(timers.waiting, 0)
  t.false(owed.hasKey('a') || owed.hasKey('b') || owed.hasTag(['t']))
  t.deepEqual(
    attempts.map(({ keys }) => keys.length),
    [2, 2, 2, 2, 2, 1],
  )
  t.deepEqual(host.changes, ['a', 'b', '#t', 'a'])
  t.is(host.failures.length, 3)
  owed.add({ keys: ['c'] })
  owed.close()
  t.is(timers.waiting, 0)
})
