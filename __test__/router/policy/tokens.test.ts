// Signed tokens as passwords at a node: keys of every kind and file, expiry and revocation on open
// connections, reload, and what a configuration is told that is wrong.
import { createHmac } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type Router, type RouterOptions } from '../../../src/router/index.ts'
import { folderOf } from '../../helpers/folders.ts'
import { installed, Raw, redis } from '../support.ts'
import { type Algorithm, inSeconds, issuer } from './tokens.ts'

const ALGORITHMS: Algorithm[] = ['HS256', 'RS256', 'ES256', 'EdDSA']
const WRONG = '-WRONGPASS invalid username-password pair or user is disabled.\r\n'
const compared = installed('redis-server') ? test : test.skip
const alone = installed('redis-server') ? test.serial : test.serial.skip

/** A router with these options, and its port. */
async function node(
  t: ExecutionContext,
  options: RouterOptions,
): Promise<{ router: Router; port: number }> {
  const router = createRouter({ threads: 0, maxBytes: '16mb', ...options })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  return { router, port }
}

function written(t: ExecutionContext, name: string, text: string): string {
  const file = join(folderOf(t, 'tokens'), name)
  writeFileSync(file, text)
  return file
}

/** Clients that came by a token before that was over: by one that lasts longer, if they were too slow. */
async function inTime<T>(come: (exp: number) => Promise<T>): Promise<T> {
  for (let life = 2; ; life *= 2) {
    const exp = inSeconds(life)
    const came = await come(exp)
    if (Date.now() < exp * 1000) return came
  }
}

/** A token with a signature by a secret, whatever its header says. */
function sealed(header: object, claims: object, secret: string | Buffer): string {
  const encoded = (part: string) => Buffer.from(part).toString('base64url')
  const signed = [header, claims].map(part => encoded(JSON.stringify(part))).join('.')
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

const ADA = { name: 'ada', byToken: true, acl: '~* &* +@all' }

for (const driver of ['native', 'net'] as const) {
  test(`${driver}: tokens of every algorithm are taken, by keys as PEM, JWK and JWKS`, async t => {
    t.timeout(120_000)
    const issuers = ALGORITHMS.map(issuer)
    const jwks = issuers.map(({ jwk }, at) => ({ ...jwk, kid: `k${at}`, use: 'sig' }))
    const others = [{ kty: 'RSA', use: 'enc', n: 'x', e: 'AQAB' }, { kty: 'odd' }]
    const files = {
      alone: issuers.map(({ algorithm, file }) => written(t, `${algorithm}.key`, file)),
      together: [written(t, 'all.json', JSON.stringify({ keys: [...others, ...jwks] }))],
    }
    for (const [how, keys] of Object.entries(files)) {
      const { port } = await node(t, { driver, users: [ADA], tokens: { keys } })
      for (const { algorithm, token } of issuers) {
        const client = await Raw.open(t, port)
        const exp = inSeconds(600)
        t.is(await client.send('GET', 'a'), '-NOAUTH Authentication required.\r\n')
        t.is(await client.send('AUTH', token({ sub: 'eve', exp })), WRONG)
        t.is(
          await client.send('AUTH', token({ sub: 'ada', exp })),
          '+OK\r\n',
          `${algorithm} ${how}`,
        )
        t.is(await client.send('ACL', 'WHOAMI'), '$3\r\nada\r\n')
        const stranger = issuer(algorithm)
        t.is(await client.send('AUTH', stranger.token({ sub: 'ada', exp })), WRONG)
      }
    }
  })

  test(`${driver}: a connection ends with its token, whatever it waits for`, async t => {
    t.timeout(120_000)
    const { token, file } = issuer('EdDSA')
    const keys = [written(t, 'key.pem', file)]
    const { port } = await node(t, { driver, users: [ADA], tokens: { keys } })
    const come = async (exp: number, ...then: string[]) => {
      const client = await Raw.open(t, port)
      const said = await client.send('AUTH', token({ sub: 'ada', exp }))
      if (then.length > 0) await client.send(...then)
      return { client, said }
    }
    const ended = await inTime(async exp => [await come(exp), await come(exp, 'SUBSCRIBE', 'news')])
    const stays = await come(inSeconds(600))
    for (const { said } of [...ended, stays]) t.is(said, '+OK\r\n')
    for (const { client } of ended) t.is(String(await client.rest()), '')
    t.is(await stays.client.send('PING'), '+PONG\r\n')
  })
}

compared('in front of a store, blocked clients and transactions end with their tokens', async t => {
  t.timeout(120_000)
  const store = await redis(t)
  const { token, file } = issuer('ES256')
  const keys = [written(t, 'key.pem', file)]
  const { port } = await node(t, {
    store: `redis://127.0.0.1:${store.port}`,
    users: [ADA],
    tokens: { keys },
  })
  const come = async (exp: number, ...words: string[]) => {
    const client = await Raw.open(t, port)
    const said = [await client.send('AUTH', token({ sub: 'ada', exp }))]
    if (words[0] === 'BLPOP') client.write(`${words.join(' ')}\r\n`)
    else await client.send(...words)
    if (words[0] === 'MULTI') said.push(await client.send('SET', 'never', 'x'))
    return { client, said }
  }
  const deeds = [['BLPOP', 'nothing', '0'], ['MULTI'], ['SUBSCRIBE', 'news'], ['MONITOR']]
  const all = await inTime(exp => Promise.all(deeds.map(words => come(exp, ...words))))
  const taken = [['+OK\r\n'], ['+OK\r\n', '+QUEUED\r\n'], ['+OK\r\n'], ['+OK\r\n']]
  t.deepEqual(
    all.map(({ said }) => said),
    taken,
  )
  for (const { client } of all) await client.rest()
  const direct = await Raw.open(t, store.port)
  t.is(await direct.send('EXISTS', 'never'), ':0\r\n')
  // The node hangs up on who blocks, and the store hears of it.
  while (!/blocked_clients:0/.test(await direct.send('INFO', 'clients')));
})

test('a token is held against the keys of the node alone, whatever key it brings or names', async t => {
  t.timeout(120_000)
  const [rsa, curve] = [issuer('RS256'), issuer('ES256')]
  const keys = [rsa, curve].map(({ algorithm, file }) => written(t, `${algorithm}.pem`, file))
  const { port } = await node(t, { users: [ADA], tokens: { keys } })
  const claims = { sub: 'ada', exp: inSeconds(600) }
  const stranger = issuer('RS256')
  const jwk = { ...stranger.jwk, kid: 'own' }
  const own = { alg: 'RS256', typ: 'JWT' }
  const headers: object[] = [
    { ...own, jwk },
    { ...own, kid: 'own', jwk },
    { ...own, jku: 'http://127.0.0.1:1/keys.json' },
    { ...own, x5u: 'http://127.0.0.1:1/key.pem', x5t: 'x' },
    { ...own, x5c: [stranger.file.replace(/-----[^-]+-----|\s/g, '')] },
    ...['../../dev/null', '/dev/null', "' OR 1=1 --", keys[0], '$(id)'].map(kid => ({
      ...own,
      kid,
    })),
  ]
  const wrong = headers.map(header => stranger.token(claims, header))
  // A public key is taken for a secret, as it lies in its file, in other forms, and as it is empty.
  const [pem, lines] = [rsa.file, rsa.file.trim()]
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  for (const secret of [pem, lines, der, JSON.stringify(rsa.jwk), String(rsa.jwk.n), '']) {
    wrong.push(sealed({ alg: 'HS256', typ: 'JWT' }, claims, secret))
    wrong.push(sealed({ alg: 'RS256', typ: 'JWT' }, claims, secret))
  }
  // The signature of one algorithm under the name of another, and another form of it.
  wrong.push(rsa.token(claims, { alg: 'ES256' }), curve.token(claims, { alg: 'RS256' }))
  wrong.push(rsa.token(claims, { alg: 'PS256' }), rsa.token(claims, { alg: 'RS512' }))
  for (const [at, token] of wrong.entries()) {
    const client = await Raw.open(t, port)
    t.is(await client.send('AUTH', token), WRONG, `${at}`)
    t.is(await client.send('HELLO', '3', 'AUTH', 'ada', token), WRONG, `${at}`)
    t.is(await client.send('GET', 'a'), '-NOAUTH Authentication required.\r\n')
  }
  for (const { token, algorithm } of [rsa, curve]) {
    const client = await Raw.open(t, port)
    t.is(await client.send('AUTH', token(claims, { alg: algorithm, jwk })), '+OK\r\n')
  }
})

// Alone: others make keys on this thread, for so long that a store is held to be late.
alone('a token that is revoked ends clients that block, subscribe, watch or queue', async t => {
  t.timeout(120_000)
  const store = await redis(t)
  const { token, file } = issuer('ES256')
  const revoked = written(t, 'revoked.txt', '')
  const { port, router } = await node(t, {
    store: `redis://127.0.0.1:${store.port}`,
    storeTimeout: '10m',
    users: [ADA],
    tokens: { keys: [written(t, 'key.pem', file)], revoked },
  })
  const open = async (jti: string, ...words: string[]) => {
    const client = await Raw.open(t, port)
    t.is(await client.send('AUTH', token({ sub: 'ada', jti, exp: inSeconds(600) })), '+OK\r\n')
    if (words[0] === 'BLPOP') client.write(`${words.join(' ')}\r\n`)
    else await client.send(...words)
    return client
  }
  const deeds = [['BLPOP', 'list', '0'], ['SUBSCRIBE', 'news'], ['WATCH', 'key'], ['MULTI']]
  const ended = await Promise.all(deeds.map(words => open('gone', ...words)))
  t.is(await ended[3]!.send('SET', 'never', 'x'), '+QUEUED\r\n')
  const waits = await open('stays', 'BLPOP', 'list', '0')
  const direct = await Raw.open(t, store.port)
  const blocked = async () => /blocked_clients:(\d+)/.exec(await direct.send('INFO', 'clients'))![1]
  while ((await blocked()) !== '2');
  writeFileSync(revoked, 'gone\n')
  await router.reload()
  for (const client of ended) t.is(String(await client.rest()), '')
  while ((await blocked()) !== '1');
  // What comes now is not lost to one that has gone.
  t.is(await direct.send('RPUSH', 'list', 'x'), ':1\r\n')
  t.is(String((await waits.replies(1))[0]), '*2\r\n$4\r\nlist\r\n$1\r\nx\r\n')
  t.is(await direct.send('EXISTS', 'never'), ':0\r\n')
})

test('a reload revokes tokens, changes keys and ends whose token does not count any more', async t => {
  t.timeout(120_000)
  const [old, next] = [issuer('RS256'), issuer('EdDSA')]
  const files = [written(t, 'old.pem', old.file), written(t, 'next.pem', next.file)]
  const revoked = written(t, 'revoked.txt', '')
  const options = (keys: string[]): RouterOptions => ({
    threads: 0,
    maxBytes: '16mb',
    users: [ADA],
    tokens: { keys, revoked, acl: '~{sub}:* +@all' },
  })
  const { router, port } = await node(t, options(files))
  const open = async (password: string) => {
    const client = await Raw.open(t, port)
    t.is(await client.send('AUTH', password), '+OK\r\n')
    return client
  }
  const claims = (jti: string) => ({ sub: 'ada', jti, exp: inSeconds(600) })
  const tokens = [old.token(claims('1')), old.token(claims('2')), next.token(claims('3'))]
  const [first, second, third] = await Promise.all(tokens.map(open))
  const bob = await open(next.token({ ...claims('4'), sub: 'bob' }))
  t.is(await bob.send('SET', 'bob:1', 'x'), '+OK\r\n')

  writeFileSync(revoked, '1\n')
  t.deepEqual(await router.reload(), { changed: ['tokens.revoked'] })
  t.is(String(await first!.rest()), '')
  t.is(await second!.send('PING'), '+PONG\r\n')
  t.is(await (await Raw.open(t, port)).send('AUTH', tokens[0]!), WRONG)

  t.deepEqual(await router.reload(options([files[1]!])), { changed: ['tokens.keys'] })
  t.is(String(await second!.rest()), '')
  t.is(await third!.send('PING'), '+PONG\r\n')

  rmSync(revoked)
  await t.throwsAsync(router.reload(), { message: /tokens\.revoked.*can be read \(ENOENT\)/ })
  t.is(await third!.send('PING'), '+PONG\r\n')
  t.is(await bob.send('GET', 'bob:1'), '$1\r\nx\r\n')
})

test('options of tokens that cannot be are refused by name, and nothing of a key is shown', t => {
  const good = written(t, 'good.pem', issuer('EdDSA').file)
  const secret = 'c2VjcmV0'
  const file = (name: string, text: string) => written(t, name, text)
  const privateKey = { kty: 'OKP', crv: 'Ed25519', x: secret, d: secret }
  const cases: [option: string, tokens: unknown][] = [
    ['tokens', 'x'],
    ['tokens', []],
    ['tokens.key', { key: good }],
    ['tokens.keys', {}],
    ['tokens.keys', { keys: [] }],
    ['tokens.keys', { keys: Array(17).fill(good) }],
    ['tokens.keys[0]', { keys: [''] }],
    ['tokens.keys[0]', { keys: [7] }],
    ['tokens.keys[1]', { keys: [good, '/nowhere'] }],
    ['tokens.keys[0].file', { keys: [{ id: 'a' }] }],
    ['tokens.keys[0].id', { keys: [{ file: good, id: '' }] }],
    ['tokens.keys[0].name', { keys: [{ file: good, name: 'a' }] }],
    ['tokens.keys[0]', { keys: [file('empty', '')] }],
    ['tokens.keys[0]', { keys: [file('short', JSON.stringify({ kty: 'oct', k: secret }))] }],
    ['tokens.keys[0]', { keys: [file('private', JSON.stringify(privateKey))] }],
    ['tokens.keys[0]', { keys: [file('broken', `{"kty":"oct","k":"${secret}"`)] }],
    ['tokens.keys[0]', { keys: [file('none', '{"keys":[]}')] }],
    ['tokens.issuer', { keys: [good], issuer: '' }],
    ['tokens.audience[1]', { keys: [good], audience: ['a', 7] }],
    ['tokens.claim', { keys: [good], claim: '' }],
    ['tokens.acl', { keys: [good], acl: '~{sub' }],
    ['tokens.acl', { keys: [good], acl: '+{sub}' }],
    ['tokens.acl', { keys: [good], acl: 7 }],
    ['tokens.clockSkew', { keys: [good], clockSkew: '2d' }],
    ['tokens.clockSkew', { keys: [good], clockSkew: -1 }],
    ['tokens.revoked', { keys: [good], revoked: '/nowhere' }],
  ]
  for (const [option, tokens] of cases) {
    const wrong = () => createRouter({ tokens } as RouterOptions)
    const error = t.throws(
      wrong,
      {
        code: 'ERR_INVALID_OPTION',
      },
      JSON.stringify(tokens),
    ) as Error & { option: string }
    t.is(error?.option, option)
    t.notRegex(error?.message ?? '', new RegExp(secret))
  }
  t.throws(() => createRouter({ users: [ADA] }), { code: 'ERR_OPTION_COMBINATION' })
})
