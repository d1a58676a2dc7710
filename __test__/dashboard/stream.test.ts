// What viewers are told: figures, hot keys, what happened; nothing is looked at when nobody watches.
import test from 'ava'
import type { Removals } from '../../src/dashboard/frames.ts'
import { act, ask, built, dashboard, open, served, TOKEN, until, Watcher } from './support.ts'

const { Cache } = built
const every = '100ms'

/** A cache that counts how often it is looked at. */
class Counted extends Cache {
  looks = 0
  override stats() {
    this.looks++
    return super.stats()
  }
}

test('nobody who watches costs nothing; all who watch share the samples', async t => {
  t.timeout(60_000)
  const cache = new Counted({ max: 10 })
  const port = await served(t, dashboard(cache, { every }))
  t.is(cache.looks, 0)
  const [one, other] = [await Watcher.open(t, port), await Watcher.open(t, port)]
  const [ofOne, ofOther] = [new Set<number>(), new Set<number>()]
  // Both are told the same samples.
  while ([...ofOne].filter(at => ofOther.has(at)).length < 3) {
    const [mine, theirs] = await Promise.all([one.sample(), other.sample()])
    ofOne.add(mine.at)
    ofOther.add(theirs.at)
  }
  one.leave()
  await other.sample()
  other.leave()
  let looks = -1
  await until(async () => {
    const before = looks
    looks = cache.looks
    await new Promise(resolve => setTimeout(resolve, 300))
    return before === looks && looks === cache.looks
  })
  t.pass()
})

test('a viewer who comes later sees the past', async t => {
  t.timeout(60_000)
  const port = await served(t, dashboard(new Cache({ max: 10, name: 'past' }), { every }))
  const first = await Watcher.open(t, port)
  t.deepEqual((await first.hello()).past.past?.at, [])
  const { at } = await first.sample()
  await first.sample()
  const second = await Watcher.open(t, port)
  const { past, shapes } = await second.hello()
  t.true(past.past!.at.includes(at))
  t.is(past.past!.values[0]!.length, shapes[0]!.columns.length)
})

test('figures are those of the cache', async t => {
  t.timeout(60_000)
  const cache = new Cache({ max: 100, name: 'figures', loader: (key: string) => key })
  const port = await served(t, dashboard(cache, { every }))
  const watcher = await Watcher.open(t, port)
  const { columns } = (await watcher.hello()).shapes[0]!
  await watcher.sample()
  for (let i = 0; i < 90; i++) cache.get('nothing')
  for (let i = 0; i < 10; i++) await cache.fetch(`key ${i % 5}`)
  const of = (name: string, { looks }: { looks: Record<string, { values: readonly unknown[] }> }) =>
    looks.figures!.values[columns.indexOf(name)] as number
  const sample = await watcher.sample(sample => of('loads', sample) > 0)
  t.true(of('reads', sample) > 0)
  t.true(of('p99', sample) >= 0)
  t.is(of('entries', await watcher.sample(sample => of('entries', sample) > 0)) <= 5, true)
})

test('keys of strangers travel as data, cut; of ten thousand the hottest', async t => {
  t.timeout(120_000)
  const hostile = [
    '</script><script>alert(1)</script>',
    'a\u202Eb\0\n\nevent: hello\ndata: {}',
    '__proto__',
  ]
  const cache = new Cache<string | number | Buffer>({ max: 20_000, name: 'strange' })
  const keys = [...hostile, 'x'.repeat(600), 7, Buffer.from([0xff, 0x00])]
  for (let i = 0; i < 10_000; i++) cache.set(`hot ${i}`, 1)
  for (const key of keys) cache.set(key, 1)
  for (let i = 0; i < 10_000; i++) {
    for (const key of keys) for (let reads = 0; reads < 5; reads++) cache.get(key)
    cache.get(`hot ${i}`)
  }
  const port = await served(t, dashboard(cache, { every }))
  const watcher = await Watcher.open(t, port)
  const { rows } = (await watcher.sample()).looks.strange!.tables.hot!
  t.true(rows.length <= 100)
  const found = rows.map(([key]) => key) as { kind: string; text: string; cut?: boolean }[]
  for (const text of hostile) t.true(found.some(key => key.text === text && !key.cut))
  t.true(found.some(({ text, cut }) => cut === true && text.length === 512))
  t.true(found.some(({ kind, text }) => kind === 'number' && text === '7'))
  t.true(found.some(({ kind, text }) => kind === 'bytes' && text === '/wA='))
})

test('a viewer that goes at any moment disturbs nobody', async t => {
  t.timeout(60_000)
  const port = await served(t, dashboard(new Cache({ max: 10 }), { every }))
  const stays = await Watcher.open(t, port)
  for (let i = 0; i < 30; i++) {
    const goes = await Watcher.open(t, port)
    if (i % 2 === 0) await goes.hello()
    goes.leave()
  }
  for (let i = 0; i < 3; i++) t.truthy(await stays.sample())
})

test('more viewers than can be are refused, until one leaves', async t => {
  t.timeout(120_000)
  const port = await served(t, dashboard(new Cache({ max: 10 }), { every: '1m' }))
  const all = await Promise.all(Array.from({ length: 100 }, () => Watcher.open(t, port)))
  t.is((await ask(port, '/events')).status, 503)
  all[0]!.leave()
  await until(async () => {
    const reply = await open(port, '/events')
    reply.destroy()
    return reply.statusCode === 200
  })
  t.pass()
})

test('what is done is told to all who watch', async t => {
  t.timeout(60_000)
  const cache = new Cache<string>({ max: 100, name: 'told' })
  const port = await served(t, dashboard(cache, { every, token: TOKEN }))
  const watcher = await Watcher.open(t, port)
  await act(port, { source: 'told', action: 'flush' })
  const { moments } = await watcher.sample(({ moments }) => moments.length > 0)
  t.regex(moments[0]!.text, /flush/)
})

test('removals are told as they come, and only to those who ask', async t => {
  t.timeout(60_000)
  const cache = new Cache<string>({ max: 1000, name: 'left' })
  const port = await served(t, dashboard(cache, { every, token: TOKEN }))
  const headers = { authorization: `Bearer ${TOKEN}` }
  const watcher = await Watcher.open(t, port, '/removals?source=left', headers)
  await watcher.next('removals')
  cache.set('a', 1).delete('a')
  for (let i = 0; i < 500; i++) cache.set(`${i}`, 1)
  cache.clear()
  let count = 0
  const reasons = new Set<string>()
  while (count < 501) {
    const { removals, more } = await watcher.next<Removals>('removals')
    for (const { reason } of removals) reasons.add(reason)
    count += removals.length + more
    t.true(removals.length <= 50)
  }
  t.true(reasons.has('deleted') && reasons.has('cleared'))
})

test('a removal for a rare reason is told beside many for a frequent one', async t => {
  t.timeout(60_000)
  const cache = new Cache<string>({ max: 1000, name: 'rare' })
  const port = await served(t, dashboard(cache, { every, token: TOKEN }))
  const headers = { authorization: `Bearer ${TOKEN}` }
  const watcher = await Watcher.open(t, port, '/removals?source=rare', headers)
  await watcher.next('removals')
  for (let i = 0; i < 900; i++) cache.set(`${i}`, 1)
  for (let i = 0; i < 800; i++) cache.set(`${i}`, 2)
  cache.delete('850')
  cache.delete('851')
  const { removals, more } = await watcher.next<Removals>('removals')
  const of = (reason: string) => removals.filter(removal => removal.reason === reason).length
  t.is(of('deleted'), 2)
  t.is(of('replaced'), 48)
  t.is(more, 752)
})

test('a cache that is closed is shown as down', async t => {
  t.timeout(60_000)
  const cache = new Cache({ max: 10, name: 'ends' })
  const port = await served(t, dashboard(cache, { every }))
  const watcher = await Watcher.open(t, port)
  t.is((await watcher.sample()).looks.ends!.state, 'up')
  await cache.close()
  const { looks } = await watcher.sample(({ looks }) => looks.ends!.state === 'down')
  t.is(looks.ends!.stateText, 'closed')
  t.truthy(await (await Watcher.open(t, port)).sample())
})
