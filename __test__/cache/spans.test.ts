// Every option that takes a duration or a size: what cannot be is refused by its name, and what is
// endless or huge does as it says.
import test from 'ava'
import { Cache, type InvalidOptionError } from '../../src/index.ts'
import { createRouter } from '../../src/router/index.ts'

type Give = (value: never) => unknown

const cache = (options: object) => new Cache<string, string>({ max: 10, ...options })
const loader = () => 'value'
const writer = () => {}

/** By the name that an error gives: how the value is given. */
const durations: Record<string, Give> = {
  ttl: ttl => cache({ ttl }),
  staleWhileRevalidate: staleWhileRevalidate => cache({ staleWhileRevalidate }),
  staleIfError: staleIfError => cache({ staleIfError }),
  retryAfter: retryAfter => cache({ retryAfter }),
  negativeTtl: negativeTtl => cache({ negativeTtl }),
  errorTtl: errorTtl => cache({ errorTtl }),
  softTimeout: softTimeout => cache({ softTimeout }),
  timeout: timeout => cache({ timeout }),
  lockTimeout: lockTimeout => cache({ lockTimeout }),
  localTtl: localTtl => cache({ localTtl }),
  uncoveredTtl: uncoveredTtl => cache({ uncoveredTtl }),
  'ttl of a set': ttl => cache({}).set('a', '1', { ttl }),
  'ttl of many': ttl => cache({}).setMany([['a', '1']], { ttl }),
  'ttl of expire': ttl => cache({ ttl: 5 }).set('a', '1').expire('a', ttl),
  'ttl of a function': ttl => cache({ ttl: () => ttl }).set('a', '1'),
  'ttl of a counter': ttl => cache({ codec: 'number' }).increment('a', 1, { ttl }),
  'ttl of an update': ttl => cache({}).update('a', () => '1', { ttl }),
  'ttl of a first': ttl => cache({}).setIfAbsent('a', '1', { ttl }),
}

/** Those that have to end. */
const ending: Record<string, Give> = {
  'batch.when': when => cache({ batchLoader: loader, batch: { when } }),
  'origin.rate.per': per => cache({ origin: { rate: { limit: 1, per } } }),
  'origin.retry.backOff.initial': initial =>
    cache({ origin: { retry: { retries: 1, backOff: { initial } } } }),
  'origin.retry.backOff.max': max => cache({ origin: { retry: { retries: 1, backOff: { max } } } }),
  'origin.breaker.halfOpenAfter': halfOpenAfter =>
    cache({ origin: { breaker: { halfOpenAfter } } }),
  'writeThrough.timeout': timeout => cache({ writer, writeThrough: { timeout } }),
  'writeBehind.maxDelay': maxDelay => cache({ writeBehind: { writer, maxDelay } }),
  'writeBehind.closeTimeout': closeTimeout => cache({ writeBehind: { writer, closeTimeout } }),
  'writeBehind.backOff.initial': initial =>
    cache({ writeBehind: { writer, backOff: { initial } } }),
  'writeBehind.backOff.max': max => cache({ writeBehind: { writer, backOff: { max } } }),
  'warm.every': every => cache({ warm: { from: '/nowhere/at/all', every } }),
  'warm.budget': budget => cache({ warm: { from: '/nowhere/at/all', budget } }),
}

const sizes: Record<string, Give> = {
  maxBytes: maxBytes => new Cache({ maxBytes }),
  'near.maxBytes': maxBytes => cache({ near: { maxBytes } }),
  'maxBytes of a resize': maxBytes => cache({}).resize({ maxBytes }),
  'maxBytes of a router': maxBytes => createRouter({ threads: 0, maxBytes }),
}

const counts: Record<string, Give> = {
  max: max => new Cache({ max }),
  'near.max': max => cache({ near: { max } }),
  'max of a resize': max => cache({}).resize({ max }),
  'batch.maxBatch': maxBatch => cache({ batchLoader: loader, batch: { maxBatch } }),
  'origin.retry.retries': retries => cache({ origin: { retry: { retries } } }),
  'origin.breaker.failures': failures => cache({ origin: { breaker: { failures } } }),
  'origin.rate.limit': limit => cache({ origin: { rate: { limit, per: 5 } } }),
  'writeBehind.maxBatch': maxBatch => cache({ writeBehind: { writer, maxBatch } }),
  'writeBehind.maxPending': maxPending => cache({ writeBehind: { writer, maxPending } }),
  'warm.keys': keys => cache({ warm: { from: '/nowhere/at/all', keys } }),
}

const never = [Number.NaN, -1, '', 'soon', '-5s', '1e21', null, {}, [5], true]
const isRefused = (t: { is: (a: unknown, b: unknown, c: string) => void }, name: string) => {
  const [option = ''] = name.split(' of ')
  return (error: unknown, value: unknown) => {
    const { code, option: named } = error as InvalidOptionError
    t.is(code, 'ERR_INVALID_OPTION', `${name} ${String(value)}`)
    t.is(named, option, `${name} ${String(value)}`)
  }
}

for (const [table, others, huge] of [
  [durations, [0], [1e21, 2 ** 53, Number.POSITIVE_INFINITY, '999999999999999w']],
  [ending, [0, Number.POSITIVE_INFINITY], [1e21, 2 ** 53, '999999999999999w']],
  [sizes, [0, Number.POSITIVE_INFINITY, 1e21, 2 ** 53, 1.5], [2 ** 53 - 1]],
  [counts, [Number.POSITIVE_INFINITY, 1e21, 2 ** 53, 1.5], [2 ** 53 - 1]],
] as const) {
  for (const [name, give] of Object.entries(table)) {
    test(`${name} is refused where it cannot be, and taken where it is huge`, t => {
      const refused = isRefused(t, name)
      for (const value of [...never, ...others]) {
        const error = t.throws(() => give(value as never), undefined, `${name} ${String(value)}`)
        refused(error, value)
      }
      for (const value of huge) {
        t.notThrows(() => give(value as never), `${name} ${String(value)}`)
      }
    })
  }
}

test('what lives for ever by any measure does', async t => {
  for (const ttl of [1e21, 2 ** 53, Number.POSITIVE_INFINITY]) {
    const forever = cache({ ttl, timeout: ttl, softTimeout: ttl, lockTimeout: ttl, loader })
    forever.set('a', '1', { ttl })
    t.is(forever.get('a'), '1')
    t.is(await forever.fetch('b'), 'value')
    t.true((forever.ttl('a') as number) > 1e12)
    await forever.close()
  }
})

test('near caches of any bound hold what fits', t => {
  const huge = new Cache<string, string>({ max: 10, near: { max: 2 ** 53 - 1 }, codec: 'string' })
  huge.set('a', '1')
  for (let i = 0; i < 10; i++) t.is(huge.get('a'), '1')
  const wide = new Cache<string, number>({
    max: 2 ** 53 - 1,
    near: { max: 2 ** 40 },
    codec: 'number',
  })
  wide.set('a', 1)
  for (let i = 0; i < 10; i++) t.is(wide.get('a'), 1)
})
