import { execFile } from 'node:child_process'
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { promisify } from 'node:util'
import test from 'ava'
import { InvalidOptionError } from '../../src/base/errors.ts'
import { type CacheEventName, Events } from '../../src/events/events.ts'
import { type LoadTrace, loads as loadTraces } from '../../src/events/tracing.ts'
import { Cache } from '../../src/index.ts'

const names: CacheEventName[] = [
  'hit',
  'miss',
  'stale',
  'load',
  'coalesced',
  'refresh',
  'evict',
  'expire',
  'breaker',
  'tier',
  'write',
]

test('a listener hears of its events, with the name of the cache, until it is taken away', t => {
  const events = new Events<string>('users')
  const heard: unknown[] = []
  const off = events.on('hit', event => heard.push(event))
  events.hit.emit({ key: 'a' })
  events.miss.emit({ key: 'b' })
  off()
  off()
  events.hit.emit({ key: 'c' })
  t.deepEqual(heard, [{ cache: 'users', key: 'a' }])
})

test('an event is heard only while somebody listens, each on its own', t => {
  const events = new Events<string>(undefined)
  for (const name of names) {
    t.false(events[name].isHeard)
    const off = events.on(name, () => {})
    t.deepEqual(
      names.filter(each => events[each].isHeard),
      [name],
    )
    off()
    t.false(events[name].isHeard)
  }
})

test('a listener may be added twice and taken away once', t => {
  const events = new Events<string>('users')
  let calls = 0
  const listener = () => {
    calls++
  }
  const off = events.on('miss', listener)
  events.on('miss', listener)
  events.miss.emit({ key: 'a' })
  off()
  events.miss.emit({ key: 'b' })
  t.is(calls, 3)
})

test('once hears one event, even if the listener causes the next', t => {
  const events = new Events<string>('users')
  const heard: string[] = []
  events.once('miss', ({ key }) => {
    heard.push(key)
    events.miss.emit({ key: 'inner' })
  })
  events.once('miss', () => heard.push('taken away'))()
  events.miss.emit({ key: 'outer' })
  events.miss.emit({ key: 'later' })
  t.deepEqual(heard, ['outer'])
  t.false(events.miss.isHeard)
})

test('listeners that add and take away others change nothing about the event that is told', t => {
  const events = new Events<string>('users')
  const heard: string[] = []
  events.on('hit', () => {
    heard.push('first')
    offSecond()
    events.on('hit', () => heard.push('added'))
  })
  const offSecond = events.on('hit', () => heard.push('second'))
  events.hit.emit({ key: 'a' })
  t.deepEqual(heard, ['first', 'second'])
  events.hit.emit({ key: 'b' })
  t.deepEqual(heard.slice(2), ['first', 'added'])
})

test('what a listener throws stops neither the emitter nor the others', async t => {
  const source = `
    import { Events } from ${JSON.stringify(new URL('../../src/events/events.ts', import.meta.url).href)}
    process.on('uncaughtException', error => console.log('uncaught ' + error))
    const events = new Events('users')
    events.on('hit', () => { throw 'of a listener' })
    events.on('hit', () => console.log('second'))
    events.hit.emit({ key: 'a' })
    console.log('emitted')`
  const args = ['--import=tsx', '--input-type=module', '--eval', source]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  t.is(stdout, 'second\nemitted\nuncaught of a listener\n')
})

test.serial('subscribers of a channel hear of all caches, from when they subscribe on', t => {
  const [users, pages] = [new Events<string>('users'), new Events<string>('pages')]
  for (const name of names) {
    const heard: unknown[] = []
    const listener = (message: unknown, channel: string | symbol) => heard.push([message, channel])
    t.false(users[name].isHeard)
    subscribe(`breakwater:${name}`, listener)
    t.true(users[name].isHeard)
    t.false(users[name].hasListeners)
    users[name].emit({ key: 'a' } as never)
    pages[name].emit({ key: 'b' } as never)
    unsubscribe(`breakwater:${name}`, listener)
    t.false(users[name].isHeard)
    users[name].emit({ key: 'c' } as never)
    t.deepEqual(heard, [
      [{ cache: 'users', key: 'a' }, `breakwater:${name}`],
      [{ cache: 'pages', key: 'b' }, `breakwater:${name}`],
    ])
  }
})

const traceLoad = <T extends { value: unknown }>(load: () => Promise<T>, trace: LoadTrace) =>
  loadTraces.isHeard ? loadTraces.run(trace, load, ({ value }) => value) : load()

test.serial('loads can be traced, those that fail too', async t => {
  const seen: unknown[] = []
  const note = (step: string) => (message: object) => {
    const { result, error } = message as { result?: unknown; error?: unknown }
    seen.push([step, result ?? error])
  }
  const subscribers = {
    start: note('start'),
    end: note('end'),
    asyncStart: note('asyncStart'),
    asyncEnd: note('asyncEnd'),
    error: note('error'),
  }
  const loads = tracingChannel('breakwater:load')
  const trace = () => ({ cache: 'users', key: 'a', reason: 'miss' as const })
  t.is((await traceLoad(async () => ({ value: 'untraced' }), trace())).value, 'untraced')
  loads.subscribe(subscribers)
  t.is((await traceLoad(async () => ({ value: 'value' }), trace())).value, 'value')
  const fails = () => Promise.reject('sick')
  t.is(await traceLoad(fails, trace()).catch(error => error), 'sick')
  loads.unsubscribe(subscribers)
  t.is((await traceLoad(async () => ({ value: 'untraced' }), trace())).value, 'untraced')
  t.deepEqual(seen, [
    ['start', undefined],
    ['end', undefined],
    ['asyncStart', 'value'],
    ['asyncEnd', 'value'],
    ['start', undefined],
    ['end', undefined],
    ['error', 'sick'],
    ['asyncStart', 'sick'],
    ['asyncEnd', 'sick'],
  ])
})

test.serial('a trace shows what the loader gave', async t => {
  const seen: unknown[] = []
  const { asyncEnd } = tracingChannel('breakwater:load')
  const listener = (message: unknown) => seen.push((message as { result: unknown }).result)
  asyncEnd.subscribe(listener)
  const gives: Record<string, unknown> = { a: { name: 'Alice' }, b: undefined, c: null }
  const cache = new Cache({ max: 10, loader: async (key: string) => gives[key] })
  for (const key of Object.keys(gives)) await cache.fetch(key)
  asyncEnd.unsubscribe(listener)
  t.deepEqual(seen, Object.values(gives))
})

test.serial('one subscriber of a trace is enough', async t => {
  const keys: unknown[] = []
  const { asyncEnd } = tracingChannel('breakwater:load')
  const listener = (message: unknown) => keys.push((message as { key: string }).key)
  asyncEnd.subscribe(listener)
  await traceLoad(async () => ({ value: 'value' }), {
    cache: undefined,
    key: 'a',
    reason: 'refresh',
  })
  asyncEnd.unsubscribe(listener)
  t.deepEqual(keys, ['a'])
})

test('after closing nobody hears anything', t => {
  const events = new Events<string>('users')
  const off = events.on('hit', () => t.fail())
  events.close()
  events.hit.emit({ key: 'a' })
  t.false(events.hit.isHeard)
  off()
})

test('events that do not exist, and listeners that are none, are errors', t => {
  const events = new Events<string>('users')
  for (const event of ['hits', '__proto__', 'constructor', 'close', '', 1, undefined]) {
    const listen = () => events.on(event as 'hit', () => {})
    t.is(t.throws(listen, { instanceOf: InvalidOptionError }).option, 'event')
  }
  for (const listener of [undefined, null, 'f', {}]) {
    for (const method of ['on', 'once'] as const) {
      const listen = () => events[method]('hit', listener as never)
      t.is(t.throws(listen, { instanceOf: InvalidOptionError }).option, 'listener')
    }
  }
})

test('every hit is told, whether of a near copy or not, to whoever listens or subscribes at the time', t => {
  const heard: string[] = []
  const hear = (by: string) => (event: unknown) => {
    const { cache, key } = event as { cache: string; key: string }
    if (cache === 'told hits') heard.push(`${by} ${key}`)
  }
  const subscriber = hear('subscriber')
  const listener = hear('listener')
  const hits = (near: boolean, cache: Cache<string, object>): string[] => {
    heard.length = 0
    for (let i = 0; i < 3; i++) cache.fetchSync('a')
    t.is(cache.stats().hits > 0, true, `near: ${near}`)
    return heard.splice(0)
  }
  for (const near of [true, false]) {
    subscribe('breakwater:hit', subscriber)
    const cache = new Cache<string, object>({
      name: 'told hits',
      max: 10,
      near,
      loader: () => ({}),
    })
    cache.set('a', {})
    cache.get('a')
    const thrice = (by: string) => [by, by, by]
    t.deepEqual(hits(near, cache), thrice('subscriber a'), 'subscribed before the cache was made')
    unsubscribe('breakwater:hit', subscriber)
    t.deepEqual(hits(near, cache), [], 'nobody')
    cache.once('hit', listener)
    t.deepEqual(hits(near, cache), ['listener a'], 'once')
    const off = cache.on('hit', listener)
    subscribe('breakwater:hit', subscriber)
    off()
    t.deepEqual(hits(near, cache), thrice('subscriber a'), 'subscribed later')
    cache.on('hit', listener)
    unsubscribe('breakwater:hit', subscriber)
    t.deepEqual(hits(near, cache), thrice('listener a'), 'a listener alone')
    cache.close()
  }
})
