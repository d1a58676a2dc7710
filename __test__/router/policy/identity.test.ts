// Certificates of clients as identities: which name counts, what an unknown one may do, and reloads.
import { readFileSync } from 'node:fs'
import { connect, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type RouterOptions } from '../../../src/router/index.ts'
import { Authority, type Certificate } from '../../helpers/certificates.ts'
import { Raw } from '../support.ts'

const authority = new Authority()
const own = authority.sign(['localhost'])
const [ada, eve] = [authority.sign(['ada']), authority.sign(['eve'])]
const service = authority.sign(['host.test', 'bob'], 30, 'ec', ['spiffe://test/shop'])
const both = authority.sign(['ada', 'bob'])

const NOAUTH = '-NOAUTH Authentication required.\r\n'
const USERS: RouterOptions['users'] = [
  { name: 'ada', password: 'secret', acl: '~a:* +@all' },
  { name: 'bob', password: 'secret', acl: '~b:* +@all' },
  { name: 'gone', acl: 'off +@all' },
]
const TLS = { ...own, ca: authority.cert }

function options(more: Partial<RouterOptions> = {}): RouterOptions {
  return {
    threads: 0,
    maxBytes: '16mb',
    tls: TLS,
    users: USERS,
    identity: { certificate: 'CN' },
    ...more,
  }
}

async function node(t: ExecutionContext, more: Partial<RouterOptions> = {}) {
  const router = createRouter(options(more))
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  return { router, port }
}

/** A client that shows this certificate, if any. */
async function open(
  t: ExecutionContext,
  port: number,
  certificate?: Certificate,
  session?: Buffer,
): Promise<{ client: Raw; socket: TLSSocket }> {
  const shown = certificate && {
    cert: readFileSync(certificate.cert),
    key: readFileSync(certificate.key),
  }
  const socket = connect({ port, host: '127.0.0.1', ca: authority.pem, session, ...shown })
  const client = await Raw.open(t, port, { connect: async () => ({ socket }) } as never)
  return { client, socket }
}

test('a certificate logs its client in before the first command, by the name that counts', async t => {
  t.timeout(180_000)
  const cases: [RouterOptions['identity'], Certificate, user: string | undefined][] = [
    [{ certificate: 'CN' }, ada, 'ada'],
    [{ certificate: 'CN' }, eve, undefined],
    [{ certificate: 'CN' }, service, undefined],
    [{ certificate: 'CN', map: { 'host.test': 'bob' } }, service, 'bob'],
    [{ certificate: 'CN', map: { ada: 'gone' } }, ada, undefined],
    [{ certificate: 'CN', map: { ada: 'nobody' } }, ada, undefined],
    [{ certificate: 'CN', map: {} }, ada, undefined],
    [{ certificate: 'SAN-DNS' }, service, 'bob'],
    [{ certificate: 'SAN-DNS' }, both, undefined],
    [{ certificate: 'SAN-URI', map: { 'spiffe://test/shop': 'ada' } }, service, 'ada'],
    [{ certificate: 'SAN-URI' }, ada, undefined],
  ]
  for (const [identity, certificate, user] of cases) {
    const { port } = await node(t, { identity })
    const { client } = await open(t, port, certificate)
    const expected = user === undefined ? NOAUTH : `$3\r\n${user}\r\n`
    t.is(await client.send('ACL', 'WHOAMI'), expected, JSON.stringify(identity))
    // A password is taken all the same, and RESET goes back.
    t.is(await client.send('AUTH', 'bob', 'secret'), '+OK\r\n')
    t.is(await client.send('ACL', 'WHOAMI'), '$3\r\nbob\r\n')
    t.is(await client.send('RESET'), '+RESET\r\n')
    t.is(await client.send('ACL', 'WHOAMI'), expected)
  }
})

test('rules count for who came by a certificate, also when its session is resumed', async t => {
  t.timeout(180_000)
  const { port } = await node(t)
  const { client, socket } = await open(t, port, ada)
  const session = new Promise<Buffer>(resolve => socket.once('session', resolve))
  t.is(await client.send('SET', 'a:1', 'x'), '+OK\r\n')
  t.regex(await client.send('SET', 'b:1', 'x'), /^-NOPERM/)
  const again = await open(t, port, ada, await session)
  t.is(await again.client.send('GET', 'a:1'), '$1\r\nx\r\n')
  t.true(again.socket.isSessionReused())
})

test('a connection ends with its certificate, whatever it waits for, and no other begins by it', async t => {
  t.timeout(180_000)
  const [, bob] = USERS!
  const { port } = await node(t, { users: [{ name: 'ada', acl: '~* &* +@all' }, bob!] })
  const stays = (await open(t, port, ada)).client
  /** Clients that came in by a certificate that ends: by one that lasts longer, if they were too slow. */
  const inTime = async () => {
    for (let life = 4_000; ; life *= 2) {
      // To whole seconds.
      const end = Math.floor((Date.now() + life) / 1000) * 1000
      const short = authority.signUntil('ada', new Date(end))
      const come = async (...words: string[]) => {
        const { client } = await open(t, port, short)
        return { client, said: await client.send(...words) }
      }
      const idle = await come('ACL', 'WHOAMI')
      const subscribed = await come('SUBSCRIBE', 'news')
      // By a password it is somebody whom the certificate does not end.
      const renewed = await come('AUTH', 'bob', 'secret')
      if (Date.now() < end) return { end, short, idle, subscribed, renewed }
    }
  }
  const { end, short, idle, subscribed, renewed } = await inTime()
  t.is(idle.said, '$3\r\nada\r\n')
  t.regex(subscribed.said, /subscribe/)
  t.is(renewed.said, '+OK\r\n')
  for (const { client } of [idle, subscribed]) t.is(String(await client.rest()), '')
  t.true(Date.now() >= end)
  t.is(await stays.send('ACL', 'WHOAMI'), '$3\r\nada\r\n')
  t.is(await renewed.client.send('ACL', 'WHOAMI'), '$3\r\nbob\r\n')
  const late = (await open(t, port, short)).client
  t.is(String(await late.rest()), '')
})

test('without a certificate, where none is needed, a client is who it was', async t => {
  t.timeout(180_000)
  const tls = { ...TLS, authClients: 'optional' } as const
  const { port } = await node(t, { tls })
  const { client } = await open(t, port)
  t.is(await client.send('PING'), NOAUTH)
  const open_ = await node(t, { tls, users: [...USERS!, { name: 'default', acl: 'nopass +@all' }] })
  const anybody = await open(t, open_.port)
  t.is(await anybody.client.send('PING'), '+PONG\r\n')
  const unknown = await open(t, open_.port, eve)
  t.is(await unknown.client.send('PING'), NOAUTH)
})

test('a reload ends whose name is no user any more, and lets in whose name is one now', async t => {
  t.timeout(180_000)
  const { router, port } = await node(t)
  const { client } = await open(t, port, ada)
  t.is(await client.send('PING'), '+PONG\r\n')
  const waiting = await open(t, port, eve)
  t.is(await waiting.client.send('PING'), NOAUTH)
  const map = { eve: 'bob' }
  const { changed } = await router.reload(options({ identity: { certificate: 'CN', map } }))
  t.deepEqual(changed, ['identity.map'])
  t.is(String(await client.rest()), '')
  t.is(await waiting.client.send('ACL', 'WHOAMI'), '$3\r\nbob\r\n')
  const back = await open(t, port, ada)
  t.is(await back.client.send('PING'), NOAUTH)
})

test('options of identities that cannot be are refused by name', t => {
  const wrong: [option: string, identity: unknown][] = [
    ['identity', 'CN'],
    ['identity', []],
    ['identity.certificate', {}],
    ['identity.certificate', { certificate: 'cn' }],
    ['identity.name', { certificate: 'CN', name: 1 }],
    ['identity.map', { certificate: 'CN', map: [] }],
    ['identity.map[a]', { certificate: 'CN', map: { a: 1 } }],
    ['identity.map[a]', { certificate: 'CN', map: { a: '' } }],
  ]
  for (const [option, identity] of wrong) {
    const create = () => createRouter(options({ identity: identity as never }))
    const error = t.throws(create, { code: 'ERR_INVALID_OPTION' }) as Error & { option: string }
    t.is(error?.option, option)
  }
  for (const more of [
    { tls: undefined },
    { tls: own },
    { tls: { ...TLS, authClients: 'no' as const } },
    { driver: 'net' as const },
  ]) {
    t.throws(() => createRouter(options(more)), { code: 'ERR_OPTION_COMBINATION' })
  }
})
