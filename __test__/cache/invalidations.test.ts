// Invalidations that come as events, and the example of docs/loading.md that reads them from a stream.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { Cache, type Invalidation } from '../../src/index.ts'
import { blocksOf, run } from '../helpers/examples.ts'
import { gate } from '../migrating/support.ts'
import { installed, redis } from '../router/support.ts'

const check = installed('redis-server') ? test : test.skip

interface Example {
  announce(redis: Redis, stream: string, change: Invalidation): Promise<string>
  changes(
    redis: Redis,
    stream: string,
    cache: Cache,
    pause?: number,
  ): AsyncIterable<Invalidation<string>>
}

/** The example, as it stands in the guide. */
async function example(): Promise<Example> {
  const block = blocksOf('docs/loading.md').find(({ code }) =>
    code.includes('export async function* changes'),
  )
  return (await run(block!.code)) as unknown as Example
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 10_000; i++) {
    if (await what()) return
    await sleep(1)
  }
  throw new Error('it did not come to be so')
}

function connect(t: ExecutionContext, port: number, options: object = {}): Redis {
  const client = new Redis({ port, host: '127.0.0.1', ...options })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return client
}

/** A cache that follows a stream, and who writes into it. */
async function following(t: ExecutionContext, options: object = {}) {
  const { port } = await redis(t)
  const { announce, changes } = await example()
  const cache = new Cache({ max: 100 })
  t.teardown(() => cache.close())
  const [producer, consumer] = [connect(t, port), connect(t, port, options)]
  const followed = cache.consume(changes(consumer, 'changes', cache, 5))
  const tell = (change: Invalidation) => announce(producer, 'changes', change)
  const waiting = () => producer.client('LIST').then(list => /cmd=xread /.test(String(list)))
  await until(waiting)
  return { cache, consumer, producer, followed, tell, waiting }
}

check('changes in a stream are forgotten here, and older versions do not come back', async t => {
  const { cache, consumer, followed, tell } = await following(t)
  const users = cache.namespace('users')
  users.set('1', 'old', { version: 6 }).set('2', 'new', { version: 8 }).set('3', 'x')
  cache.set('plain', 'x')
  await tell({ namespace: 'users', keys: ['1', '2'], version: 7 })
  await tell({ keys: ['plain'] })
  await until(() => cache.get('plain') === undefined)
  t.deepEqual(users.getMany(['1', '2', '3']), [undefined, 'new', 'x'])
  users.set('1', 'late', { version: 6 })
  t.is(users.get('1'), undefined)
  const lagging = (_: string, load: { version: number | undefined }) => {
    load.version = 6
    return 'of a replica that lags behind'
  }
  t.is(await users.getOrSet('1', lagging), 'of a replica that lags behind')
  t.is(users.get('1'), undefined, 'it is given, and not kept')
  users.set('1', 'new', { version: 7 })
  t.is(users.get('1'), 'new')
  await cache.close()
  consumer.disconnect()
  t.is(await followed, 2)
})

check('a consumer whose connection was cut goes on where it was', async t => {
  const { cache, producer, tell, waiting } = await following(t)
  cache.set('a', 'x').set('b', 'x').set('c', 'x')
  await tell({ keys: ['a'] })
  await until(() => !cache.has('a'))
  await until(waiting)
  for (const key of ['b', 'c']) {
    await producer.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await tell({ keys: [key] })
    await until(() => !cache.has(key))
  }
  t.pass()
})

check('a consumer that was away for longer than the stream lasts drops everything', async t => {
  // One that says that it has failed, rather than sends again by itself.
  const options = { autoResendUnfulfilledCommands: false, retryStrategy: () => null }
  const { cache, consumer, producer, tell, waiting } = await following(t, options)
  cache.set('a', 'x').set('kept', 'x')
  await tell({ keys: ['a'] })
  await until(() => !cache.has('a'))
  t.true(cache.has('kept'))
  await until(waiting)
  consumer.disconnect()
  await until(async () => !(await waiting()))
  cache.set('b', 'x')
  await tell({ keys: ['missed'] })
  await tell({ keys: ['later'] })
  await producer.xtrim('changes', 'MAXLEN', 1)
  await consumer.connect()
  await until(() => cache.size === 0)
  cache.set('d', 'x').set('e', 'x')
  await tell({ keys: ['d'] })
  await until(() => !cache.has('d'))
  t.true(cache.has('e'), 'it has caught up')
})

test('events are done in their order, from anything that can be iterated, until the cache is closed', async t => {
  const cache = new Cache<string, string>({ max: 10 })
  cache.set('a', 'x').set('v2:users:b', 'x')
  t.is(await cache.consume([{ keys: ['a'] }, { namespace: 'v2:users', keys: ['b', 'none'] }]), 2)
  t.is(cache.size, 0)
  t.is(await cache.consume([]), 0)
  let asked = 0
  async function* endless() {
    for (;;) {
      asked++
      await turn()
      yield { keys: ['a'] }
    }
  }
  const followed = cache.consume(endless())
  await until(() => asked > 3)
  await cache.close()
  const done = await followed
  t.is(done, asked - 1)
})

test('a load that is under way when its key changes is given, and not kept', async t => {
  const cache = new Cache<string, string>({ max: 10 })
  for (const version of [undefined, 7]) {
    const { open, end } = gate<string>()
    const loaded = cache.getOrSet('a', open)
    await cache.consume([{ keys: ['a'], version }])
    end('old')
    t.is(await loaded, 'old')
    t.is(cache.get('a'), undefined)
  }
})

const wrong: [string, unknown, RegExp][] = [
  ['nothing', undefined, /^event/],
  ['null', null, /^event/],
  ['no keys', {}, /^event/],
  ['keys that are no list', { keys: 'ab' }, /^event/],
  ['a version below 0', { keys: ['a'], version: -1 }, /^event\.version/],
  ['a version that is a text', { keys: ['a'], version: '7' }, /^event\.version/],
  ['a namespace that is none', { keys: ['a'], namespace: 7 }, /^event\.namespace/],
  ['an empty namespace', { keys: ['a'], namespace: '' }, /^namespace/],
  ['a huge namespace', { keys: ['a'], namespace: 'x'.repeat(129) }, /^namespace/],
]
for (const [name, event, message] of wrong) {
  test(`an event that cannot be is an error that says so: ${name}`, async t => {
    const cache = new Cache<string, string>({ max: 10 }).set('a', 'x').set('b', 'x')
    const events = [{ keys: ['b'] }, event] as Invalidation<string>[]
    await t.throwsAsync(cache.consume(events), { code: 'ERR_INVALID_OPTION', message })
    t.deepEqual([...cache.keys()], ['a'], 'those before it are done')
  })
}

test('keys that are none, in an event, are errors', async t => {
  const cache = new Cache<string, string>({ max: 10 })
  for (const version of [undefined, 1]) {
    const events = [{ keys: [{} as never], version }]
    await t.throwsAsync(cache.consume(events), { code: 'ERR_INVALID_KEY' })
  }
})
