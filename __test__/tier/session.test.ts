// A cache's second tier in Redis, by both libraries, over one server and over a cluster of three.
import test from 'ava'
import type { Redis } from 'ioredis'
import { TierError } from '../../src/base/errors.ts'
import type { TierMoment } from '../../src/tier/contract.ts'
import { installed } from '../router/support.ts'
import { connect } from './invalidation.ts'
import { fresh, openSession, setups, sinceOf } from './sessions.ts'

const servers = setups()
const check = installed('redis-server') && installed('redis-cli') ? test.serial : test.skip

test.before(async t => {
  t.timeout(120_000)
  if (check !== test.skip) await servers.start()
})
test.after.always(() => servers.stop())

const texts = ['', 'ascii', 'ümlaut €', '\ud800 half', 'x'.repeat(100_000), '\0\r\n']
const numbers = [0, -1.5, Number.MAX_VALUE, Number.POSITIVE_INFINITY, 2 ** 53]
const bytes = [new Uint8Array(), new Uint8Array([0, 255, 10, 13]), new Uint8Array(70_000).fill(7)]

for (const setup of servers.all) {
  const { title } = setup

  check(`a value of any kind comes back as it was: ${title}`, async t => {
    const { client } = await setup.client(t)
    for (const compression of [undefined, false, 'brotli', 'deflate'] as const) {
      const { session, host } = openSession(t, client, { compression })
      for (const encoded of [...texts, ...numbers, ...bytes]) {
        t.true(await session.set('k', fresh(encoded)))
        const found = (await session.get('k'))?.encoded
        if (typeof encoded === 'object') t.deepEqual(new Uint8Array(found as Uint8Array), encoded)
        else t.is(found, encoded)
      }
      t.deepEqual(host.failures, [])
    }
  })

  check(`what belongs to a value comes with it: ${title}`, async t => {
    const { client } = await setup.client(t)
    const { session } = openSession(t, client, { grace: '1m' })
    const tags = ['a', '', 'ü', '\ud800', '"']
    t.true(await session.set('k', fresh('v', { cost: 12.5, version: 7, tags })))
    const { freshFor, cost, version, tags: found } = (await session.get('k'))!
    t.true(freshFor > 0 && freshFor <= 60_000)
    t.deepEqual({ cost, version, found }, { cost: 12.5, version: 7, found: tags })
    t.true(await session.set('stale', fresh('v', { freshFor: -1000 })))
    const stale = (await session.get('stale'))!.freshFor
    t.true(stale <= -1000 && stale > -60_000)
  })

  check(`keys of different kinds are different keys: ${title}`, async t => {
    const { client } = await setup.client(t)
    const { session, host } = openSession(t, client)
    const keys = ['1', 1, new Uint8Array([49]), '~n1', '~b1', '', '\ud800', '\ufffd', '{a}b', 'a:b']
    const stored = await Promise.all(keys.map((key, i) => session.set(key, fresh(i))))
    t.true(stored.every(Boolean))
    const found = await Promise.all(keys.map(key => session.get(key)))
    t.deepEqual(
      found.map(value => value?.encoded),
      keys.map((_, i) => i),
    )
    await session.delete(keys)
    const left = await Promise.all(keys.map(key => session.get(key)))
    t.true(left.every(value => value === undefined))
    t.deepEqual(host.failures, [])
  })

  check(`caches with similar names share nothing: ${title}`, async t => {
    const { client } = await setup.client(t)
    const name = `n${Math.random()}`
    const [a, b, c] = [name, `${name}:x`, `${name}~t`].map(
      name => openSession(t, client, {}, name).session,
    )
    await a!.set('x:k', fresh('a'))
    await b!.set('k', fresh('b'))
    await c!.set('x:k', fresh('c'))
    t.is((await a!.get('x:k'))?.encoded, 'a')
    t.is((await b!.get('k'))?.encoded, 'b')
    await a!.clear()
    t.is(await a!.get('x:k'), undefined)
    t.is((await c!.get('x:k'))?.encoded, 'c')
  })

  check(`many keys of one tick come back each with its own value: ${title}`, async t => {
    const { client } = await setup.client(t)
    const { session } = openSession(t, client)
    const keys = Array.from({ length: 1500 }, (_, i) => i)
    await Promise.all(keys.map(key => session.set(key, fresh(key))))
    const found = await Promise.all([...keys, 'none'].map(key => session.get(key)))
    t.deepEqual(
      found.map(value => value?.encoded),
      [...keys, undefined],
    )
  })

  check(`Redis keeps a value as long as it is of use, and no longer: ${title}`, async t => {
    const { client, send } = await setup.client(t)
    const name = `life${Math.random()}`
    const { session } = openSession(t, client, { ttl: '30s', grace: '10s' }, name)
    const left = async () => Number(await send('PTTL', `${name}:k`))
    await session.set('k', fresh('v', { freshFor: 5000 }))
    t.true((await left()) > 5000 && (await left()) <= 15_000)
    await session.set('k', fresh('v', { freshFor: Number.POSITIVE_INFINITY }))
    t.true((await left()) > 15_000 && (await left()) <= 40_000)
    t.false(await session.set('gone', fresh('v', { freshFor: -10_000 })))
    t.is(await session.get('gone'), undefined)
    const endless = openSession(t, client, { ttl: Number.POSITIVE_INFINITY }, name).session
    await endless.set('k', fresh('v', { freshFor: Number.POSITIVE_INFINITY }))
    t.is(await left(), -1)
    t.is((await endless.get('k'))?.freshFor, Number.POSITIVE_INFINITY)
  })

  check(`a lower version never takes the place of a higher one: ${title}`, async t => {
    const { client } = await setup.client(t)
    const { session } = openSession(t, client)
    t.true(await session.set('k', fresh('2', { version: 2 })))
    t.false(await session.set('k', fresh('1', { version: 1 })))
    t.true(await session.set('k', fresh('2 again', { version: 2 })))
    const since = await sinceOf(session, 'k')
    t.true(await session.set('k', fresh('3', { version: 3 })))
    t.false(await session.set('k', fresh('late 2', { version: 2, since })))
    t.true(await session.set('k', fresh('4', { version: 4, since })))
    await session.delete(['k'])
    t.false(await session.set('k', fresh('3', { version: 3 })))
    t.true(await session.set('k', fresh('4', { version: 4 })))
    t.is((await session.get('k'))?.encoded, '4')
  })

  check(`a load does not bring back what was written or deleted since: ${title}`, async t => {
    const { client } = await setup.client(t)
    const { session } = openSession(t, client)
    const since = await sinceOf(session, 'k')
    await session.set('k', fresh('new'))
    t.false(await session.set('k', fresh('old', { since })))
    t.is((await session.get('k'))?.encoded, 'new')
    const later = await sinceOf(session, 'k')
    await session.delete(['k'])
    t.is(await session.get('k'), undefined)
    t.false(await session.set('k', fresh('old', { since: later })))
    t.is(await session.get('k'), undefined)
    t.true(await session.set('k', fresh('loaded', { since: await sinceOf(session, 'k') })))
    t.is((await session.get('k'))?.encoded, 'loaded')
    t.false(await session.set('other', fresh('v', { since: 0 })), 'not known since when')
  })

  check(`a tag takes all values that were known before, and none after: ${title}`, async t => {
    const { client } = await setup.client(t)
    const { session } = openSession(t, client)
    await session.set('a', fresh('a', { tags: ['x', 'y'] }))
    await session.set('b', fresh('b', { tags: ['y'] }))
    await session.set('c', fresh('c'))
    const since = await sinceOf(session, 'd')
    await session.invalidateTag('x')
    const read = async () =>
      (await Promise.all(['a', 'b', 'c', 'd'].map(key => session.get(key)))).map(v => v?.encoded)
    t.deepEqual(await read(), [undefined, 'b', 'c', undefined])
    await session.set('d', fresh('loaded before', { tags: ['x'], since }))
    t.is(await session.get('d'), undefined)
    await session.set('a', fresh('a2', { tags: ['x'] }))
    t.deepEqual(await read(), ['a2', 'b', 'c', undefined])
    void session.invalidateTag('x')
    void session.set('a', fresh('a3', { tags: ['x'] }))
    t.deepEqual(await read(), ['a3', 'b', 'c', undefined], 'in the order of one tick')
  })

  check(`clear takes all that was known before: ${title}`, async t => {
    const { client } = await setup.client(t)
    const { session } = openSession(t, client)
    await session.set('a', fresh('a'))
    const since = await sinceOf(session, 'b')
    await session.clear()
    await session.set('b', fresh('old', { since }))
    t.is(await session.get('a'), undefined)
    t.is(await session.get('b'), undefined)
    t.true(await session.set('a', fresh('a2')))
    t.is((await session.get('a'))?.encoded, 'a2')
    void session.clear()
    t.is(await session.get('a'), undefined)
    void session.clear()
    void session.set('a', fresh('a3'))
    t.is((await session.get('a'))?.encoded, 'a3')
  })

  check(`what Redis evicts brings nothing back that was invalidated: ${title}`, async t => {
    const { client, send } = await setup.client(t)
    const name = `evict${Math.random()}`
    const { session, host } = openSession(t, client, {}, name)
    const read = async (...keys: string[]) =>
      (await Promise.all(keys.map(key => session.get(key)))).map(value => value?.encoded)
    await session.set('a', fresh('a', { tags: ['x'] }))
    await session.set('b', fresh('b', { tags: ['y'] }))
    await session.set('c', fresh('c'))
    const since = await sinceOf(session, 'd')
    await session.invalidateTag('x')
    await send('DEL', `{${name}}~t`)
    t.deepEqual(await read('a', 'b', 'c'), [undefined, undefined, 'c'], 'all that have tags')
    await session.invalidateTag('z')
    t.deepEqual(await read('a', 'c'), [undefined, 'c'])
    await session.set('d', fresh('d', { tags: ['x'], since }))
    t.deepEqual(await read('d'), [undefined])
    await session.set('a', fresh('a2', { tags: ['x'] }))
    t.deepEqual(await read('a'), ['a2'])
    await session.set('old', fresh('old'))
    await session.clear()
    for (const command of [['DEL'], ['SET', 'x'], ['LPUSH', 'x']]) {
      const [word, ...rest] = command as [string]
      if (setup.lacks.includes(word)) continue
      await send('DEL', `{${name}}~e`)
      await send(word, `{${name}}~e`, ...rest)
      t.deepEqual(await read('old', 'a'), [undefined, undefined], word)
      await session.set('a', fresh('a3', { tags: ['x'] }))
      t.deepEqual(await read('old', 'a'), [undefined, 'a3'])
    }
    await send('DEL', `{${name}}~e`)
    await session.set('a', fresh('a4'))
    t.deepEqual(await read('old', 'a'), [undefined, 'a4'], 'whoever comes first')
    t.deepEqual(host.failures, [])
  })

  check(`writes of one tick take effect in their order: ${title}`, async t => {
    const { client } = await setup.client(t)
    const { session } = openSession(t, client)
    const first = session.set('k', fresh(1))
    const gone = session.delete(['k'])
    const last = session.set('k', fresh(2))
    const removed = session.set('other', fresh(3))
    t.deepEqual(await Promise.all([first, last, removed]), [true, true, true])
    await Promise.all([gone, session.delete(['other'])])
    t.is((await session.get('k'))?.encoded, 2)
    t.is(await session.get('other'), undefined)
  })

  check(`the order stays where one takes longer to compress: ${title}`, async t => {
    const { client } = await setup.client(t)
    const { session } = openSession(t, client)
    const large = 'large'.repeat(500_000)
    const all: Promise<unknown>[] = [session.set('k', fresh(large)), session.delete(['gone'])]
    await new Promise(setImmediate)
    all.push(session.set('k', fresh('small')))
    t.is((await session.get('k'))?.encoded, 'small', 'and a read comes after what came before')
    await Promise.all(all)
    t.is((await session.get('k'))?.encoded, 'small')
    await Promise.all([session.set('k', fresh('small')), session.set('k', fresh(large))])
    t.is((await session.get('k'))?.encoded, large)
  })

  check(`the order stays where the server does not know a script: ${title}`, async t => {
    const { client } = await setup.client(t)
    const forgets = !setup.lacks.includes('SCRIPT')
    const { session } = openSession(t, client)
    const name = (i: number) => `{${i}}`
    for (let i = 0; i < 10; i++) {
      // In a cluster each of three servers.
      for (const { port } of forgets ? setup.servers() : []) {
        await (await connect(t, setup.library, port)).send('SCRIPT', 'FLUSH')
      }
      await session.set(name(i), fresh(0))
      const gone = session.delete([name(i)])
      const last = session.set(name(i), fresh(1))
      await Promise.all([gone, last])
      t.is((await session.get(name(i)))?.encoded, 1)
    }
  })

  check(`one process has the right to load a key: ${title}`, async t => {
    const { client } = await setup.client(t)
    const name = `lease${Math.random()}`
    const a = openSession(t, client, {}, name).session
    const b = openSession(t, client, {}, name).session
    const lease = await a.lease('k', 60_000)
    t.truthy(lease)
    t.is(await b.lease('k', 60_000), undefined)
    t.truthy(await b.lease('other', 60_000))
    await lease!.release()
    const next = await b.lease('k', 60_000)
    t.truthy(next)
    // It is no longer theirs to give back.
    await lease!.release()
    t.is(await a.lease('k', 60_000), undefined)
  })

  check(`who waits for a key goes on when it was written or given up: ${title}`, async t => {
    const { client } = await setup.client(t)
    const name = `wait${Math.random()}`
    for (const invalidation of [{}, false] as const) {
      const a = openSession(t, client, { invalidation }, name).session
      const b = openSession(t, client, { invalidation }, name).session
      await Promise.all([a.ready, b.ready])
      const lease = await a.lease('k', 60_000)
      const waits = b.written('k', 60_000)
      await a.set('k', fresh('v'))
      await lease!.release()
      await t.notThrowsAsync(waits)
      t.is((await b.get('k'))?.encoded, 'v')
      await b.written('never', 1)
    }
  })

  check(`caches elsewhere hear what is written here: ${title}`, async t => {
    const { client } = await setup.client(t)
    for (const mode of ['tracking', 'bus'] as const) {
      const name = `hear${Math.random()}`
      const a = openSession(t, client, { invalidation: { mode } }, name)
      const b = openSession(t, client, { invalidation: { mode } }, name)
      await Promise.all([a.session.ready, b.session.ready])
      await a.session.set('k', fresh('v'))
      await b.host.hears('k')
      await a.session.delete(['gone', 5])
      await b.host.hears('gone')
      await b.host.hears('5')
      await a.session.invalidateTag('t')
      await b.host.hears('#t')
      t.deepEqual(a.host.changes, [], 'nobody hears of what he does himself')
      // Of what both have written each hears, if the other was last.
      await Promise.all([a, b].map(({ session }) => session.set('k', fresh('both'))))
      await b.session.set('k', fresh('last'))
      await a.host.hears('k')
      t.is((await a.session.get('k'))?.encoded, 'last')
      await a.session.clear()
      await b.host.hears('*')
    }
  })

  check(`what a session does itself takes nothing that it does later: ${title}`, async t => {
    const { client } = await setup.client(t)
    for (const mode of ['tracking', 'bus'] as const) {
      const name = `own${Math.random()}`
      const a = openSession(t, client, { invalidation: { mode } }, name)
      const b = openSession(t, client, { invalidation: { mode } }, name)
      await Promise.all([a.session.ready, b.session.ready])
      void a.session.invalidateTag('t')
      void a.session.clear()
      void a.session.set('k', fresh('v', { tags: ['t'] }))
      await b.host.hears('*')
      await b.session.set('end', fresh('v'))
      await a.host.hears('end')
      t.deepEqual(a.host.changes, ['end'])
    }
  })

  check(`the fleet's hot keys are those that all together read most: ${title}`, async t => {
    const { client, send } = await setup.client(t)
    const name = `hot${Math.random()}`
    const [a, b] = [1, 2].map(() => openSession(t, client, {}, name).session)
    t.deepEqual(await a!.fleetHot(10), [])
    await a!.publishHot([
      { key: 'x', count: 5 },
      { key: 7, count: 4 },
    ])
    await b!.publishHot([
      { key: 7, count: 4 },
      { key: new Uint8Array([1]), count: 1 },
    ])
    t.deepEqual(await a!.fleetHot(10), [7, 'x', new Uint8Array([1])])
    t.deepEqual(await b!.fleetHot(1), [7])
    t.true(Number(await send('PTTL', `${name}~h`)) > 0)
  })

  check(
    `of a large fleet a sample says what is hot, without those that are gone: ${title}`,
    async t => {
      const { client, send } = await setup.client(t)
      const name = `fleet${Math.random()}`
      const { session } = openSession(t, client, {}, name)
      await session.publishHot([{ key: 'mine', count: 5 }])
      const join = setup.lacks.includes('SADD')
        ? ['BW.JOIN', '1', `${name}~h`, '60000']
        : ['SADD', `${name}~h`]
      for (let i = 0; i < 20; i++) await send(...join, `gone ${i}`)
      t.deepEqual(await session.fleetHot(10), ['mine'])
      const [count] = setup.lacks.includes('SCARD')
        ? [((await send('BW.SAMPLE', '1', `${name}~h`, '100')) as unknown[]).length]
        : [await send('SCARD', `${name}~h`)]
      t.is(count, 1)
      for (let i = 0; i < 20; i++) {
        await openSession(t, client, {}, name).session.publishHot([{ key: i, count: 1 }])
      }
      t.is((await session.fleetHot(100)).length, 16)
    },
  )

  check(`what is damaged or not ours counts as missing, and is told: ${title}`, async t => {
    const { client, send } = await setup.client(t)
    const name = `bad${Math.random()}`
    const { session, host } = openSession(t, client, {}, name)
    const place = `${name}:k`
    for (const foreign of ['', 'x', 'hello world, this is not ours', '\xb7']) {
      await send('SET', place, foreign)
      t.is(await session.get('k'), undefined)
      t.true(host.failures.pop()?.[1] instanceof TierError)
      t.true(await session.set('k', fresh('v')))
      t.is((await session.get('k'))?.encoded, 'v')
    }
    for (const command of [
      ['DEL', place],
      ['LPUSH', place, 'x'],
    ]) {
      if (!setup.lacks.includes(command[0]!)) await send(...command)
    }
    t.is(await session.get('k'), undefined)
    t.true(await session.set('k', fresh('v')))
    t.is((await session.get('k'))?.encoded, 'v')
    await session.set('k', fresh('z'.repeat(10_000)))
    await send('SETRANGE', place, '76', 'damaged')
    t.is(await session.get('k'), undefined)
    t.is(host.failures.length, 1)
  })

  check(`a value that is too large is refused, not cut: ${title}`, async t => {
    const { client } = await setup.client(t)
    const { session, host } = openSession(t, client, { maxValueSize: '1mb' })
    const large = new Uint8Array(1024 ** 2).map((_, i) => i * i)
    t.true(await session.set('k', fresh(large)))
    t.deepEqual(new Uint8Array((await session.get('k'))!.encoded as Uint8Array), large)
    for (const encoded of [
      'x'.repeat(1024 ** 2 + 1),
      'ü'.repeat(1024 ** 2 / 2 + 1),
      `\ud800${'x'.repeat(1024 ** 2 / 2)}`,
    ]) {
      await session.set('k', fresh('older'))
      t.false(await session.set('k', fresh(encoded)))
      t.regex(host.failures.pop()![1].message, /maxValueSize, 1048576/)
      t.is(await session.get('k'), undefined, 'what was there is older')
    }
    t.true(await session.set('k', fresh('ü'.repeat(1024 ** 2 / 2))))
    t.false(await session.set('k', fresh('gone', { freshFor: 0 })))
    t.is(await session.get('k'), undefined)
    t.deepEqual(host.failures, [])
  })

  check(`a prefix is before every key: ${title}`, async t => {
    const { client, send } = await setup.client(t)
    const prefix = `app{${Math.random()}`
    for (const mode of ['tracking', 'bus'] as const) {
      const options = { prefix, invalidation: { mode } }
      const [a, b] = [1, 2].map(() => openSession(t, client, options, 'one'))
      const other = openSession(t, client, { ...options, prefix: '' }, 'one')
      await Promise.all([a!, b!, other].map(({ session }) => session.ready))
      t.true(await a!.session.set('k', fresh('v', { tags: ['t'] })))
      await b!.host.hears('k')
      t.is(await send('EXISTS', `${prefix}one:k`), 1)
      t.is((await b!.session.get('k'))?.encoded, 'v')
      t.is(await other.session.get('k'), undefined)
      await a!.session.invalidateTag('t')
      await b!.host.hears('#t')
      await a!.session.clear()
      await b!.host.hears('*')
      t.is(await b!.session.get('k'), undefined)
      t.deepEqual(other.host.changes, [])
      for (const { host } of [a!, b!, other]) t.deepEqual(host.failures, [])
    }
  })

  if (setup.isCluster) continue

  check(`the server is asked for its time where something is missing: ${title}`, async t => {
    const { client, send } = await setup.client(t)
    const { session } = openSession(t, client)
    const asked = async () =>
      Number(/cmdstat_time:calls=(\d+)/.exec(String(await send('INFO', 'commandstats')))?.[1] ?? 0)
    await session.set('k', fresh('v'))
    await session.set('other', fresh('v'))
    await session.get('k')
    const before = await asked()
    const counts = !setup.lacks.includes('INFO commandstats')
    for (let i = 0; i < 20; i++) {
      const mark: { since?: TierMoment } = {}
      t.true((await session.get('k', mark))!.freshFor > 50_000)
      t.truthy(mark.since)
    }
    // A script asks as well: none ran.
    t.is(await asked(), before)
    const since = await sinceOf(session, 'k')
    t.true(await session.set('k', fresh('anew', { since })), 'nothing came after it')
    const [missing, found] = await Promise.all([sinceOf(session, 'none'), sinceOf(session, 'k')])
    t.true(!counts || (await asked()) > before)
    t.true(await session.set('none', fresh('loaded', { since: missing })))
    await session.delete(['k'])
    t.false(await session.set('k', fresh('old', { since: found })))
  })

  check(`a prefix that the client was given is before every key: ${title}`, async t => {
    const { client, send } = await setup.client(t)
    const keyPrefix = `app${Math.random()}:`
    const prefixed = (client as Redis).duplicate({ keyPrefix } as object) as Redis
    t.teardown(() => prefixed.disconnect())
    if (setup.library === 'node-redis')
      await (prefixed as { connect(): Promise<unknown> }).connect()
    const options = { invalidation: {} }
    const a = openSession(t, prefixed, options, 'one')
    const b = openSession(t, prefixed, options, 'one')
    const other = openSession(t, client, options, 'one')
    await Promise.all([a, b, other].map(({ session }) => session.ready))
    t.true(await a.session.set('k', fresh('v')))
    await b.host.hears('k')
    t.is(await send('EXISTS', `${keyPrefix}one:k`), 1)
    t.is((await b.session.get('k'))?.encoded, 'v')
    t.is(await other.session.get('k'), undefined)
    t.deepEqual(other.host.changes, [])
    t.truthy(await a.session.lease('k', 60_000))
    t.is(await b.session.lease('k', 60_000), undefined)
    await a.session.delete(['k'])
    t.is(await b.session.get('k'), undefined)
    await a.session.publishHot([{ key: 'k', count: 1 }])
    t.deepEqual(await b.session.fleetHot(1), ['k'])
    t.deepEqual(await other.session.fleetHot(1), [])
  })
}
