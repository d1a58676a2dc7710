// A node begins with what is read most, of a file that it keeps itself or of another node: it is not ready
// before, nothing that it is told keeps it from serving, and no value is handed over.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createConnection, createServer as createSocket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createAdmin } from 'breakwater/admin'
import { createRouter, type RouterOptions } from 'breakwater/router'
import { ask, portOf } from '../admin/support.ts'
import { folderOf } from '../helpers/folders.ts'
import { calls, hasRedis, info } from './store/support.ts'
import { Raw, serve, type Way } from './support.ts'
import {
  beginner,
  experienced,
  GOOD,
  hits,
  KEYS,
  kept,
  MODES,
  put,
  storeOf,
  TOKEN,
  tokenIn,
  told,
  until,
  zipf,
} from './warm.ts'

const fronted = hasRedis ? test : test.skip

for (const mode of MODES) {
  fronted(`a node begins with what another one reads most: ${JSON.stringify(mode)}`, async t => {
    const { direct, store } = await storeOf(t)
    const { ratio, address } = await experienced(t, { ...mode, store }, direct)
    const warm = { from: `http://${address}`, tokenFile: tokenIn(t), budget: '60s' }
    const { router, begun } = beginner(t, { ...mode, store, warm })
    const opening = router.listen({ port: 0 })
    let [done, reasons] = [false, new Set<string>()]
    const why = 'it reads what is read most'
    const watching = (async () => {
      while (!done) {
        t.false(router.isReady)
        for (const reason of router.status().reasons) reasons.add(reason)
        // In every turn until that was seen: on a fast machine it takes no longer than a few.
        await (reasons.has(why) ? sleep(5) : new Promise(resolve => setImmediate(resolve)))
      }
    })()
    const { port } = await opening
    done = true
    await watching
    await router.warmUp()
    t.true(reasons.has(why), [...reasons].join())
    t.true(router.isReady)
    t.is(begun()?.event, 'began_warm')
    t.true((begun()?.reads as number) > KEYS / 4)
    t.is(begun()?.whole, true)
    const keys = zipf(8)
    const first = await hits(direct, await Raw.open(t, port), keys, 1000)
    t.log(`${ratio}, then ${first}`)
    t.true(first >= 0.95 * ratio)
    await until(() => router.stats().routes[0]!.warmed > KEYS / 4)
  })
}

for (const flags of [
  ['--threads', '2'],
  ['--mode', 'processes', '--workers', '2'],
]) {
  fronted(
    `a node begins with what it read before it was killed, and drained: ${flags}`,
    async t => {
      const { direct, store } = await storeOf(t)
      const file = join(folderOf(t, 'warm'), 'hot')
      const start = () =>
        serve(t, '--store', store, ...flags, '--warm-from', file, '--warm-every', '50ms')
      const holds = (key: string) => {
        try {
          return readFileSync(file).includes(key)
        } catch {
          return false
        }
      }
      const first = await start()
      await first.says(/began cold: .*: there is no such file yet/)
      // Which of two processes tells of its reads is its own matter: all have made them.
      const clients = await Promise.all(Array.from({ length: 8 }, () => Raw.open(t, first.port)))
      const keys = zipf()
      for (const client of clients) await hits(direct, client, keys, 2000)
      const ratio = await hits(direct, clients[0]!, keys, 1000)
      for (const client of clients) await client.send('GET', 'key:mark')
      await until(() => holds('key:mark'))
      await first.stop('SIGKILL')
      t.is(statSync(file).mode & 0o777, 0o600)
      t.false(holds('value-of'))

      const second = await start()
      await second.says(/began warm: \d+ reads of/)
      const client = await Raw.open(t, second.port)
      const again = await hits(direct, client, zipf(8), 1000)
      t.log(`${ratio}, then ${again}`)
      t.true(again >= 0.95 * ratio)
      await second.stop('SIGKILL')

      // What is not kept while it serves is when it drains.
      const third = await serve(t, '--store', store, ...flags, '--warm-from', file)
      for (const client of await Promise.all(
        Array.from({ length: 8 }, () => Raw.open(t, third.port)),
      )) {
        await client.send('GET', 'key:last')
      }
      t.false(holds('key:last'))
      t.is(await third.stop(), 0)
      t.true(holds('key:last'))
    },
  )
}

const HUGE = 9 * 1024 * 1024

/** Files with which nobody can begin: what they hold, and what is told of them. */
const BROKEN: Record<string, [make: (file: string) => void, why: RegExp]> = {
  missing: [() => {}, /^there is no such file yet$/],
  empty: [file => writeFileSync(file, ''), /^it holds no hot reads$/],
  garbage: [file => writeFileSync(file, Buffer.alloc(4096, 'ab')), /^it holds no hot reads$/],
  truncated: [file => writeFileSync(file, GOOD.subarray(0, -3)), /^it is damaged$/],
  'truncated in its head': [file => writeFileSync(file, GOOD.subarray(0, 30)), /^it is damaged$/],
  'of another version': [
    file => writeFileSync(file, GOOD.toString('latin1').replace(' 1\n', ' 2\n'), 'latin1'),
    /^it has another version$/,
  ],
  huge: [
    file => {
      writeFileSync(file, GOOD)
      truncateSync(file, HUGE)
    },
    /^it is longer than \d+ bytes$/,
  ],
  'a folder': [file => mkdirSync(file), /^(it is no file|EISDIR.*)$/],
  'a pipe': [file => execFileSync('mkfifo', [file]), /^it is no file$/],
  'below a file': [file => writeFileSync(join(file, '..', 'below'), ''), /^ENOTDIR/],
}

fronted(
  'a file that is no file of a node is told of, and the node begins cold and ready',
  async t => {
    const { store } = await storeOf(t)
    for (const [name, [make, why]] of Object.entries(BROKEN)) {
      const folder = folderOf(t, 'broken')
      const from = join(folder, name === 'below a file' ? 'below/hot' : 'hot')
      make(join(folder, 'hot'))
      const { router, begun } = beginner(t, { store, warm: { from } })
      const { port } = await router.listen({ port: 0 })
      await router.warmUp()
      t.true(router.isReady, name)
      t.is(begun()?.event, 'began_cold', name)
      t.is(begun()?.from, from)
      t.regex(String(begun()?.reason), why, name)
      t.is(await (await Raw.open(t, port)).send('GET', 'key:1'), '$10\r\nvalue-of-1\r\n')
      await router.close()
    }
  },
)

fronted('what is no read, and what no route remembers, is not asked for', async t => {
  const { direct, store } = await storeOf(t)
  const from = join(folderOf(t, 'strange'), 'hot')
  const strange = [
    told('set', ['key:3', 'hacked']),
    told('flushall', []),
    told('eval', ['return 1', '0']),
    told('config|set', ['SET', 'maxmemory', '1']),
    told('debug|sleep', ['SLEEP', '100']),
    told('no-such-command', ['key:3']),
    told('get', []),
    told('get', ['key:3', 'more']),
    told('get', ['off:1']),
    told('get', ['key:4'], 127),
  ]
  writeFileSync(from, kept(...strange, told('get', ['key:1']), put(Buffer.alloc(9, 255)), GOOD))
  const routes = ['off:*,mode=off', '*']
  const { router, begun } = beginner(t, { store, routes, warm: { from } })
  const unwanted = async () =>
    (await direct.send('INFO', 'commandstats')).match(
      /^cmdstat_(set|flushall|eval|config\|set|debug.*?):calls=\d+/gm,
    )
  const before = await unwanted()
  const { port } = await router.listen({ port: 0 })
  t.true(router.isReady)
  t.is(begun()?.event, 'began_warm')
  t.deepEqual(await unwanted(), before)
  t.is(await direct.send('GET', 'key:3'), '$10\r\nvalue-of-3\r\n')
  const { memory } = router
  const knows = async (key: string) => (await memory!.inspect(key)).memory === 'reply'
  t.true(await knows('key:1'))
  t.false(await knows('off:1'))
  t.is(await (await Raw.open(t, port)).send('GET', 'key:4'), '$10\r\nvalue-of-4\r\n')
})

/** A socket of this machine. */
const unixAt = (path: string): Way => ({
  name: 'unix',
  flags: [],
  async connect() {
    const socket = createConnection(path)
    await once(socket, 'connect')
    return { socket, raw: socket }
  },
})

/** A peer of HTTP, by its URL. */
async function peer(t: ExecutionContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address?.port}`
}

/** Peers with which nobody can begin, and what is told of them. */
const PEERS: Record<string, [answer: RequestListener, why: RegExp]> = {
  refuses: [(_, response) => response.writeHead(401).end(), /^it answers with HTTP 401$/],
  'fails without an end': [(_, response) => response.writeHead(500).write('a'), /HTTP 500$/],
  'leads elsewhere': [
    (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    /^it answers with HTTP 302$/,
  ],
  'gives garbage': [(_, response) => response.end('<html>'), /^it holds no hot reads$/],
  'is endless': [
    (_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) {}
      }
      response.on('drain', more)
      more()
    },
    /^it is longer than \d+ bytes$/,
  ],
  'breaks off': [
    (_, response) => {
      response.writeHead(200, { 'content-length': GOOD.length })
      response.write(GOOD.subarray(0, 40), () => response.destroy())
    },
    /aborted|hang up/,
  ],
  'hangs up': [({ socket }) => socket.destroy(), /hang up|ECONNRESET/],
  'never answers': [() => {}, /^no answer in 100 ms$/],
  'never ends': [
    (_, response) => void response.write(GOOD.subarray(0, 40)),
    /^no answer in 100 ms$/,
  ],
}

fronted('a node begins with what another one of its machine reads most, by its socket', async t => {
  const { direct, store } = await storeOf(t)
  const { router: old } = await experienced(t, { store }, direct)
  const from = `unix:${join(folderOf(t, 'warm'), 'admin.sock')}`
  const admin = createAdmin(old, { listen: from, token: TOKEN })
  t.teardown(() => admin.close())
  await admin.listen()
  for (const [token, event] of [
    [{ tokenFile: tokenIn(t) }, 'began_warm'],
    [{}, 'began_cold'],
  ] as const) {
    const warm = { from, budget: '60s', ...token } as const
    const { router, begun } = beginner(t, { store, warm })
    await router.listen({ port: 0 })
    t.like(begun(), { event, from })
    t.is((await router.memory!.inspect('key:0')).memory === 'reply', event === 'began_warm')
    if (event === 'began_cold') t.is(begun()?.reason, 'it answers with HTTP 401')
  }
})

fronted('a peer that gives nothing is told of, and the node begins cold and ready', async t => {
  const { store } = await storeOf(t)
  const begins = async (from: string, patient: boolean, name: string) => {
    const warm = { from, budget: patient ? '60s' : '100ms' }
    const { router, begun } = beginner(t, { store, warm })
    await router.listen({ port: 0 })
    await router.warmUp()
    t.true(router.isReady, name)
    t.is(begun()?.event, 'began_cold', name)
    await router.close()
    return String(begun()?.reason)
  }
  for (const [name, [answer, why]] of Object.entries(PEERS)) {
    t.regex(await begins(await peer(t, answer), !name.startsWith('never'), name), why, name)
  }
  t.regex(await begins('http://127.0.0.1:1', true, 'nobody'), /ECONNREFUSED/)
  const nowhere = `unix:${join(folderOf(t, 'warm'), 'nowhere.sock')}`
  t.regex(await begins(nowhere, true, 'no socket'), /ENOENT/)
})

fronted('a store that never answers costs no more than the budget', async t => {
  const server = createSocket(() => {})
  t.teardown(() => server.close())
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const store = `redis://127.0.0.1:${typeof address === 'object' && address?.port}`
  const from = join(folderOf(t, 'warm'), 'hot')
  writeFileSync(from, GOOD)
  for (const mode of MODES) {
    const warm = { from, budget: '100ms' }
    const { router } = beginner(t, { ...mode, store, storeTimeout: '1h', warm })
    await router.listen({ port: 0 })
    t.is(router.status().state, 'open')
    await router.close()
  }
})

fronted('a node that begins can be closed at any moment', async t => {
  const { store } = await storeOf(t)
  let asked = 0
  const from = await peer(t, () => void asked++)
  for (const mode of MODES) {
    const before = asked
    const { router, told } = beginner(t, { ...mode, store, warm: { from, budget: '1h' } })
    const opening = router.listen({ port: 0 })
    const refused = t.throwsAsync(opening, { code: 'ERR_ROUTER_STATE' })
    await until(() => asked > before)
    await router.close()
    await refused
    t.false(told.some(({ event }) => event.startsWith('began_')))
  }
})

fronted('clients are served while a node begins', async t => {
  const { direct, store } = await storeOf(t)
  let asked = 0
  const from = await peer(t, () => void asked++)
  const path = join(folderOf(t, 'warm'), 'node.sock')
  for (const mode of MODES) {
    const before = asked
    const { router } = beginner(t, { ...mode, store, warm: { from, budget: '1h' } })
    const admin = createAdmin(router, { listen: '127.0.0.1:0', token: TOKEN })
    const opening = router.listen({ unix: path })
    const refused = t.throwsAsync(opening)
    await until(() => asked > before)
    const client = await Raw.open(t, 0, unixAt(path))
    t.is(await client.send('GET', 'key:1'), '$10\r\nvalue-of-1\r\n')
    const { status, json } = await ask(await admin.listen(), '/readyz')
    t.is(status, 503)
    t.deepEqual((json as { reasons?: string[] }).reasons, ['it reads what is read most'])
    t.is((await ask(admin.address!, '/hot', { token: TOKEN })).status, 409)
    await admin.close()
    await router.close()
    await refused
  }
  t.true((await calls(direct, 'get')) >= MODES.length)
})

fronted('what was read before anybody came is given to nobody who may not read it', async t => {
  const { store } = await storeOf(t)
  const from = join(folderOf(t, 'warm'), 'hot')
  writeFileSync(from, GOOD)
  const users = [{ name: 'ada', password: 'pw', acl: '~key:2 +@all' }]
  const { router } = beginner(t, { store, users, warm: { from } } as RouterOptions)
  const { port } = await router.listen({ port: 0 })
  t.is((await router.memory!.inspect('key:1')).memory, 'reply')
  const client = await Raw.open(t, port)
  t.regex(await client.send('GET', 'key:1'), /^-NOAUTH/)
  await client.send('AUTH', 'ada', 'pw')
  t.regex(await client.send('GET', 'key:1'), /^-NOPERM/)
  t.is(await client.send('GET', 'key:2'), '$10\r\nvalue-of-2\r\n')
})

fronted('what a node reads most is told to those who have the token, once it serves', async t => {
  const { direct, store } = await storeOf(t)
  const { router, address } = await experienced(t, { store }, direct)
  t.is((await ask(address, '/hot')).status, 401)
  const { status, headers, text } = await ask(address, '/hot', { token: TOKEN })
  t.is(status, 200)
  t.is(headers['content-type'], 'application/octet-stream')
  t.true(text.startsWith('breakwater hot reads 1\n'))
  t.true(text.includes('key:0'))
  t.false(text.includes('value-of'))
  await router.close()
  t.is((await ask(address, '/hot', { token: TOKEN })).status, 409)
  t.true(portOf(address) > 0)
})

fronted('what any process reads is told of, each read once', async t => {
  const { store } = await storeOf(t)
  const { router } = beginner(t, { mode: 'processes', workers: 3, store })
  const { port } = await router.listen({ port: 0 })
  const clients = new Map<string, Raw>()
  while (clients.size < 3) {
    const client = await Raw.open(t, port)
    clients.set((await info(client, 'node', 'node_process_id'))!, client)
  }
  const words = [...clients.values()].map(async (client, at) => {
    await client.send('GET', 'key:all')
    for (let key = 0; key < 50 + at; key++) await client.send('GET', `key:${at}-${key}-`)
    return Array.from({ length: 50 + at }, (_, key) => `key:${at}-${key}-`)
  })
  const expected = ['key:all', ...(await Promise.all(words)).flat()]
  const all = Buffer.from(await router.hotReads()).toString('latin1')
  for (const key of expected) t.is(all.split(key).length, 2, key)
})

fronted('a file that cannot be written is told of once, and the node serves', async t => {
  const { store } = await storeOf(t)
  const from = join(folderOf(t, 'warm'), 'gone', 'hot')
  const { router, told } = beginner(t, { store, warm: { from, every: '10ms' } })
  const { port } = await router.listen({ port: 0 })
  await (await Raw.open(t, port)).send('GET', 'key:1')
  await until(() => told.some(({ event }) => event === 'hot_reads_not_kept'))
  await router.close()
  t.is(told.filter(({ event }) => event === 'hot_reads_not_kept').length, 1)
})

test('options that cannot be say which, and what is allowed', t => {
  const store = 'redis://127.0.0.1:1'
  const check = (warm: unknown, message: RegExp, code = 'ERR_INVALID_OPTION') =>
    t.throws(() => createRouter({ threads: 1, store, warm } as RouterOptions), { message, code })
  const file = { from: 'hot' }
  const node = { from: 'http://127.0.0.1:9121' }
  check(5, /^warm must be an object \{ from, tokenFile, every, budget \}/)
  check({}, /^warm\.from must be the path of a file, or the URL/)
  check({ from: 5 }, /^warm\.from must be the path/)
  check({ from: '' }, /^warm\.from must be the path/)
  check({ from: 'a\0' }, /^warm\.from must be the path/)
  check({ from: 'redis://127.0.0.1:1' }, /^warm\.from must be the path.*redis:/)
  check({ from: 'unix:' }, /^warm\.from must be a path of 1 to 103 bytes/)
  check({ from: `unix:/${'x'.repeat(200)}` }, /^warm\.from must be a path of 1 to 103 bytes/)
  check({ from: 'http://' }, /^warm\.from must be the path/)
  check({ from: 'file://elsewhere/hot' }, /^warm\.from must be the path/)
  check({ from: 'file:///%E0%A4%A' }, /^warm\.from must be the path/)
  check(
    { from: 'http://127.0.0.1:9121/hot' },
    /^warm\.from must be no more than http:\/\/host:port/,
  )
  const secret = check(
    { from: 'http://ada:pw@127.0.0.1' },
    /^warm\.from must be without credentials/,
  )
  t.notRegex(String(secret?.message), /pw/)
  check({ ...file, every: '1ms' }, /^warm\.every must be a duration from 10 ms to a day/)
  check({ ...file, every: Infinity }, /^warm\.every must be a duration/)
  check({ ...file, budget: '2h' }, /^warm\.budget must be a duration of an hour at the most/)
  check({ ...node, tokenFile: 5 }, /^warm\.tokenFile must be the name of a file/)
  check({ ...file, form: 1 }, /unknown option 'warm\.form'; did you mean 'warm\.from'/)
  check({ ...file, tokenFile: 'x' }, /warm\.tokenFile/, 'ERR_OPTION_COMBINATION')
  check({ ...node, every: '1m' }, /warm\.every/, 'ERR_OPTION_COMBINATION')
  check({ from: 'unix:/a.sock', every: '1m' }, /warm\.every/, 'ERR_OPTION_COMBINATION')
  t.throws(() => createRouter({ threads: 1, warm: file }), {
    message: /warm/,
    code: 'ERR_OPTION_COMBINATION',
  })
})
