// Durations leave the process as numbers that a server takes, whatever they are.
import test from 'ava'
import { timersOf } from '../../src/base/timers.ts'
import { ManualClock } from '../../src/testing.ts'
import type { RedisTierOptions } from '../../src/tier/redis/index.ts'
import { freshMs, wholeMs, wholeMsOrEndless } from '../../src/tier/redis/wire.ts'
import { installed, redis } from '../router/support.ts'
import { connect } from './invalidation.ts'
import { fresh, openSession, sinceOf } from './sessions.ts'

const check = installed('redis-server') ? test : test.skip

const DURATIONS = [1e-9, 0.4, 1, 1.5, 1e3, 2 ** 31, 2 ** 53, 1e17, 1e21, Number.MAX_VALUE]

test('what is written of a duration is a whole number of a server, or none', t => {
  for (const ms of [...DURATIONS, 0, -1, -1e300, Number.NaN, Number.NEGATIVE_INFINITY]) {
    for (const text of [wholeMs(ms), wholeMsOrEndless(ms)]) {
      t.regex(text, /^[1-9]\d{0,15}$/, `${ms}`)
      if (ms >= 1) t.true(Number(text) >= Math.min(ms, 1e12), `${ms}`)
    }
    t.false(freshMs(ms) === '', `${ms}`)
  }
  t.is(wholeMsOrEndless(Number.POSITIVE_INFINITY), '')
  t.is(freshMs(Number.POSITIVE_INFINITY), '')
  t.regex(wholeMs(Number.POSITIVE_INFINITY), /^\d+$/)
})

for (const option of ['ttl', 'grace', 'rememberDeletions', 'timeout', 'heartbeat'] as const) {
  check(`every operation works with any ${option}`, async t => {
    const { port } = await redis(t)
    const { client, send } = await connect(t, 'ioredis', port)
    for (const ms of DURATIONS) {
      // Too short a wait is none, and too short a life is over.
      if (option === 'timeout' && ms < 1e3) continue
      const options: RedisTierOptions =
        option === 'heartbeat'
          ? { invalidation: { heartbeat: ms, bound: ms * 2 } }
          : { [option]: ms }
      if (option === 'heartbeat' && (ms < 1e3 || ms === Number.MAX_VALUE)) continue
      // An answer may take a second on a busy machine, by a clock that goes.
      const timers = timersOf(ms === 1e3 ? new ManualClock() : undefined)
      const { session, host } = openSession(t, client, options, undefined, timers)
      await session.ready
      for (const freshFor of [...DURATIONS, Number.POSITIVE_INFINITY]) {
        const since = await sinceOf(session, 'k')
        t.true(await session.set('k', fresh('v', { freshFor })), `${ms} ${freshFor}`)
        // What takes longer than deletions are remembered is not stored.
        const loaded = { freshFor, since: await sinceOf(session, 'loaded') }
        const stored = await session.set('loaded', fresh('v', loaded))
        t.true(stored || option === 'rememberDeletions')
        if (Math.min(freshFor, option === 'ttl' ? ms : 1e9) > 1e3) {
          t.false(await session.set('k', fresh('old', { freshFor, since })))
          t.is((await session.get('k'))?.encoded, 'v', `${ms} ${freshFor}`)
        }
        await session.delete(['k', 'loaded'])
        const left = Number(await send('PTTL', `${host.name.replaceAll(':', '%3a')}:k`))
        t.true(left > 0 || option === 'rememberDeletions', `a mark stays: ${ms}`)
        t.is(await session.get('k'), undefined)
      }
      const lease = await session.lease('k', ms)
      t.truthy(lease)
      await lease!.release()
      t.deepEqual(host.failures, [], `${ms}`)
      await session.close()
    }
  })
}
