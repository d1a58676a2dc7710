// What a node bounds of its clients, by both drivers: what they send at once, what waits for them, and for how
// long they may leave it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type Router, type RouterOptions } from 'breakwater/router'
import { Authority } from '../helpers/certificates.ts'
import { folderOf } from '../helpers/folders.ts'
import { front, hasRedis } from './store/support.ts'
import { encode, PLAIN, Raw, serve, tlsWay } from './support.ts'

const fronted = hasRedis ? test.serial : test.serial.skip
const MEGABYTE = 1024 * 1024

/** A node of this process, and its port. */
async function node(t: ExecutionContext, options: RouterOptions): Promise<[Router, number]> {
  const router = createRouter({ threads: 1, maxBytes: '64mb', ...options })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  return [router, port]
}

/** Asks for so many megabytes, and reads none of them. */
async function reluctant(client: Raw, megabytes: number): Promise<void> {
  client.socket.pause()
  client.write(Buffer.concat(Array.from({ length: megabytes }, () => encode(['GET', 'large']))))
}

test('handshakes beyond the bound wait until one ends, and hold up nobody who is there or speaks no TLS', async t => {
  t.timeout(120_000)
  const way = tlsWay(new Authority())
  const [, cert, , key] = way.flags as [string, string, string, string]
  const tls = { cert, key }
  const router = createRouter({ threads: 1, maxBytes: '16mb', tls, connections: { handshakes: 2 } })
  t.teardown(() => router.close())
  await router.listen({ port: 0, tlsPort: 0 })
  const portOf = (secure: boolean) => router.addresses().find(each => each.secure === secure)!.port
  const there = await Raw.open(t, portOf(true), way)
  // They begin no handshake, and each has the place of one.
  const silent = [await Raw.open(t, portOf(true)), await Raw.open(t, portOf(true))]
  let isIn = false
  const late = Raw.open(t, portOf(true), way).then(client => {
    isIn = true
    return client
  })
  while (router.stats().heldBackByHandshakes === 0) await sleep(5)
  t.is(await there.send('PING'), '+PONG\r\n')
  t.is(await (await Raw.open(t, portOf(false))).send('PING'), '+PONG\r\n')
  t.false(isIn)
  silent[0]!.socket.destroy()
  t.is(await (await late).send('PING'), '+PONG\r\n')
  // One that fails gives its place back as well.
  silent[1]!.write('this is no handshake\r\n')
  await silent[1]!.rest()
  t.is(await (await Raw.open(t, portOf(true), way)).send('PING'), '+PONG\r\n')
})

for (const driver of ['native', 'net'] as const) {
  for (const way of [PLAIN, tlsWay(new Authority())]) {
    test(`${driver}, ${way.name}: a client that takes none of its replies is disconnected, and no other`, async t => {
      t.timeout(120_000)
      const [, cert, , key] = way.flags
      const tls = cert && key ? { cert, key } : undefined
      const [router, port] = await node(t, { driver, slowReaderTimeout: '300ms', tls })
      const [idle, client, reader] = [
        await Raw.open(t, port, way),
        await Raw.open(t, port, way),
        await Raw.open(t, port, way),
      ]
      await client.send('SET', 'large', Buffer.alloc(MEGABYTE, 'v'))
      await reluctant(reader, 64)
      while (router.stats().buffers.cutSlow === 0) await sleep(5)
      while (router.stats().clients !== 2) await sleep(5)
      t.is(await idle.send('PING'), '+PONG\r\n', 'who has nothing to take may be silent')
      t.regex(await client.send('INFO', 'load'), /clients_cut_for_slowness:1\r\n/)
      const { cut, cutByUser, cutSlow } = router.stats().buffers
      t.deepEqual({ cut, cutByUser, cutSlow }, { cut: 0, cutByUser: 0, cutSlow: 1 })
      reader.socket.resume()
      const taken = (await reader.replies(65)).length
      t.true(taken < 64, `${taken} replies came`)
    })
  }

  test(`${driver}: a long argument is refused, and the rest of the pipeline goes on`, async t => {
    t.timeout(120_000)
    const [router, port] = await node(t, { driver, maxValueBytes: '1mb' })
    const client = await Raw.open(t, port)
    const commands = [
      ['SET', 'fits', Buffer.alloc(MEGABYTE, 'v')],
      ['SET', 'long', Buffer.alloc(8 * MEGABYTE, 'v'), 'EX', '9'],
      ['EXISTS', 'long', 'fits'],
    ]
    client.write(Buffer.concat(commands.map(encode)))
    const refused = '-LIMIT value: an argument may have 1048576 bytes, and this one has 8388608\r\n'
    t.deepEqual((await client.replies(3)).map(String), ['+OK\r\n', refused, ':1\r\n'])
    t.is(router.stats().refusals.value, 1)
    t.regex(await client.send('INFO', 'refusals'), /refused_value:1\r\n/)
    await router.reload({ threads: 1, maxBytes: '64mb', driver, maxValueBytes: '16mb' })
    client.write(encode(commands[1]!))
    t.is(String((await client.replies(1))[0]), '+OK\r\n')
  })
}

test('at the bound of a user its greediest connection is closed, and no other', async t => {
  t.timeout(120_000)
  const users = [
    { name: 'greedy', password: 'p', limits: { bufferedBytes: '8mb' } },
    { name: 'other', password: 'p' },
  ]
  const file = join(folderOf(t, 'bounds'), 'breakwater.config.json')
  writeFileSync(file, JSON.stringify({ threads: 2, maxBytes: '64mb', users }))
  const { port } = await serve(t, '--config', file)
  const open = async (name: string) => {
    const client = await Raw.open(t, port)
    t.is(await client.send('AUTH', name, 'p'), '+OK\r\n')
    return client
  }
  const [small, greedy, theirs, watch] = [
    await open('greedy'),
    await open('greedy'),
    await open('other'),
    await open('other'),
  ]
  await watch.send('SET', 'large', Buffer.alloc(4 * MEGABYTE, 'v'))
  // As much as the other one has at once, of another user.
  await reluctant(theirs, 32)
  await reluctant(greedy, 32)
  // What the node has made of replies is bounded; what it was sent and has not done is not.
  while (!/clients_cut_by_user:1\r\n/.test(await watch.send('INFO', 'load'))) {
    greedy.write(encode(['SET', 'k', Buffer.alloc(MEGABYTE, 'v')]))
    await sleep(5)
  }
  t.is(await small.send('PING'), '+PONG\r\n')
  theirs.socket.resume()
  t.is((await theirs.replies(32)).length, 32)
  t.regex(await watch.send('INFO', 'load'), /clients_cut_for_buffers:0\r\n/)
})

fronted('a long argument never reaches the store', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--max-value-bytes', '64kb'])
  const [client, direct] = [await Raw.open(t, node.port), await Raw.open(t, store.port)]
  const long = Buffer.alloc(100_000, 'v')
  const commands = [
    ['SET', 'a', '1'],
    ['SET', 'b', long],
    ['APPEND', 'c', long],
    ['GET', 'a'],
  ]
  client.write(Buffer.concat(commands.map(encode)))
  const refused = '-LIMIT value: an argument may have 65536 bytes, and this one has 100000\r\n'
  const said = (await client.replies(4)).map(String)
  t.deepEqual(said, ['+OK\r\n', refused, refused, '$1\r\n1\r\n'])
  t.is(await direct.send('EXISTS', 'a', 'b', 'c'), ':1\r\n')
  for (const words of [['MULTI'], ['SET', 'a', '2'], ['SET', 'b', long]])
    await client.send(...words)
  t.regex(await client.send('EXEC'), /^-EXECABORT/)
  t.is(await direct.send('GET', 'a'), '$1\r\n1\r\n')
})

fronted('a reply longer than the route remembers goes through, and is asked for anew', async t => {
  t.timeout(120_000)
  const { store, node } = await front(t, ['--threads', '1', '--route', '*,maxReplyBytes=1mb'])
  const [client, direct] = [await Raw.open(t, node.port), await Raw.open(t, store.port)]
  await direct.send('SET', 'large', Buffer.alloc(4 * MEGABYTE, 'v'))
  for (let read = 0; read < 2; read++) {
    t.is((await client.send('GET', 'large')).length, 4 * MEGABYTE + 12)
  }
  const calls = /cmdstat_get:calls=(\d+)/.exec(await direct.send('INFO', 'commandstats'))
  t.is(calls?.[1], '2')
})

test('bounds that cannot be are refused, each by its name', t => {
  const wrong: [RouterOptions, RegExp][] = [
    [{ maxValueBytes: 'much' as never }, /^maxValueBytes must be/],
    [{ maxValueBytes: 1023 }, /^maxValueBytes must be a size from '1kb' to '512mb'/],
    [{ maxValueBytes: '513mb' }, /^maxValueBytes must be a size from '1kb' to '512mb'/],
    [{ slowReaderTimeout: 'soon' as never }, /^slowReaderTimeout must be/],
    [{ slowReaderTimeout: 0 }, /^slowReaderTimeout must be/],
    [{ slowReaderTimeout: '2d' }, /^slowReaderTimeout must be a duration from a millisecond/],
    [{ users: [{ name: 'a', limits: { bufferedBytes: 0 } }] }, /^users\[0\]\.limits\.bufferedB/],
    [{ users: [{ name: 'a', limits: { bufferedBytes: 'x' as never } }] }, /bufferedBytes must/],
  ]
  for (const [options, message] of wrong) {
    t.throws(() => createRouter(options), { message }, JSON.stringify(options))
  }
})
