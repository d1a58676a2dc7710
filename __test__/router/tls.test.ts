// TLS between clients and the node, with both drivers: who is met by which certificate, who is let
// in, what a reload changes, and what an error says.
import { once } from 'node:events'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type RouterOptions, type TlsOptions } from 'breakwater/router'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { Authority } from '../helpers/certificates.ts'
import { encode, installed, PLAIN, Raw, run, serve } from './support.ts'

const authority = new Authority()
const DRIVERS = ['native', 'net'] as const

/** A router of this process, until the test ends; its port. */
async function start(t: ExecutionContext, tls: TlsOptions, options: RouterOptions = {}) {
  t.timeout(120_000)
  const router = createRouter({ threads: 1, maxBytes: '16mb', tls, ...options })
  t.teardown(() => router.close())
  const { port, secure } = await router.listen({ port: 0 })
  t.true(secure)
  return { router, port }
}

/** A client of TLS that has agreed on keys, or the error that it met. */
async function meet(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const given = { port, host: '127.0.0.1', ca: authority.pem, servername: 'localhost', ...options }
  const socket = connect(given)
  await once(socket, 'secureConnect')
  socket.on('error', () => {})
  return socket
}

/** What a client hears to a PING; nothing, if it is turned away. */
async function ping(socket: TLSSocket): Promise<string> {
  socket.write('PING\r\n')
  const heard = await Promise.race([once(socket, 'data'), once(socket, 'close')])
  socket.destroy()
  return String(heard[0] instanceof Buffer ? heard[0] : '')
}

for (const driver of DRIVERS) {
  test(`${driver}: a client is shown the certificate of the name that it asks for`, async t => {
    const names = [['first.test'], ['second.test', '*.wild.test']]
    const signed = names.map(each => authority.sign(each))
    const tls = { cert: signed.map(({ cert }) => cert), key: signed.map(({ key }) => key) }
    const { port } = await start(t, tls, { driver })
    for (const [servername, shown] of [
      ['first.test', 'first.test'],
      ['second.test', 'second.test'],
      ['SECOND.test', 'second.test'],
      ['any.wild.test', 'second.test'],
      ['far.any.wild.test', 'first.test'],
      ['unknown.test', 'first.test'],
    ] as const) {
      const socket = await meet(port, { servername, checkServerIdentity: () => undefined })
      t.is(socket.getPeerCertificate().subject.CN, shown, servername)
      t.is(await ping(socket), '+PONG\r\n')
    }
  })

  test(`${driver}: clients' certificates are asked for, or not, and a wrong one is refused`, async t => {
    const [own, other] = [authority.sign(), new Authority('Another').sign()]
    const files = ({ cert, key }: typeof own) => ({
      cert: readFileSync(cert),
      key: readFileSync(key),
    })
    for (const [authClients, none, right, wrong] of [
      ['yes', '', '+PONG\r\n', ''],
      ['optional', '+PONG\r\n', '+PONG\r\n', ''],
      ['no', '+PONG\r\n', '+PONG\r\n', '+PONG\r\n'],
    ] as const) {
      const tls = { ...authority.sign(), ca: authority.cert, authClients }
      const { port } = await start(t, tls, { driver })
      const heard = async (options: ConnectionOptions) => {
        try {
          return await ping(await meet(port, options))
        } catch {
          return ''
        }
      }
      // By TLS 1.2 the handshake fails, by 1.3 what follows it.
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        t.is(await heard({ maxVersion }), none, `none, ${authClients}, ${maxVersion}`)
        t.is(await heard({ maxVersion, ...files(own) }), right, `right, ${authClients}`)
        t.is(await heard({ maxVersion, ...files(other) }), wrong, `wrong, ${authClients}`)
      }
    }
  })

  test(`${driver}: a session is resumed by any thread`, async t => {
    const { port } = await start(t, authority.sign(), { driver, threads: 3 })
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = await meet(port, { maxVersion })
      let session = first.getSession()
      first.on('session', given => {
        session = given
      })
      t.false(first.isSessionReused())
      t.is(await ping(first), '+PONG\r\n')
      for (let round = 0; round < 8; round++) {
        const next = await meet(port, { maxVersion, session })
        t.true(next.isSessionReused(), maxVersion)
        t.is(await ping(next), '+PONG\r\n')
      }
    }
  })

  test(`${driver}: a reload meets new clients by new files, and keeps those that are there`, async t => {
    const file = (name: string) => join(authority.dir, `${driver}-${name}`)
    const [tls, second] = [
      { cert: file('cert'), key: file('key') },
      authority.sign(['second.test']),
    ]
    const copy = (from: typeof second) => {
      copyFileSync(from.cert, tls.cert)
      copyFileSync(from.key, tls.key)
    }
    copy(authority.sign(['first.test']))
    const { router, port } = await start(t, tls, { driver, threads: 2 })
    const unchecked = { checkServerIdentity: () => undefined }
    const shown = async () => {
      const socket = await meet(port, unchecked)
      const { subject } = socket.getPeerCertificate()
      t.is(await ping(socket), '+PONG\r\n')
      return subject.CN
    }
    const early = await meet(port, unchecked)
    t.is(await shown(), 'first.test')
    writeFileSync(tls.cert, 'nothing')
    await t.throwsAsync(router.reload(), { code: 'ERR_INVALID_OPTION', message: /tls\.cert/ })
    t.is(await shown(), 'first.test')
    copy(second)
    await router.reload()
    // Worker threads of net are told, and answer nothing.
    while ((await shown()) !== 'second.test');
    t.is(await ping(early), '+PONG\r\n')
  })

  test(`${driver}: records that come in pieces are read`, async t => {
    const { port } = await start(t, authority.sign(), { driver })
    const { socket: raw } = await PLAIN.connect(port)
    const pieces = new Duplex({
      read() {},
      async write(chunk: Buffer, _encoding, done) {
        for (let at = 0; at < chunk.length; at += 7) {
          raw.write(chunk.subarray(at, at + 7))
          await new Promise(resolve => setImmediate(resolve))
        }
        done()
      },
    })
    raw.on('data', chunk => pieces.push(chunk))
    raw.on('error', () => {})
    const socket = connect({ socket: pieces, ca: authority.pem, servername: 'localhost' })
    await once(socket, 'secureConnect')
    const value = 'v'.repeat(20_000)
    socket.write(Buffer.concat([encode(['SET', 'k', value]), encode(['GET', 'k'])]))
    const expected = `+OK\r\n$${value.length}\r\n${value}\r\n`
    let heard = ''
    for await (const chunk of socket) {
      heard += chunk
      if (heard.length >= expected.length) break
    }
    t.is(heard, expected)
    raw.destroy()
  })

  test(`${driver}: what is no TLS is turned away, and troubles nobody else`, async t => {
    const { port } = await start(t, authority.sign(), { driver })
    const good = await meet(port)
    const plain = await Raw.open(t, port)
    plain.write('PING\r\nPING\r\n')
    t.notRegex(String(await plain.rest()), /PONG/)
    t.is(await ping(good), '+PONG\r\n')
  })

  test(`${driver}: --tls-port serves TLS, and --port plain clients, only where it is given`, async t => {
    const { cert, key } = authority.sign()
    const flags = ['--driver', driver, '--threads', '1', '--tls-cert', cert, '--tls-key', key]
    const both = await serve(t, ...flags, '--tls-port', '0')
    const [, secure] = /(\d+) \(TLS\)/.exec(both.output()) ?? []
    const plain = await Raw.open(t, both.port)
    t.is(await plain.send('PING'), '+PONG\r\n')
    t.is(await ping(await meet(Number(secure))), '+PONG\r\n')
    t.is(await both.stop(), 0)
    const router = createRouter({ driver, threads: 0, maxBytes: '16mb', tls: { cert, key } })
    await router.listen({ tlsPort: 0 })
    t.deepEqual(
      router.addresses().map(address => address.secure),
      [true],
    )
    await router.close()
  })
}

test('SIGHUP reads the files anew, and says so', async t => {
  t.timeout(120_000)
  const { cert, key } = authority.sign()
  const served = await serve(t, '--threads', '1', '--tls-cert', cert, '--tls-key', key)
  const heard = async (text: string) => {
    while (!served.output().includes(text) && served.process.exitCode === null) {
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }
  served.process.kill('SIGHUP')
  await heard('breakwater: reloaded')
  writeFileSync(cert, 'nothing')
  served.process.kill('SIGHUP')
  await heard('breakwater: not reloaded: --tls-cert must be a PEM file with a certificate')
  t.is(await ping(await meet(served.port)), '+PONG\r\n')
})

test('files that cannot serve are named, with their roles, and nothing of what is in them', async t => {
  t.timeout(120_000)
  const [good, other] = [authority.sign(), authority.sign(['other.test'])]
  const old = authority.sign(['old.test'], -1)
  const secret = readFileSync(good.key, 'utf8')
  const broken = join(authority.dir, 'broken')
  writeFileSync(broken, secret.replaceAll('PRIVATE KEY', 'CERTIFICATE'))
  for (const [flags, message] of [
    [['--tls-cert', good.cert], /--tls-key must be .* not none/],
    [['--tls-cert', 'nowhere', '--tls-key', good.key], /--tls-cert .*\(ENOENT\), not 'nowhere'/],
    [['--tls-cert', good.cert, '--tls-key', 'nowhere'], /--tls-key .*\(ENOENT\), not 'nowhere'/],
    [['--tls-cert', good.key, '--tls-key', good.key], /--tls-cert must be a PEM file with a cert/],
    [['--tls-cert', broken, '--tls-key', good.key], /--tls-cert .* is damaged/],
    [['--tls-cert', good.cert, '--tls-key', good.cert], /--tls-key .* private key without/],
    [['--tls-cert', good.cert, '--tls-key', other.key], /--tls-key .* key of the certificate in/],
    [['--tls-cert', old.cert, '--tls-key', old.key], /--tls-cert .* expired on \d{4}-/],
    [['--tls-cert', good.cert, '--tls-key', good.key, '--tls-ca', good.key], /--tls-ca must be/],
    [
      ['--tls-cert', good.cert, '--tls-key', good.key, '--tls-auth-clients', 'yes'],
      /--tls-ca must be a file where clients show certificates/,
    ],
    [['--tls-port', '0'], /tlsPort/],
  ] as const) {
    const { code, output } = await run('serve', '--port', '0', ...flags)
    t.true(code === 2 || code === 1, output)
    t.regex(output, message)
    for (const line of secret.split('\n').slice(1, -2)) t.false(output.includes(line))
  }
})

test('redis-cli, ioredis and node-redis work by TLS', async t => {
  t.timeout(120_000)
  const { port } = await start(t, { ...authority.sign(), ca: authority.cert }, { threads: 2 })
  const own = authority.sign()
  const tls = {
    ca: authority.pem,
    cert: readFileSync(own.cert),
    key: readFileSync(own.key),
    servername: 'localhost',
  }
  const ioredis = new Redis({ port, host: '127.0.0.1', tls })
  ioredis.on('error', () => {})
  t.is(await ioredis.set('a', '1'), 'OK')
  await ioredis.quit()
  const client = createClient({ socket: { port, host: '127.0.0.1', tls: true, ...tls } })
  client.on('error', () => {})
  await client.connect()
  t.is(await client.get('a'), '1')
  await client.close()
  if (!installed('redis-cli')) return
  const { execFile } = await import('node:child_process')
  const { promisify } = await import('node:util')
  const files = ['--cacert', authority.cert, '--cert', own.cert, '--key', own.key]
  const { stdout } = await promisify(execFile)('redis-cli', [
    '-p',
    `${port}`,
    '--tls',
    ...files,
    'get',
    'a',
  ])
  t.is(stdout, '1\n')
})

test('a certificate of many kinds of keys serves', async t => {
  t.timeout(120_000)
  for (const algorithm of ['rsa', 'ed25519'] as const) {
    const signed = authority.sign(['localhost'], 30, algorithm)
    const { port } = await start(t, signed)
    t.is(await ping(await meet(port)), '+PONG\r\n', algorithm)
  }
})
