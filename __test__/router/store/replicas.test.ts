// A node that reads from replicas: what goes where, what a replica that is lost does to clients, and
// what is remembered of it.
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { createRouter } from 'breakwater/router'
import { Raw, run } from '../support.ts'
import { calls, hasRedis, replicaOf, replicate } from './support.ts'

const replicated = hasRedis ? test : test.skip
const PREFER = ['--threads', '2', '--read-from', 'preferReplica']

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await sleep(5)
}

/** How often servers have run `GET`, one after the other. */
const gets = (raws: Raw[]) => Promise.all(raws.map(raw => calls(raw, 'get')))

replicated('reads go to replicas; writes and consistent reads to the primary', async t => {
  t.timeout(180_000)
  const routes = ['--route', '*,mode=off', '--route', 'p:*,mode=off,readFrom=primary']
  const { store, replicas, node } = await replicate(t, [...PREFER, ...routes])
  const raws = await Promise.all([store, ...replicas].map(({ port }) => Raw.open(t, port)))
  const client = await Raw.open(t, node.port)
  await client.send('MSET', 'k', 'v', 'p:k', 'v')
  // Each thread is connected to both, and both have the write.
  await until(async () => {
    await client.send('GET', 'k')
    return (await gets(raws.slice(1))).every(count => count > 0)
  })
  let after: number[] = []
  await until(async () => {
    const before = await gets(raws)
    for (let n = 0; n < 200; n++) t.is(await client.send('GET', 'k'), '$1\r\nv\r\n')
    after = await gets(raws)
    const [primary, one, other] = after.map((count, at) => count - before[at]!)
    // Each gets its share, the primary none; a replica that was slow for once is left out for once.
    return primary === 0 && one! > 0 && other! > 0 && one! + other! === 200
  })
  for (let n = 0; n < 10; n++) await client.send('GET', 'p:k')
  t.is((await gets(raws))[0], after[0]! + 10)
  t.is(await client.send('BW', 'READCONCERN', 'consistent'), '+OK\r\n')
  for (let n = 0; n < 10; n++) await client.send('GET', 'k')
  t.is((await gets(raws))[0], after[0]! + 20)
  t.is(await calls(raws[1]!, 'mset'), 1, 'it is replicated')
})

replicated('of keys of several routes the most careful one says where they are read', async t => {
  t.timeout(180_000)
  const routes = [
    '*,mode=off',
    'p:*,mode=off,readFrom=primary',
    'c:*,mode=off,readConcern=consistent',
  ]
  const flags = routes.flatMap(route => ['--route', route])
  const { store, replicas, node } = await replicate(t, [...PREFER, ...flags])
  const raws = await Promise.all([store, ...replicas].map(({ port }) => Raw.open(t, port)))
  const client = await Raw.open(t, node.port)
  await client.send('MSET', 'k', 'v', 'p:k', 'v', 'c:k', 'v')
  const runs = () => Promise.all(raws.map(raw => calls(raw, 'mget')))
  // Replicas are read from, and by both threads.
  await until(async () => {
    await client.send('MGET', 'k', 'other')
    return (await runs()).slice(1).every(count => count > 0)
  })
  const before = await runs()
  let asked = 0
  for (const careful of ['p:k', 'c:k']) {
    for (const keys of [[careful], ['k', careful], [careful, 'k'], ['k', 'other', careful]]) {
      for (let n = 0; n < 5; n++, asked++) await client.send('MGET', ...keys)
    }
  }
  t.deepEqual(await runs(), [before[0]! + asked, before[1], before[2]])
})

replicated('a replica that is killed and comes back costs no client an error', async t => {
  t.timeout(240_000)
  const { store, replicas, node } = await replicate(t, [...PREFER, '--route', '*,mode=off'])
  const clients = await Promise.all(Array.from({ length: 8 }, () => Raw.open(t, node.port)))
  let [ended, number] = [false, 0]
  const work = clients.map(async (client, at) => {
    for (let n = 0; !ended; n++) {
      const [key, value] = [`k${at}:${n % 3}`, `${++number}`]
      t.is(await client.send('SET', key, value), '+OK\r\n')
      for (let read = 0; read < 4; read++) {
        t.is(await client.send('GET', key), `$${value.length}\r\n${value}\r\n`)
      }
    }
  })
  for (let round = 0; round < 2; round++) {
    for (const [at, replica] of replicas.entries()) {
      await replica.stop('SIGKILL')
      replicas[at] = await replicaOf(t, store, replica.port)
      const raw = await Raw.open(t, replica.port)
      // It is read again.
      await until(async () => (await calls(raw, 'get')) > 0)
    }
  }
  ended = true
  await Promise.all(work)
  t.true(number > 0)
})

replicated(
  'what was read of a replica is told of by that replica, and forgotten with it',
  async t => {
    t.timeout(180_000)
    const { store, replicas, node } = await replicate(t, PREFER, 1)
    const [direct, replica] = [await Raw.open(t, store.port), await Raw.open(t, replicas[0]!.port)]
    const client = await Raw.open(t, node.port)
    // The thread of this client is connected to it, by what it reads to remember it.
    let other = 0
    await until(async () => {
      await client.send('STRLEN', `other:${other++}`)
      return (await calls(replica, 'strlen')) > 0
    })
    await direct.send('SET', 'k', '1')
    await until(async () => (await replica.send('EXISTS', 'k')) === ':1\r\n')
    const before = await calls(replica, 'get')
    for (let n = 0; n < 5; n++) t.is(await client.send('GET', 'k'), '$1\r\n1\r\n')
    t.is(await calls(replica, 'get'), before + 1, 'the others are answered from memory')
    t.is(await calls(direct, 'get'), 0)
    await direct.send('SET', 'k', '2')
    await until(async () => (await client.send('GET', 'k')) === '$1\r\n2\r\n')
    // A change that nobody tells of, since the replica is gone.
    await until(async () => (await calls(replica, 'get')) > before)
    await replicas[0]!.stop('SIGKILL')
    await direct.send('SET', 'k', '3')
    await until(async () => (await client.send('GET', 'k')) === '$1\r\n3\r\n')
    t.pass()
  },
)

replicated(
  'a replica that does not follow its primary is not read, and clients are told why',
  async t => {
    t.timeout(180_000)
    const strict = ['--threads', '1', '--read-from', 'replica', '--route', '*,mode=off']
    const { store, replicas, node } = await replicate(t, strict, 1)
    const [client, replica] = [await Raw.open(t, node.port), await Raw.open(t, replicas[0]!.port)]
    await until(async () => (await client.send('GET', 'k')) === '$-1\r\n')
    await replica.send('REPLICAOF', '127.0.0.1', '1')
    const place = `127\\.0\\.0\\.1:${replicas[0]!.port}`
    const unlinked = new RegExp(
      `^-ERR no replica is in service: the replica at ${place}: it does not hear`,
    )
    await until(async () => unlinked.test(await client.send('GET', 'k')))
    t.is(await client.send('SET', 'k', '1'), '+OK\r\n')
    await replica.send('REPLICAOF', 'NO', 'ONE')
    await until(async () => / it is no replica of the store/.test(await client.send('GET', 'k')))
    await replica.send('REPLICAOF', '127.0.0.1', `${store.port}`)
    await until(async () => (await client.send('GET', 'k')) === '$1\r\n1\r\n')
    await replicas[0]!.stop('SIGKILL')
    await until(async () =>
      /-ERR no replica is in service: .*unreachable/.test(await client.send('GET', 'k')),
    )
    t.pass()
  },
)

for (const command of ['SCAN', 'SSCAN', 'HSCAN', 'ZSCAN']) {
  replicated(`${command}: a cursor leads back to the replica that gave it`, async t => {
    t.timeout(180_000)
    const { store, replicas, node } = await replicate(t, PREFER)
    const [direct, client] = [await Raw.open(t, store.port), await Raw.open(t, node.port)]
    const members = Array.from({ length: 2_000 }, (_, n) => `m${n}`)
    const pairs = members.flatMap((member, n) => [member, `${n}`])
    await direct.send('MSET', ...pairs.map((word, n) => (n % 2 ? word : `s:${word}`)))
    await direct.send('SADD', 'SSCAN', ...members)
    await direct.send('HSET', 'HSCAN', ...pairs)
    await direct.send('ZADD', 'ZSCAN', ...pairs.map((_, n) => pairs[n ^ 1]!))
    await direct.send('WAIT', '2', '0')
    const raws = await Promise.all(replicas.map(({ port }) => Raw.open(t, port)))
    const scans = () => Promise.all(raws.map(raw => calls(raw, command.toLowerCase())))
    const key = command === 'SCAN' ? [] : [command]
    // Whole scans, until both replicas have had one.
    while ((await scans()).includes(0)) {
      const found = new Set<string>()
      let cursor = '0'
      do {
        const from = cursor === 'anew' ? '0' : cursor
        const page = await client.send(command, ...key, from, 'COUNT', '100')
        const [, next = ''] = /^\*2\r\n\$\d+\r\n(\d+)\r\n/.exec(page) ?? []
        if (/^-ERR the replica that gave this cursor/.test(page)) {
          // It was slow for once, and left out: as it says.
          found.clear()
          cursor = 'anew'
          continue
        }
        t.true(Number(next) <= Number.MAX_SAFE_INTEGER, page.slice(0, 60))
        for (const [, member = ''] of page.matchAll(/\r\n(?:s:)?(m\d+)\r\n/g)) found.add(member)
        cursor = next
      } while (cursor !== '0')
      t.is(found.size, members.length)
    }
    // One of a replica that there is not, and none at all.
    const foreign = `${(31n << 48n) | 5n}`
    t.regex(await client.send(command, ...key, foreign), /^-ERR the replica that gave this cursor/)
    t.is(await client.send(command, ...key, 'nonsense'), '-ERR invalid cursor\r\n')
  })
}

test('replicas that cannot be are refused by name, without their secrets', async t => {
  const url = 'redis://127.0.0.1'
  for (const [store, words] of [
    [{ url: 'http://127.0.0.1' }, /store\.url/],
    [{ url, replicas: 'redis://127.0.0.1' }, /store\.replicas/],
    [
      { url, replicas: ['redis://127.0.0.1', 'redis://:hidden@127.0.0.1/x'] },
      /store\.replicas\[1\]/,
    ],
    [{ url, replicas: Array.from({ length: 32 }, () => url) }, /store\.replicas/],
    [{ url, maxLag: 'soon' }, /store\.maxLag/],
    [{ url, replica: [] }, /store\.replica/],
    [7, /store/],
  ] as const) {
    const error = t.throws(() => createRouter({ store: store as never, maxBytes: '16mb' }))
    t.regex(String(error?.message), words)
    t.notRegex(String(error?.message), /hidden/)
  }
  for (const options of [
    { store: url, readFrom: 'replica' },
    { store: { url }, routes: ['a:*,readFrom=preferReplica'] },
  ] as const) {
    t.throws(() => createRouter({ ...options, routes: [...(options.routes ?? [])] } as never), {
      code: 'ERR_OPTION_COMBINATION',
    })
  }
  t.throws(() => createRouter({ store: url, readFrom: 'nearest' as never }), {
    message: /readFrom/,
  })
  const { code, output } = await run(
    'serve',
    '--store',
    url,
    '--store-replica',
    'redis://:hidden@h/x',
  )
  t.is(code, 2)
  t.regex(output, /--store-replica\[0\]/)
  t.notRegex(output, /hidden/)
})
