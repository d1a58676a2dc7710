// A store that is reached by TLS, or by a socket of this machine.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createRouter } from 'breakwater/router'
import { freePort } from '../../../scripts/free-port.mjs'
import { Authority } from '../../helpers/certificates.ts'
import { Raw, redis, run, serve } from '../support.ts'
import { hasRedis } from './support.ts'

const authority = new Authority()
const other = new Authority('Another')

/** A Redis that speaks TLS for this name; the port of it. */
async function secure(t: ExecutionContext, name: string, authClients: string, ...more: string[]) {
  const port = await freePort()
  const { cert, key } = authority.sign([name])
  const files = [
    '--tls-cert-file',
    cert,
    '--tls-key-file',
    key,
    '--tls-ca-cert-file',
    authority.cert,
  ]
  await redis(t, '--tls-port', `${port}`, ...files, '--tls-auth-clients', authClients, ...more)
  return port
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await sleep(20)
}

if (hasRedis) {
  test('a store of rediss:// is read from, cached and written to', async t => {
    t.timeout(120_000)
    const port = await secure(t, 'localhost', 'no', '--requirepass', 'secret')
    const url = `rediss://:secret@127.0.0.1:${port}`
    const node = await serve(t, '--threads', '2', '--store', url, '--store-tls-ca', authority.cert)
    const client = await Raw.open(t, node.port)
    const value = 'v'.repeat(100_000)
    t.is(await client.send('SET', 'a', value), '+OK\r\n')
    for (let round = 0; round < 3; round++) {
      t.is(await client.send('GET', 'a'), `$${value.length}\r\n${value}\r\n`)
    }
    const info = await client.send('INFO')
    t.regex(info, /# Upstream\r\nupstream_address:127\.0\.0\.1:\d+\r\nupstream_kind:tls\r\n/)
    t.regex(info, /# Routes\r\nroute0:match=\*,hits=2,misses=1,joined=0,stored=1,/)
    t.regex(await client.send('INFO', 'cache'), /# Cache\r\ncache_entries:\d+\r\n/)
    t.is(await client.send('LPUSH', 'l', 'x'), ':1\r\n')
    t.is(await client.send('MULTI'), '+OK\r\n')
    t.is(await client.send('INCR', 'n'), '+QUEUED\r\n')
    t.is(await client.send('EXEC'), '*1\r\n:1\r\n')
  })

  test('the node shows its own certificate to a store that asks, and finds a name that it is told', async t => {
    t.timeout(120_000)
    const port = await secure(t, 'store.test', 'yes')
    const own = authority.sign(['node'])
    const flags = ['--store', `rediss://127.0.0.1:${port}`, '--store-tls-ca', authority.cert]
    const shown = ['--store-tls-cert', own.cert, '--store-tls-key', own.key]
    const node = await serve(
      t,
      '--threads',
      '1',
      ...flags,
      ...shown,
      '--store-tls-name',
      'store.test',
    )
    const client = await Raw.open(t, node.port)
    t.is(await client.send('SET', 'a', '1'), '+OK\r\n')
    t.is(await client.send('GET', 'a'), '$1\r\n1\r\n')
    const anonymous = await serve(t, '--threads', '1', ...flags)
    const refused = await Raw.open(t, anonymous.port)
    await until(async () => /unreachable: .*[Cc]ertificate/.test(await refused.send('GET', 'a')))
    t.is(await refused.send('PING'), '+PONG\r\n')
  })

  for (const [what, flags, why] of [
    ['by another authority', ['--store-tls-ca', other.cert], /UnknownIssuer/],
    [
      'for another name',
      ['--store-tls-ca', authority.cert, '--store-tls-name', 'far.test'],
      /not valid for name/,
    ],
    ['whose authority nobody knows', [], /UnknownIssuer/],
  ] as const) {
    test(`a store with a certificate ${what} is not spoken to, and clients are told`, async t => {
      t.timeout(120_000)
      const port = await secure(t, 'localhost', 'no')
      const node = await serve(
        t,
        '--threads',
        '1',
        '--store',
        `rediss://127.0.0.1:${port}`,
        ...flags,
      )
      const client = await Raw.open(t, node.port)
      await until(async () => {
        const reply = await client.send('GET', 'a')
        return reply.startsWith('-ERR the store at 127.0.0.1:') && why.test(reply)
      })
      t.is(await client.send('PING'), '+PONG\r\n')
    })
  }

  test('a plain store that is called rediss:// is told of, and so is one the other way', async t => {
    t.timeout(120_000)
    const plain = await redis(t)
    const secured = await secure(t, 'localhost', 'no')
    for (const store of [`rediss://127.0.0.1:${plain.port}`, `redis://127.0.0.1:${secured}`]) {
      const node = await serve(t, '--threads', '1', '--store', store)
      const client = await Raw.open(t, node.port)
      await until(async () => (await client.send('GET', 'a')).startsWith('-ERR the store at'))
      t.is(await client.send('PING'), '+PONG\r\n')
    }
  })

  test('a store is reached by a socket of this machine', async t => {
    t.timeout(120_000)
    const path = join(authority.dir, 'store.sock')
    await redis(t, '--unixsocket', path)
    for (const store of [`unix://${path}`, `redis+unix://${path}`]) {
      const node = await serve(t, '--threads', '1', '--store', store)
      const client = await Raw.open(t, node.port)
      t.is(await client.send('SET', 'a', store), '+OK\r\n')
      t.is(await client.send('GET', 'a'), `$${store.length}\r\n${store}\r\n`)
    }
    const node = await serve(t, '--threads', '1', '--store', `unix://${path}.not`)
    const client = await Raw.open(t, node.port)
    await until(async () => (await client.send('GET', 'a')).includes(`the store at ${path}.not is`))
    t.pass()
  })
}

test('a store that takes connections and says nothing of TLS is given up, and tried again', async t => {
  t.timeout(120_000)
  let connections = 0
  const silent = createServer(socket => {
    connections++
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const { port } = silent.address() as { port: number }
  const flags = ['--store', `rediss://127.0.0.1:${port}`, '--store-tls-ca', authority.cert]
  const node = await serve(t, '--threads', '1', ...flags)
  const client = await Raw.open(t, node.port)
  t.regex(await client.send('GET', 'a'), /^-ERR the store/)
  await until(async () => (await client.send('GET', 'a')) !== '' && connections > 1)
})

test('files for the store are named when they are wrong', async t => {
  t.timeout(120_000)
  const { cert, key } = authority.sign()
  const wrong = (storeTls: object, store = 'rediss://127.0.0.1') =>
    t.throws(() => createRouter({ store, storeTls, maxBytes: '16mb' }))?.message ?? ''
  t.regex(wrong({ ca: 'nowhere' }), /storeTls\.ca must be a file that can be read \(ENOENT\)/)
  t.regex(wrong({ ca: key }), /storeTls\.ca must be a PEM file with a certificate/)
  t.regex(wrong({ cert }), /storeTls\.key must be given/)
  t.regex(wrong({ cert, key: other.key }), /storeTls\.key must be the private key/)
  t.regex(wrong({ serverName: '' }), /storeTls\.serverName/)
  t.regex(wrong({ serverName: 'no name' }), /storeTls/)
  t.regex(wrong({ authority: cert }), /unknown option 'storeTls\.authority'/)
  t.regex(wrong({ ca: cert }, 'redis://127.0.0.1'), /storeTls .* cannot be combined/)
  const flags = ['--store', 'rediss://127.0.0.1', '--store-tls-ca', 'nowhere']
  const { code, output } = await run('serve', '--port', '0', ...flags)
  t.is(code, 2)
  t.regex(output, /--store-tls-ca must be/)
})
