// The admin entrance: what it answers, and to whom.
import { once } from 'node:events'
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { InvalidOptionError } from 'breakwater'
import { type AdminOptions, createAdmin } from 'breakwater/admin'
import { createRouter, type RouterOptions } from 'breakwater/router'
import { freePort } from '../../scripts/free-port.mjs'
import { folderOf } from '../helpers/folders.ts'
import { Raw, redis } from '../router/support.ts'
import { type Ask, ask, portOf } from './support.ts'

const TOKEN = 'a-token-of-some-letters'
const TCP: AdminOptions = { listen: '127.0.0.1:0', token: TOKEN, hosts: ['Node.internal'] }

/** An entrance to a router that listens, until the test ends. */
async function entrance(
  t: ExecutionContext,
  options: AdminOptions = TCP,
  router: RouterOptions = { threads: 0 },
) {
  t.timeout(120_000)
  const node = createRouter({ maxBytes: '16mb', ...router })
  const admin = createAdmin(node, options)
  t.teardown(async () => {
    await admin.close()
    await node.close()
  })
  const address = await admin.listen()
  return { node, admin, address }
}

/** Every route of the entrance, and who may ask for it. */
const ROUTES = [
  { method: 'GET', path: '/livez', access: 'anybody' },
  { method: 'GET', path: '/readyz', access: 'anybody' },
  { method: 'GET', path: '/status', access: 'token' },
  { method: 'POST', path: '/reload', access: 'token' },
  { method: 'POST', path: '/restart', access: 'token' },
  { method: 'POST', path: '/drain', access: 'token' },
] as const

/** How a stranger asks, and whether that changes what an entrance answers to a friend. */
const MANNERS: { name: string; asked: Ask; status: (route: (typeof ROUTES)[number]) => number }[] =
  [
    { name: 'no token', asked: {}, status: ({ access }) => (access === 'token' ? 401 : 0) },
    {
      name: 'another token',
      asked: { token: 'a-token-of-same-letters' },
      status: ({ access }) => (access === 'token' ? 401 : 0),
    },
    {
      name: 'a longer token',
      asked: { token: `${TOKEN}x` },
      status: ({ access }) => (access === 'token' ? 401 : 0),
    },
    {
      name: 'another scheme',
      asked: { headers: { authorization: `Basic ${TOKEN}` } },
      status: ({ access }) => (access === 'token' ? 401 : 0),
    },
    {
      name: 'a name of another site',
      asked: { token: TOKEN, headers: { host: 'evil.example' } },
      status: () => 421,
    },
    {
      name: 'a name of another site with a port',
      asked: { token: TOKEN, headers: { host: 'evil.example:9121' } },
      status: () => 421,
    },
    {
      name: 'a name that begins as an address',
      asked: { token: TOKEN, headers: { host: '127.0.0.1.evil.example' } },
      status: () => 421,
    },
    {
      name: 'a page of another site',
      asked: { token: TOKEN, headers: { origin: 'http://evil.example' } },
      status: ({ method }) => (method === 'POST' ? 403 : 0),
    },
    {
      name: 'a page without a site',
      asked: { token: TOKEN, headers: { origin: 'null' } },
      status: ({ method }) => (method === 'POST' ? 403 : 0),
    },
    {
      name: 'a page of a sibling',
      asked: { token: TOKEN, headers: { 'sec-fetch-site': 'same-site' } },
      status: ({ method }) => (method === 'POST' ? 403 : 0),
    },
    {
      name: 'a method that is not',
      asked: { token: TOKEN, method: 'DELETE' },
      status: () => 405,
    },
    { name: 'a preflight', asked: { method: 'OPTIONS' }, status: () => 405 },
  ]

test('strangers are refused: every route, every manner', async t => {
  let [drains, reloads] = [0, 0]
  const { node, address } = await entrance(t, {
    ...TCP,
    drain: async () => void drains++,
    reload: async () => {
      reloads++
      return { changed: ['maxClients'] }
    },
  })
  await node.listen({ port: 0 })
  for (const route of ROUTES) {
    for (const { name, asked, status } of MANNERS) {
      const wanted = status(route)
      if (wanted === 0) continue
      const { method } = route
      const reply = await ask(address, route.path, { method, ...asked })
      t.is(reply.status, wanted, `${route.path}: ${name}`)
      t.is(typeof reply.json.error.message, 'string')
      t.notRegex(JSON.stringify([reply.headers, reply.text]), new RegExp(TOKEN))
      t.false('access-control-allow-origin' in reply.headers)
    }
  }
  t.deepEqual([drains, reloads, node.stats().reloads], [0, 0, 0])
  // A friend is served, by each name.
  for (const host of ['localhost', 'localhost:1', '10.1.2.3', '[::1]:9121', 'NODE.internal:80']) {
    t.is((await ask(address, '/status', { token: TOKEN, headers: { host } })).status, 200, host)
  }
  const own = { host: 'localhost', origin: 'http://localhost', 'sec-fetch-site': 'same-origin' }
  const post = { method: 'POST', token: TOKEN, headers: own }
  t.deepEqual((await ask(address, '/reload', post)).json.changed, ['maxClients'])
  t.is((await ask(address, '/drain', post)).status, 202)
  t.deepEqual([drains, reloads], [1, 1])
})

test('without a token, an address serves probes and what is mounted for anybody, and nothing else', async t => {
  const { admin, address } = await entrance(t, { listen: '127.0.0.1:0' })
  admin.mount(
    { method: 'GET', path: '/metrics', access: 'anybody', handle: () => ({ body: 'up 1\n' }) },
    { method: 'GET', path: '/keys', access: 'token', handle: () => ({ body: ['secret'] }) },
  )
  for (const { method, path, access } of ROUTES) {
    const { status, text } = await ask(address, path, { method, token: TOKEN })
    t.is(status === 403, access === 'token', path)
    if (access === 'token') t.regex(text, /give --admin-token-file/)
  }
  t.is((await ask(address, '/metrics')).text, 'up 1\n')
  t.is((await ask(address, '/keys')).status, 403)
})

test("a socket of this machine is its owner's, who needs no token, and goes with the entrance", async t => {
  const path = join(folderOf(t, 'admin'), 'admin.sock')
  const { node, admin, address } = await entrance(t, { listen: `unix:${path}` })
  await node.listen({ port: 0 })
  t.is(address, `unix:${path}`)
  t.is(statSync(path).mode & 0o777, 0o600)
  t.is((await ask(address, '/status', { headers: { host: 'anything' } })).json.state, 'open')
  await t.throwsAsync(createAdmin(node, { listen: address }).listen(), {
    message: /another process listens on/,
  })
  await admin.close()
  t.false(existsSync(path))
})

test('a socket with a token asks for it', async t => {
  const path = join(folderOf(t, 'admin'), 'admin.sock')
  const { address } = await entrance(t, { listen: `unix:${path}`, token: TOKEN })
  t.is((await ask(address, '/status')).status, 401)
  t.is((await ask(address, '/status', { token: TOKEN })).status, 200)
})

test('a path or method that is not is answered with those that are', async t => {
  const { address } = await entrance(t)
  const nowhere = await ask(address, '/nowhere')
  t.is(nowhere.status, 404)
  for (const { path } of ROUTES) t.true(nowhere.text.includes(path), path)
  const wrong = await ask(address, '/livez', { method: 'POST' })
  t.is(wrong.status, 405)
  t.is(wrong.headers.allow, 'GET, HEAD')
  t.is((await ask(address, '/livez', { method: 'HEAD' })).status, 200)
  t.is((await ask(address, 'http://elsewhere/livez')).status, 400)
})

test('what is too large is refused, and nothing of it is kept', async t => {
  const { address } = await entrance(t, { ...TCP, reload: async () => ({ changed: [] }) })
  const post = { method: 'POST', token: TOKEN }
  t.is((await ask(address, '/reload', { ...post, body: 'x'.repeat(64 * 1024) })).status, 200)
  t.is((await ask(address, '/reload', { ...post, body: 'x'.repeat(65 * 1024) })).status, 413)
  const headers = { filler: 'x'.repeat(9000) }
  t.is((await ask(address, '/livez', { headers })).status, 431)
  // Not HTTP at all.
  const socket = connect(portOf(address), '127.0.0.1').on('error', () => {})
  socket.write('*1\r\n$4\r\nPING\r\n')
  const [answer] = await once(socket, 'data')
  t.regex(String(answer), /^HTTP\/1\.1 400 /)
  t.is((await ask(address, '/livez')).text, 'ok\n')
})

test('a hundred connections are served, and those beyond are closed', async t => {
  const { address } = await entrance(t)
  const open = async () => {
    const socket = connect(portOf(address), '127.0.0.1').on('error', () => {})
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  const probe = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const answers = async (socket: Awaited<ReturnType<typeof open>>) => {
    // It may be closed with or without a word, as the probe comes before or after that.
    const said = new Promise(resolve => {
      socket.once('data', resolve).once('close', () => resolve(''))
    })
    socket.write(probe)
    return String(await said).startsWith('HTTP/1.1 200 ')
  }
  const first = await Promise.all(Array.from({ length: 100 }, open))
  for (const socket of first) t.true(await answers(socket))
  t.false(await answers(await open()))
  for (const socket of first) t.true(await answers(socket))
  first[0]!.destroy()
  while (!(await answers(await open())));
})

test('a request that never ends is hung up on', async t => {
  const { address } = await entrance(t)
  for (const begun of [
    'GET /livez HTTP/1.1\r\nHost: ',
    'GET /livez HTTP/1.1\r\nContent-Length: 9\r\n',
  ]) {
    const socket = connect(portOf(address), '127.0.0.1').on('error', () => {})
    socket.write(begun)
    const [answer] = await once(socket, 'data')
    t.regex(String(answer), /^HTTP\/1\.1 408 /)
    if (!socket.closed) await once(socket, 'close')
  }
  const post = connect(portOf(address), '127.0.0.1').on('error', () => {})
  post.write(`POST /reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n`)
  post.write('Content-Length: 9\r\n\r\nabc')
  post.resume()
  await once(post, 'close')
  t.is((await ask(address, '/livez')).status, 200)
})

test('a node says why it is not ready, and where it stands', async t => {
  const { node, address } = await entrance(t)
  const ready = async () => {
    const { status, json } = await ask(address, '/readyz')
    return [status, json.reasons]
  }
  t.deepEqual(await ready(), [503, ['it does not listen']])
  const { port } = await node.listen({ port: 0 })
  t.deepEqual(await ready(), [200, []])
  const client = await Raw.open(t, port)
  await client.send('SET', 'a', '1')
  const { json } = await ask(address, '/status', { token: TOKEN })
  t.is(json.process, process.pid)
  t.is(json.stats.clients, 1)
  t.is(json.addresses[0]?.port, port)
  t.true(json.uptime >= 0 && json.startedAt! <= Date.now())
  await node.close()
  t.deepEqual(await ready(), [503, ['it is closed']])
  t.is((await ask(address, '/livez')).status, 200)
})

test('a node in front of a store is ready once it has met it, and stays so', async t => {
  const port = await freePort()
  const router = { threads: 1, store: `redis://127.0.0.1:${port}` }
  const { node, address } = await entrance(t, TCP, router)
  await node.listen({ port: 0 })
  const { status, json } = await ask(address, '/readyz')
  t.is(status, 503)
  t.deepEqual(json.reasons, ['no store behind it has answered yet'])
  const store = await redis(t, '--port', `${port}`)
  await node.warmUp()
  t.is((await ask(address, '/readyz')).status, 200)
  await store.stop('SIGKILL')
  t.is((await ask(address, '/readyz')).status, 200)
})

test('threads are restarted by order; a node without any says that it has none', async t => {
  const post = { method: 'POST', token: TOKEN }
  const threaded = await entrance(t, TCP, { threads: 2 })
  await threaded.node.listen({ port: 0 })
  const { status, json } = await ask(threaded.address, '/restart', post)
  t.is(status, 200)
  t.deepEqual([json.workers.serving, json.workers.restarting], [2, false])
  const plain = await entrance(t)
  await plain.node.listen({ port: 0 })
  const refused = await ask(plain.address, '/restart', post)
  t.is(refused.status, 409)
  t.is(refused.json.error.code, 'ERR_ROUTER_STATE')
})

test('a drain shows how far it is', async t => {
  const { node, address } = await entrance(t, TCP, { threads: 1, drain: { over: '1h' } })
  const { port } = await node.listen({ port: 0 })
  const clients = await Promise.all(Array.from({ length: 3 }, () => Raw.open(t, port)))
  for (const client of clients) await client.send('PING')
  const drained = (await ask(address, '/drain', { method: 'POST', token: TOKEN })).json.drain!
  t.deepEqual([drained.clients, drained.left], [3, 3])
  t.true(drained.until - drained.since >= 3_600_000)
  t.deepEqual((await ask(address, '/readyz')).json.reasons, ['it drains'])
  clients[0]!.socket.destroy()
  const left = async () => (await ask(address, '/status', { token: TOKEN })).json.drain?.left
  while ((await left()) !== 2);
  for (const client of clients) client.socket.destroy()
  await node.close()
  t.is(await left(), 0)
})

test('what is mounted is answered: bytes, JSON, errors, and streams until the client goes', async t => {
  const { admin, address } = await entrance(t)
  let ended: () => void
  const end = new Promise<void>(resolve => (ended = resolve))
  const route = { method: 'GET', access: 'anybody' } as const
  admin.mount(
    {
      ...route,
      path: '/bytes',
      handle: () => ({ headers: { 'Content-Type': 'image/png' }, body: Buffer.from([1, 2]) }),
    },
    { ...route, path: '/same', handle: () => ({ status: 304, body: '' }) },
    { ...route, path: '/echo', handle: ({ url }) => ({ body: { q: url.searchParams.get('q') } }) },
    {
      ...route,
      path: '/fails',
      handle() {
        throw new Error('of its own')
      },
    },
    {
      ...route,
      path: '/events',
      handle: ({ signal }) => ({
        headers: { 'content-type': 'text/event-stream' },
        body: (async function* () {
          yield 'data: 1\n\n'
          await once(signal, 'abort')
          ended()
        })(),
      }),
    },
  )
  const bytes = await ask(address, '/bytes')
  t.deepEqual([bytes.headers['content-type'], bytes.headers['content-length']], ['image/png', '2'])
  // Its length would be that of what the client has.
  t.is((await ask(address, '/same')).headers['content-length'], undefined)
  t.is((await ask(address, '/echo?q=a%20b')).text, '{"q":"a b"}\n')
  const failed = await ask(address, '/fails')
  t.deepEqual([failed.status, failed.json.error.message], [500, 'of its own'])
  const gone = new AbortController()
  const streamed = await fetch(`http://${address}/events`, { signal: gone.signal })
  const reader = streamed.body!.getReader()
  t.is(Buffer.from((await reader.read()).value!).toString(), 'data: 1\n\n')
  gone.abort()
  await end
  // One that stays does not hold up the end.
  const staying = await fetch(`http://${address}/events`)
  await admin.close()
  await t.throwsAsync(staying.text())
  t.throws(() => admin.mount({ ...route, path: 'x', handle: () => ({}) }), {
    instanceOf: InvalidOptionError,
  })
})

test('a reload takes the token that its file has now, and is refused whole where anything is wrong', async t => {
  const file = join(folderOf(t, 'admin'), 'token')
  writeFileSync(file, 'the-first-of-the-tokens\n')
  const options = { listen: '127.0.0.1:0', tokenFile: file }
  const { admin, address } = await entrance(t, options)
  const enters = async (token: string) => (await ask(address, '/status', { token })).status === 200
  t.true(await enters('the-first-of-the-tokens'))
  writeFileSync(file, 'the-second-of-the-tokens')
  admin.reload()
  t.deepEqual(
    [await enters('the-first-of-the-tokens'), await enters('the-second-of-the-tokens')],
    [false, true],
  )
  writeFileSync(file, 'short')
  const error = t.throws(() => admin.reload({ ...options, hosts: ['a'] }))
  t.regex(error?.message ?? '', /^tokenFile must be a file that holds a token of at least 16/)
  t.notRegex(error?.message ?? '', /short/)
  t.throws(() => admin.reload({ ...options, listen: '127.0.0.1:1' }), {
    message: /^tokenFile|^listen/,
  })
  t.true(await enters('the-second-of-the-tokens'))
})

test('options that cannot be are refused by name, and no token is shown', t => {
  const node = createRouter({ threads: 0, maxBytes: '16mb' })
  const file = join(folderOf(t, 'admin'), 'token')
  writeFileSync(file, TOKEN)
  if (process.getuid?.() !== 0) chmodSync(file, 0)
  for (const [options, option] of [
    [undefined, 'options'],
    [{}, 'listen'],
    [{ listen: 9121 }, 'listen'],
    [{ listen: 'unix:' }, 'listen'],
    [{ listen: `unix:/${'x'.repeat(200)}` }, 'listen'],
    [{ listen: '127.0.0.1' }, 'listen'],
    [{ listen: '127.0.0.1:99999' }, 'listen'],
    [{ listen: '[::g]:1' }, 'listen'],
    [{ listen: '1:2:3' }, 'listen'],
    [{ ...TCP, token: 'short' }, 'token'],
    [{ ...TCP, token: 'with a space in it, long' }, 'token'],
    [{ ...TCP, tokenFile: file }, 'token'],
    [{ listen: ':1' }, 'listen'],
    [{ listen: '1', tokenFile: 7 }, 'tokenFile'],
    [{ listen: '1', tokenFile: `${file}.not` }, 'tokenFile'],
    [{ ...TCP, hosts: 'a' }, 'hosts'],
    [{ ...TCP, hosts: ['a b'] }, 'hosts'],
    [{ ...TCP, drain: true }, 'drain'],
    [{ ...TCP, colour: 'red' }, 'colour'],
  ] as const) {
    const error = t.throws(() => createAdmin(node, options as unknown as AdminOptions), {
      instanceOf: InvalidOptionError,
    })
    t.is(error?.option, option)
    t.notRegex(error?.message ?? '', /short|with a space/)
  }
})
