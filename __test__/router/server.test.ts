// The server as a process: hostile clients, killed clients, full sockets, stopping, the command line.
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { InvalidOptionError } from '../../src/index.ts'
import { createRouter } from '../../src/router/index.ts'
import { folderOf } from '../helpers/folders.ts'
import { encode, Raw, run, serve } from './support.ts'

test('a router inside a program serves, tells what it did and stops', async t => {
  const router = createRouter({ threads: 0, maxBytes: '16mb' })
  const { port, address } = await router.listen({ port: 0 })
  t.is(address, '127.0.0.1')
  const client = await Raw.open(t, port)
  t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
  t.is(await client.send('GET', 'a'), '$1\r\n1\r\n')
  const { clients, commands, hits, entries } = router.stats()
  t.deepEqual(
    { clients, commands, hits, entries },
    { clients: 1, commands: 2, hits: 1, entries: 1 },
  )
  await t.throwsAsync(router.listen({ port: 0 }), { code: 'ERR_ROUTER_STATE' })
  await router.close()
  t.is(router.address(), null)
  t.is(router.stats().commands, 2)
  t.deepEqual(await client.rest(), Buffer.alloc(0))
})

test('two routers in one program share nothing', async t => {
  const routers = [createRouter({ threads: 0 }), createRouter({ threads: 0 })]
  const clients = await Promise.all(
    routers.map(async router => Raw.open(t, (await router.listen({ port: 0 })).port)),
  )
  await clients[0]!.send('SET', 'a', '1')
  t.is(await clients[1]!.send('GET', 'a'), '$-1\r\n')
  await Promise.all(routers.map(router => router.close()))
})

test('options that cannot be are refused by name', t => {
  const refused = (options: object, option: string) => {
    const error = t.throws(() => createRouter(options), { instanceOf: InvalidOptionError })
    t.is(error?.option, option)
  }
  refused({ threads: -1 }, 'threads')
  refused({ threads: 1.5 }, 'threads')
  refused({ maxBytes: 'lots' }, 'maxBytes')
  refused({ policy: 'fifo' }, 'policy')
  refused({ password: '' }, 'password')
  refused({ password: 'a', users: [] }, 'password')
  refused({ users: [{ name: 'a b' }] }, 'users[0].name')
  refused({ users: [{ name: 'a', permissions: ['fly'] }] }, 'users[0].permissions')
  refused({ users: ['a'] }, 'users[0]')
  refused({ users: [{ name: 'a' }, { name: 'b', password: '' }] }, 'users[1].password')
  refused({ users: [{ name: 'a', permissions: [] }] }, 'users[0].permissions')
  refused({ users: [{ name: 'a', readConcern: 'none' }] }, 'users[0].readConcern')
  refused({ maxClients: 0 }, 'maxClients')
  refused({ colour: 'red' }, 'colour')
  refused({ maxMemory: '64mb' }, 'maxMemory')
})

test('the old spellings are refused, and the new ones named', async t => {
  t.throws(() => createRouter({ maxMemory: '64mb' } as object), {
    message: "unknown option 'maxMemory'; write 'maxBytes', its new name",
  })
  const { code, output } = await run('serve', '--max-memory', '64mb')
  t.is(code, 2)
  t.regex(output, /--max-memory.*Write '--max-bytes', its new name/)
})

test('a router is made by its own entry alone', async t => {
  t.false('createRouter' in (await import('../../src/index.ts')))
  const { exports } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  )
  t.is(exports['./router'].import.default, './dist/router/index.js')
})

test('users may do what they are permitted', async t => {
  const router = createRouter({
    threads: 0,
    users: [{ name: 'reader', password: 'r', permissions: ['read'] }],
  })
  t.teardown(() => router.close())
  const client = await Raw.open(t, (await router.listen({ port: 0 })).port)
  t.is(await client.send('GET', 'a'), '-NOAUTH Authentication required.\r\n')
  t.is(await client.send('AUTH', 'reader', 'r'), '+OK\r\n')
  t.is(await client.send('GET', 'a'), '$-1\r\n')
  t.regex(await client.send('SET', 'a', '1'), /^-NOPERM /)
})

test('a client that breaks the protocol is told and disconnected; others are served', async t => {
  const { port } = await serve(t, '--threads', '1')
  const good = await Raw.open(t, port)
  for (const bytes of [
    '*1\r\nx\r\n',
    'a'.repeat(200_000),
    '*1\r\n$536870913\r\n',
    '*1048577\r\n',
  ]) {
    const bad = await Raw.open(t, port)
    bad.write(bytes)
    t.regex(String(await bad.rest()), /^-ERR Protocol error: .*\r\n$/)
  }
  t.is(await good.send('PING'), '+PONG\r\n')
})

test('an announced value that never comes costs no memory', async t => {
  const { port, process } = await serve(t, '--threads', '1', '--max-bytes', '64mb')
  const before = await resident(process.pid!)
  for (let n = 0; n < 20; n++) {
    const client = await Raw.open(t, port)
    client.write('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc')
  }
  const good = await Raw.open(t, port)
  t.is(await good.send('PING'), '+PONG\r\n')
  t.true((await resident(process.pid!)) - before < 100 * MB)
})

test('a client that never reads its replies is paused, and others are served', async t => {
  const { port, process } = await serve(t, '--threads', '1', '--max-bytes', '64mb')
  const good = await Raw.open(t, port)
  await good.send('SET', 'large', 'x'.repeat(MB))
  const before = await resident(process.pid!)
  const deaf = await Raw.open(t, port)
  deaf.socket.pause()
  const request = Buffer.concat(Array.from({ length: 1000 }, () => encode(['GET', 'large'])))
  // A gigabyte of replies in each of these; the server stops reading long before the last.
  for (let n = 0; n < 20; n++) deaf.socket.write(request)
  for (let n = 0; n < 200; n++) t.is(await good.send('PING'), '+PONG\r\n')
  t.true((await resident(process.pid!)) - before < 100 * MB)
  // It is served again as soon as it reads.
  deaf.socket.resume()
  const [reply] = await deaf.replies(1)
  t.is(reply?.length, MB + 12)
})

test('a client is killed from any thread', async t => {
  const { port } = await serve(t, '--threads', '2')
  const clients = await Promise.all(Array.from({ length: 10 }, () => Raw.open(t, port)))
  const ids = await Promise.all(clients.map(client => client.send('CLIENT', 'ID')))
  const [killer, ...victims] = clients
  for (const id of ids.slice(1)) {
    t.is(await killer!.send('CLIENT', 'KILL', 'ID', id.slice(1, -2)), ':1\r\n')
  }
  for (const victim of victims) t.is((await victim.rest()).length, 0)
  // Their threads take them off the list once they have hung up.
  while ((await killer!.send('CLIENT', 'LIST')).match(/id=/g)?.length !== 1) await sleep(5)
})

test('threads share one store', async t => {
  const { port } = await serve(t, '--threads', '2')
  const clients = await Promise.all(Array.from({ length: 20 }, () => Raw.open(t, port)))
  await Promise.all(clients.map(client => client.send('INCR', 'n')))
  t.is(await clients[0]!.send('GET', 'n'), '$2\r\n20\r\n')
})

test('clients beyond the limit are told so', async t => {
  const { port } = await serve(t, '--threads', '1', '--max-clients', '2')
  const first = await Raw.open(t, port)
  await first.send('PING')
  await (await Raw.open(t, port)).send('PING')
  const third = await Raw.open(t, port)
  t.is(String(await third.rest()), '-ERR max number of clients reached\r\n')
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} under load answers what was received, and ends with 0`, async t => {
    const server = await serve(t, '--threads', '2')
    const clients = await Promise.all(Array.from({ length: 10 }, () => Raw.open(t, server.port)))
    // Each client counts its own key and stops when it is hung up on.
    const counts = clients.map(() => 0)
    const ends = clients.map(async (client, n) => {
      while ((await client.send('INCR', `n:${n}`)) !== '') counts[n]!++
    })
    while (counts.some(count => count < 10)) await sleep(5)
    t.is(await server.stop(signal), 0)
    await Promise.all(ends)
    t.true(counts.every(count => count >= 10))
  })
}

test('a request sent right before the stop is answered', async t => {
  const server = await serve(t, '--threads', '1')
  const client = await Raw.open(t, server.port)
  await client.send('PING')
  client.write(encode(['ECHO', 'last words']))
  await once(client.socket, 'data')
  client.write(encode(['ECHO', 'more']))
  const rest = client.rest()
  t.is(await server.stop(), 0)
  t.regex(String(await rest), /^\$10\r\nlast words\r\n(\$4\r\nmore\r\n)?$/)
})

test('a stop does not wait for a client that never reads', async t => {
  const server = await serve(t, '--threads', '1')
  const client = await Raw.open(t, server.port)
  await client.send('SET', 'large', 'x'.repeat(MB))
  client.socket.pause()
  for (let n = 0; n < 100; n++) client.write(encode(['GET', 'large']))
  await sleep(100)
  t.is(await server.stop(), 0)
})

test('a second signal ends it at once', async t => {
  const server = await serve(t, '--threads', '1')
  const client = await Raw.open(t, server.port)
  await client.send('SET', 'large', 'x'.repeat(MB))
  client.socket.pause()
  for (let n = 0; n < 100; n++) client.write(encode(['GET', 'large']))
  // Two of one kind that come together may be one.
  server.process.kill('SIGTERM')
  t.is(await server.stop('SIGINT'), 1)
})

/** A configuration whose node gets a signal in the moment in which it is told of as listening. */
function signalled(t: ExecutionContext, signal: string): string {
  const file = join(folderOf(t, 'signalled'), 'breakwater.config.mjs')
  const text = `
    const tell = ({ event, changed }) => {
      console.log('event', event, changed ?? '')
      if (event === 'listening') process.kill(process.pid, '${signal}')
    }
    const logger = { debug: tell, info: tell, warn: tell, error: tell }
    export default { logger, threads: 1, maxBytes: '16mb', listen: { port: 0 } }`
  writeFileSync(file, text)
  return file
}

test('a signal that comes as soon as it listens is obeyed: it ends in order, or reloads', async t => {
  const { code, output } = await run('serve', '--config', signalled(t, 'SIGTERM'))
  t.is(code, 0, output)
  t.regex(output, /event listening[\s\S]*event draining[\s\S]*event drained/)
  const node = await serve(t, '--config', signalled(t, 'SIGHUP'))
  await node.says(/event reloaded/)
  t.is(await node.stop(), 0)
})

/** A configuration that sends its process a signal while it is read, and goes on a while later. */
function signalling(t: ExecutionContext, signal: string): string {
  const file = join(folderOf(t, 'signalling'), 'breakwater.config.mjs')
  const text = `
    globalThis.read = (globalThis.read ?? 0) + 1
    if (globalThis.read === 1) {
      process.kill(process.pid, '${signal}')
      await new Promise(resolve => setTimeout(resolve, ${signal === 'SIGHUP' ? 50 : 60_000}))
    }
    export default { threads: 1, maxBytes: '16mb', listen: { port: 0 }, maxClients: 10 + globalThis.read }`
  writeFileSync(file, text)
  return file
}

test('a signal that comes while the configuration is read is obeyed', async t => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const { code, output } = await run('serve', '--config', signalling(t, signal))
    t.deepEqual({ code, output }, { code: 0, output: '' }, signal)
  }
  const node = await serve(t, '--config', signalling(t, 'SIGHUP'))
  await node.says(/reloaded: maxClients/)
  t.is(await node.stop(), 0)
})

test('a taken port is an error in one line', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  const { code, output } = await run('serve', '--port', `${port}`)
  t.is(code, 1)
  t.regex(output, new RegExp(`^breakwater: port ${port} of 127.0.0.1 is in use: .*\n$`))
})

test('bad options are errors that name the option, the value and what is allowed', async t => {
  for (const [args, words] of [
    [['--port', 'x'], /--port.*'x'.*whole number/],
    [['--port', '70000'], /--port must be a whole number from 0 to 65535, not 70000/],
    [['--policy', 'fifo'], /--policy.*'fifo'.*lru, lfu, auto, random, none/],
    [['--max-bytes', 'lots'], /--max-bytes must be .*'25%', not 'lots'/],
    [['--threads', '9999'], /--threads must be .* from 0 to 1024, not 9999/],
    [['--user', 'a'], /--user.*'a'.*name:password/],
    [
      ['--user', 'a:b:fly'],
      /--user\[0\]\.permissions must be some of read, write, admin, all, not 'fly'/,
    ],
    [['--nonsense'], /unknown option '--nonsense'/],
  ] as const) {
    const { code, output } = await run('serve', ...args)
    t.is(code, 2, args.join(' '))
    t.regex(output, words)
    t.is(output.trim().split('\n').length, 1)
  }
})

test('help and version are printed', async t => {
  const help = await run('serve', '--help')
  t.is(help.code, 0)
  for (const option of ['--port', '--host', '--threads', '--max-bytes', '--policy']) {
    t.true(help.output.includes(option))
  }
  t.regex((await run('--version')).output, /^\d+\.\d+\.\d+\n$/)
})

test('it binds to loopback unless told otherwise, and warns when anybody may come', async t => {
  const quiet = await serve(t)
  await quiet.says(/listens on 127\.0\.0\.1:\d+[\s\S]*redis-cli -p \d+ set/)
  t.is(await quiet.stop(), 0)
  t.notRegex(quiet.output(), /warning/)
  const open = await serve(t, '--host', '0.0.0.0')
  await (await Raw.open(t, open.port)).send('PING')
  await open.says(/warning: .*--requirepass/)
  const locked = await serve(t, '--host', '0.0.0.0', '--requirepass', 'secret')
  t.is(
    await (await Raw.open(t, locked.port)).send('GET', 'a'),
    '-NOAUTH Authentication required.\r\n',
  )
  t.is(await locked.stop(), 0)
  t.notRegex(locked.output(), /warning|secret/)
})

const MB = 1024 * 1024

/** The memory that a process occupies, in bytes. */
async function resident(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises')
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024
}
