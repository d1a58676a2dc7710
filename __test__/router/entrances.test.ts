// Ways in beside a port: sockets of this machine, and ports behind a proxy.
import { once } from 'node:events'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createRouter } from 'breakwater/router'
import { Authority } from '../helpers/certificates.ts'
import { folderOf } from '../helpers/folders.ts'
import { installed, PLAIN, Raw, redis, serve, tlsWay, type Way } from './support.ts'

/** A path for a socket, in a folder that ends with the test. */
function place(t: ExecutionContext): string {
  return join(folderOf(t, 'entrance'), 'node.sock')
}

const unix = (path: string): Way => ({
  name: 'unix',
  flags: [],
  async connect() {
    const socket = createConnection({ path })
    await once(socket, 'connect')
    return { socket, raw: socket }
  },
})

for (const driver of ['native', 'net'] as const) {
  test(`${driver}: a socket of this machine serves, and its file ends with the node`, async t => {
    t.timeout(120_000)
    const path = place(t)
    for (const threads of [0, 2]) {
      const router = createRouter({ driver, threads, maxBytes: '16mb' })
      const address = await router.listen({ unix: path, unixPermissions: 0o750 })
      t.deepEqual(address, { address: path, family: 'unix', port: 0, secure: false })
      t.is(statSync(path).mode & 0o777, 0o750)
      const client = await Raw.open(t, 0, unix(path))
      t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
      t.regex(await client.send('CLIENT', 'LIST'), /id=\d+ addr=\S+:0 laddr=\S+:0 /)
      await router.close()
      t.false(existsSync(path))
    }
  })
}

const compared = installed('redis-server') ? test : test.skip

for (const driver of ['native', 'net'] as const) {
  compared(`${driver}: a client by a socket of this machine is shown as by a Redis`, async t => {
    const [path, theirs] = [place(t), place(t)]
    await redis(t, '--unixsocket', theirs)
    const router = createRouter({ driver, threads: 0, maxBytes: '16mb' })
    t.teardown(() => router.close())
    await router.listen({ unix: path })
    const shown = async (path: string) => {
      const client = await Raw.open(t, 0, unix(path))
      const text = (await client.send('CLIENT', 'INFO')).replaceAll(path, 'PATH')
      return /addr=\S+ laddr=\S+/.exec(text)![0] + / flags=\S+/.exec(text)![0]
    }
    t.is(await shown(path), await shown(theirs))
  })
}

test('a port and a socket of this machine are one node', async t => {
  t.timeout(120_000)
  const path = place(t)
  const served = await serve(t, '--threads', '2', '--unix', path)
  t.true(served.output().includes(`, and on ${path} `))
  const [near, far] = [await Raw.open(t, 0, unix(path)), await Raw.open(t, served.port)]
  t.is(await near.send('SET', 'a', '1'), '+OK\r\n')
  t.is(await far.send('GET', 'a'), '$1\r\n1\r\n')
  t.is(await served.stop(), 0)
  t.false(existsSync(path))
})

test('the file of a process that died is taken over; any other is left alone', async t => {
  t.timeout(120_000)
  const path = place(t)
  const dead = await serve(t, '--threads', '1', '--unix', path)
  await dead.stop('SIGKILL')
  t.true(existsSync(path))
  const router = createRouter({ threads: 0, maxBytes: '16mb' })
  await router.listen({ unix: path })
  const second = createRouter({ threads: 0, maxBytes: '16mb' })
  await t.throwsAsync(second.listen({ unix: path }), { message: /another process listens on/ })
  t.true(existsSync(path))
  await router.close()
  writeFileSync(path, 'precious')
  await t.throwsAsync(second.listen({ unix: path }), {
    code: 'ERR_INVALID_OPTION',
    message: /unix must be the path of a socket: there is another file/,
  })
  t.true(existsSync(path))
  await t.throwsAsync(second.listen({ unix: 'x'.repeat(104) }), { message: /1 to 103 bytes/ })
  await second.close()
})

/** The header of version 2 for a client of IPv4, with `extra` bytes behind the addresses. */
function version2(command: 0 | 1, extra = 0): Buffer {
  const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
  const header = Buffer.alloc(4 + 12 + extra)
  header[0] = 0x20 | command
  header[1] = 0x11
  header.writeUInt16BE(12 + extra, 2)
  header.set([203, 0, 113, 7, 10, 0, 0, 1], 4)
  header.writeUInt16BE(50_000, 12)
  header.writeUInt16BE(6380, 14)
  if (extra > 0) header.set([0x04, (extra - 3) >> 8, (extra - 3) & 255], 16)
  return Buffer.concat([signature, header])
}

/** As `way`, behind a proxy that sends `header` first, in pieces of so many bytes. */
function proxied(way: Way, header: Buffer, piece: number): Way {
  return {
    ...way,
    async connect(port) {
      const proxy = createServer(async client => {
        const node = createConnection({ port, host: '127.0.0.1', noDelay: true })
        for (const socket of [client, node]) socket.on('error', () => socket.destroy())
        for (let at = 0; at < header.length; at += piece) {
          node.write(header.subarray(at, at + piece))
          await new Promise(resolve => setImmediate(resolve))
        }
        client.pipe(node).pipe(client)
        client.on('close', () => node.destroy())
        node.on('close', () => client.destroy())
      }).listen(0, '127.0.0.1')
      await once(proxy, 'listening')
      const connected = await way.connect((proxy.address() as { port: number }).port)
      proxy.close()
      return connected
    },
  }
}

for (const way of [PLAIN, tlsWay(new Authority())]) {
  test(`${way.name}: the header of a proxy says who a client is`, async t => {
    t.timeout(120_000)
    const { port } = await serve(t, '--threads', '1', '--proxy-protocol', ...way.flags)
    const [v1, v6] = [
      'PROXY TCP4 203.0.113.7 10.0.0.1 50000 6380\r\n',
      'PROXY TCP6 2001:db8::7 ::1 50000 6380\r\n',
    ].map(text => Buffer.from(text))
    for (const [header, address] of [
      [version2(1), '203.0.113.7:50000'],
      [version2(1, 300), '203.0.113.7:50000'],
      [version2(0), '127.0.0.1:'],
      [v1!, '203.0.113.7:50000'],
      [v6!, '[2001:db8::7]:50000'],
      [Buffer.from('PROXY UNKNOWN\r\n'), '127.0.0.1:'],
    ] as const) {
      for (const piece of [1, 1000]) {
        const client = await Raw.open(t, port, proxied(way, header, piece))
        const list = await client.send('CLIENT', 'LIST')
        t.true(list.includes(` addr=${address}`), list)
        client.socket.destroy()
      }
    }
  })
}

test('a connection without the header of a proxy, or with a wrong one, is closed', async t => {
  t.timeout(120_000)
  const { port } = await serve(t, '--threads', '1', '--proxy-protocol')
  const wrong = version2(1)
  wrong[12] = 0x31
  for (const bytes of ['PING\r\n', 'PROXY nonsense\r\n', wrong, Buffer.alloc(5000, 'P')]) {
    const client = await Raw.open(t, port)
    client.write(bytes)
    t.deepEqual(await client.rest(), Buffer.alloc(0))
  }
  const good = await Raw.open(t, port, proxied(PLAIN, version2(1), 1000))
  t.is(await good.send('PING'), '+PONG\r\n')
})

test('headers of proxies need the native driver', async t => {
  const router = createRouter({ driver: 'net', threads: 0, maxBytes: '16mb' })
  await t.throwsAsync(router.listen({ port: 0, proxyProtocol: true }), {
    code: 'ERR_OPTION_COMBINATION',
  })
  await router.close()
})
