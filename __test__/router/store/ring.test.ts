// Several independent stores behind a node: each key is in one of them, and they answer as one.
import test, { type ExecutionContext } from 'ava'
import type { Ring } from '../../../src/routing/index.ts'
import { Raw, type Served } from '../support.ts'
import { calls, hasRedis, ring, ringOf, ringStore, texts } from './support.ts'

const several = hasRedis ? test : test.skip

/** Some keys, of which every store has several. */
const keys = Array.from({ length: 200 }, (_, at) => `user:${at}`)

/** The names of the keys that a store has. */
async function held(t: ExecutionContext, store: Served): Promise<string[]> {
  const raw = await Raw.open(t, store.port)
  return (await texts(raw, 'KEYS', '*')).sort()
}

/** The keys of each of these stores, as `breakwater/routing` places them. */
function placed(placing: Ring, stores: readonly Served[], all = keys): string[][] {
  return stores.map(({ port }) =>
    all.filter(key => placing.locate(key) === `127.0.0.1:${port}`).sort(),
  )
}

several('each key is where a Ring of breakwater/routing puts it', async t => {
  t.timeout(120_000)
  const { stores, node } = await ring(t, 3)
  const client = await Raw.open(t, node.port)
  for (const key of keys) t.is(await client.send('SET', key, `value of ${key}`), '+OK\r\n')
  const expected = placed(ringOf(stores), stores)
  t.deepEqual(await Promise.all(stores.map(store => held(t, store))), expected)
  for (const key of keys) t.deepEqual(await texts(client, 'GET', key), [`value of ${key}`])
  // Keys of one hash tag are together.
  await client.send('FLUSHALL')
  for (let at = 0; at < 20; at++) await client.send('SET', `{tag}${at}`, '1')
  const counts = await Promise.all(stores.map(async store => (await held(t, store)).length))
  t.deepEqual(counts.toSorted(), [0, 0, 20])
})

for (const version of ['2', '3']) {
  several(`RESP${version}: commands of many keys, and of none, are done by all stores`, async t => {
    t.timeout(120_000)
    const { stores, node } = await ring(t, 3)
    const client = await Raw.open(t, node.port)
    await client.send('HELLO', version)
    const pairs = keys.flatMap(key => [key, `value of ${key}`])
    t.is(await client.send('MSET', ...pairs), '+OK\r\n')
    const values = keys.map(key => `value of ${key}`)
    t.deepEqual(await texts(client, 'MGET', ...keys), values)
    // Few enough to be remembered, twice: from the stores, and from memory.
    for (const _ of [1, 2]) {
      t.deepEqual(await texts(client, 'MGET', ...keys.slice(0, 20)), values.slice(0, 20))
    }
    t.is(await client.send('EXISTS', ...keys, 'nowhere', keys[0]!), ':201\r\n')
    t.is(await client.send('TOUCH', ...keys), ':200\r\n')
    t.is(await client.send('DBSIZE'), ':200\r\n')
    t.deepEqual((await texts(client, 'KEYS', '*')).sort(), keys.toSorted())
    t.true(keys.includes((await texts(client, 'RANDOMKEY'))[0]!))
    const scanned: string[] = []
    let cursor = '0'
    do {
      const [next, ...page] = await texts(client, 'SCAN', cursor, 'COUNT', '7')
      cursor = next!
      t.true(Number(cursor) < 2 ** 53)
      scanned.push(...page)
    } while (cursor !== '0')
    t.deepEqual([...new Set(scanned)].sort(), keys.toSorted())
    t.is(await client.send('DEL', ...keys.slice(0, 50), 'nowhere'), ':50\r\n')
    t.is(await client.send('UNLINK', ...keys.slice(40, 60)), ':10\r\n')
    t.deepEqual(await texts(client, 'MGET', keys[0]!, keys[199]!), [
      '(nil)',
      `value of ${keys[199]}`,
    ])
    const [sha] = await texts(client, 'SCRIPT', 'LOAD', 'return 1')
    t.is(await client.send('SCRIPT', 'EXISTS', sha!, '0'.repeat(40)), '*2\r\n:1\r\n:0\r\n')
    for (const key of keys.slice(0, 20))
      t.is(await client.send('EVALSHA', sha!, '1', key), ':1\r\n')
    t.is(await client.send('FLUSHALL'), '+OK\r\n')
    t.is(await client.send('DBSIZE'), ':0\r\n')
    t.deepEqual(await Promise.all(stores.map(store => held(t, store))), [[], [], []])
  })
}

several(
  'what cannot be split is refused as by a cluster, and done where its keys are together',
  async t => {
    t.timeout(120_000)
    const { stores, node } = await ring(t, 3)
    const client = await Raw.open(t, node.port)
    const [[a], [b]] = placed(ringOf(stores), stores) as [string[], string[]]
    const crosses = "-CROSSSLOT Keys in request don't hash to the same slot\r\n"
    for (const command of [
      ['MSETNX', a!, '1', b!, '2'],
      ['RENAME', a!, b!],
      ['SINTERSTORE', a!, a!, b!],
      ['PFCOUNT', a!, b!],
      ['EVAL', 'return 1', '2', a!, b!],
      ['BLPOP', a!, b!, '0'],
      ['WATCH', a!, b!],
    ]) {
      t.is(await client.send(...command), crosses, command.join(' '))
    }
    t.is(await client.send('MSETNX', '{x}1', '1', '{x}2', '2'), ':1\r\n')
    t.is(await client.send('RENAME', '{x}1', '{x}3'), '+OK\r\n')
    // A transaction is done by one store.
    await client.send('MULTI')
    t.is(await client.send('SET', a!, '1'), '+QUEUED\r\n')
    t.is(await client.send('SET', b!, '1'), '+QUEUED\r\n')
    t.is(await client.send('EXEC'), crosses)
    t.is(await client.send('EXISTS', a!, b!), ':0\r\n')
    await client.send('MULTI')
    await client.send('SET', a!, '1')
    await client.send('INCR', a!)
    t.is(await client.send('EXEC'), '*2\r\n+OK\r\n:2\r\n')
    // What is wrong with a request is said of it.
    t.regex(await client.send('MSET', a!, '1', b!), /^-ERR wrong number of arguments/)
    t.regex(await client.send('DEL'), /^-ERR wrong number of arguments/)
    t.regex(await client.send('SCAN', 'x'), /^-ERR invalid cursor/)
  },
)

several('of an MGET only what memory does not have is asked for', async t => {
  t.timeout(120_000)
  const { stores, node } = await ring(t, 3, ['--threads', '1'])
  const client = await Raw.open(t, node.port)
  const asked = async () => {
    const each = stores.map(async ({ port }) => calls(await Raw.open(t, port), 'get'))
    return (await Promise.all(each)).reduce((sum, count) => sum + count, 0)
  }
  const some = keys.slice(0, 10)
  await client.send('MSET', ...some.flatMap(key => [key, key]))
  t.deepEqual(await texts(client, 'MGET', ...some), some)
  t.is(await asked(), 10)
  t.deepEqual(await texts(client, 'MGET', ...some), some)
  t.deepEqual(await texts(client, 'GET', some[3]!), [some[3]!])
  t.is(await asked(), 10)
  await client.send('SET', some[3]!, 'new')
  t.deepEqual((await texts(client, 'MGET', ...some))[3], 'new')
  t.is(await asked(), 11)
  // Another client of the store changes one: the node is told.
  const place = ringOf(stores).locate(some[5]!)
  const other = await Raw.open(t, Number(place.split(':')[1]))
  await other.send('SET', some[5]!, 'other')
  while ((await texts(client, 'MGET', ...some))[5] !== 'other');
  t.is(await asked(), 12)
  // What is no string is no value.
  await client.send('DEL', some[7]!)
  await client.send('LPUSH', some[7]!, 'x')
  t.is((await texts(client, 'MGET', ...some))[7], '(nil)')
})

several('a store that is down refuses its keys, and no others', async t => {
  t.timeout(120_000)
  const { stores, node } = await ring(t, 3, ['--store-timeout', '2s'])
  const client = await Raw.open(t, node.port)
  const [mine, others] = placed(ringOf(stores), stores) as [string[], string[]]
  await client.send('MSET', ...keys.flatMap(key => [key, key]))
  await stores[0]!.stop('SIGKILL')
  while (!(await client.send('SET', mine[0]!, '1')).startsWith('-ERR the store at'));
  const gone = new RegExp(`^-ERR the store at 127\\.0\\.0\\.1:${stores[0]!.port} is unreachable`)
  t.regex(await client.send('GET', mine[1]!), gone)
  for (const key of others) t.deepEqual(await texts(client, 'GET', key), [key])
  t.regex(await client.send('MGET', mine[0]!, others[0]!), gone)
  t.regex(await client.send('DBSIZE'), gone)
  t.deepEqual(await texts(client, 'MGET', ...others.slice(0, 5)), others.slice(0, 5))
})

several(
  'with whenDown next, the others take over, and what they stood in for is forgotten',
  async t => {
    t.timeout(180_000)
    const { stores, node } = await ring(t, 3, ['--when-down', 'next', '--threads', '2'])
    const client = await Raw.open(t, node.port)
    const [mine, others] = placed(ringOf(stores), stores) as [string[], string[]]
    await client.send('MSET', ...keys.flatMap(key => [key, key]))
    for (const key of keys) await client.send('GET', key)
    const { port } = stores[0]!
    await stores[0]!.stop('SIGKILL')
    while ((await client.send('SET', mine[0]!, 'stand-in')) !== '+OK\r\n');
    // The others know nothing of its keys, and keep what is written meanwhile.
    t.deepEqual(await texts(client, 'GET', mine[1]!), ['(nil)'])
    t.deepEqual(await texts(client, 'GET', mine[0]!), ['stand-in'])
    for (const key of others) t.deepEqual(await texts(client, 'GET', key), [key])
    t.is(await client.send('SET', mine[1]!, 'stand-in'), '+OK\r\n')
    t.deepEqual(await texts(client, 'MGET', mine[1]!, others[0]!), ['stand-in', others[0]!])
    const placing = ringOf(stores)
    const down = new Set([`127.0.0.1:${port}`])
    for (const key of mine.slice(0, 2)) {
      const raw = await Raw.open(t, Number(placing.locate(key, down).split(':')[1]))
      t.deepEqual(await texts(raw, 'GET', key), ['stand-in'])
    }
    // It comes back, empty: its keys are its own again, and nothing of the stand-ins is given.
    const back = await ringStore(t, port)
    const direct = await Raw.open(t, back.port)
    await direct.send('SET', mine[1]!, 'its own')
    while ((await texts(client, 'GET', mine[1]!))[0] !== 'its own');
    t.deepEqual(await texts(client, 'GET', mine[0]!), ['(nil)'])
    for (const key of others) t.deepEqual(await texts(client, 'GET', key), [key])
  },
)

several('messages reach those who subscribe, by way of one store', async t => {
  t.timeout(120_000)
  const { node } = await ring(t, 3)
  const listener = await Raw.open(t, node.port)
  t.regex(await listener.send('SUBSCRIBE', 'news'), /subscribe/)
  const client = await Raw.open(t, node.port)
  t.is(await client.send('PUBLISH', 'news', 'hello'), ':1\r\n')
  t.regex(String((await listener.replies(1))[0]), /hello/)
})

several('a client that tracks keys hears of changes at every store', async t => {
  t.timeout(120_000)
  const { stores, node } = await ring(t, 3, ['--threads', '2'])
  const placing = placed(ringOf(stores), stores)
  const [reader, listener] = [await Raw.open(t, node.port), await Raw.open(t, node.port)]
  for (const client of [reader, listener]) await client.send('HELLO', '3')
  t.is(await reader.send('CLIENT', 'TRACKING', 'ON'), '+OK\r\n')
  t.is(await listener.send('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'user:'), '+OK\r\n')
  const own = placing.map(([key]) => key!)
  t.deepEqual(await texts(reader, 'MGET', ...own), ['(nil)', '(nil)', '(nil)'])
  for (const [at, key] of own.entries()) {
    const direct = await Raw.open(t, stores[at]!.port)
    await direct.send('SET', key, '1')
    for (const client of [reader, listener]) {
      t.is(
        String((await client.replies(1))[0]),
        `>2\r\n$10\r\ninvalidate\r\n*1\r\n$${key.length}\r\n${key}\r\n`,
      )
    }
  }
})
