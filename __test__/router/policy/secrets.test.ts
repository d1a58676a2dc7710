// No secret leaves a node: one that knows many is taken through whatever tells something, and all that it
// said is searched for them.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { hashPassword } from '../../../src/router/index.ts'
import { Authority } from '../../helpers/certificates.ts'
import { folderOf } from '../../helpers/folders.ts'
import { installed, Raw, redis, run, serveCrashing, tlsWay } from '../support.ts'
import { inSeconds, issuer } from './tokens.ts'

const compared = installed('redis-server') ? test : test.skip

/** What must not be seen, also turned around as Base64 and in hexadecimal digits. */
function ways(secret: string): string[] {
  const bytes = Buffer.from(secret)
  return [secret, bytes.toString('base64').replace(/=+$/, ''), bytes.toString('hex')]
}

/** The middle of a text, which stands in any longer part of it. */
function middle(text: string, length = 40): string {
  const at = Math.floor((text.length - length) / 2)
  return text.slice(at, at + length)
}

compared('a node that is taken through everything says no secret', async t => {
  t.timeout(240_000)
  const folder = folderOf(t, 'secrets')
  const written = (name: string, text: string) => {
    const file = join(folder, name)
    writeFileSync(file, text)
    return file
  }
  const authority = new Authority()
  const { cert, key } = authority.sign()
  const signer = issuer('HS256')
  const store = await redis(t, '--requirepass', 'store-secret-7351')
  const hash = hashPassword('hashed-secret-9923')
  const audit = join(folder, 'audit.log')
  const config = {
    store: `redis://:store-secret-7351@127.0.0.1:${store.port}`,
    users: [
      { name: 'ada', password: 'plain-secret-4410', acl: '~* &* +@all -@dangerous' },
      { name: 'bob', passwordHashes: [hash], acl: '~b:* +@read' },
      { name: 'ops', password: 'ops-secret-1177', limits: { requestsPerSecond: 500 } },
      { name: 'tok', byToken: true, acl: '~* +@all' },
    ],
    tokens: { keys: [written('token.key', signer.file)] },
    audit: { file: audit },
    tls: { cert, key },
    admin: { listen: '127.0.0.1:0', tokenFile: written('admin', 'admin-secret-token-6628\n') },
    routes: ['*,ttl=10s'],
  }
  const file = written('breakwater.config.json', JSON.stringify(config))
  const token = signer.token({ sub: 'tok', exp: inSeconds(600) })
  const stale = signer.token({ sub: 'tok', exp: inSeconds(-600) })
  const secrets = [
    ...['store-secret-7351', 'plain-secret-4410', 'hashed-secret-9923', 'ops-secret-1177'],
    ...['admin-secret-token-6628', 'typed-secret-5002', 'value-secret-8812'],
    ...[hash, middle(hash, 24), token, middle(token), stale, middle(stale)],
    middle(readFileSync(key, 'utf8').replace(/-----[^-]+-----|\s/g, '')),
    middle(readFileSync(config.tokens.keys[0]!, 'utf8')),
  ]
  let said = ''
  const node = await serveCrashing(t, 'throw', '--config', file, '--threads', '1')
  const way = { ...tlsWay(authority), flags: [] }
  const client = await Raw.open(t, node.port, way)
  const ask = async (...words: string[]) => {
    const reply = await client.send(...words)
    said += `${reply}\n`
    return reply
  }
  // Wrong ones, in every place where one could be typed.
  await ask('AUTH', 'typed-secret-5002')
  await ask('AUTH', 'ada', 'typed-secret-5002')
  await ask('AUTH', 'typed-secret-5002', 'ada')
  await ask('AUTH', stale)
  await ask('HELLO', '3', 'AUTH', 'ada', 'typed-secret-5002')
  await ask('GET', 'key')
  for (const [name, password] of [
    ['bob', 'hashed-secret-9923'],
    ['tok', token],
    ['ada', 'plain-secret-4410'],
    ['ops', 'ops-secret-1177'],
  ] as const) {
    t.is(await ask('AUTH', name, password), '+OK\r\n')
    await ask('PING')
    await ask('SET', 'b:key', 'value-secret-8812')
    await ask('CONFIG', 'SET', 'requirepass')
    await ask('ACL', 'WHOAMI')
    await ask('ACL', 'LIST')
    for (const each of ['ada', 'bob', 'ops', 'tok']) await ask('ACL', 'GETUSER', each)
    await ask('ACL', 'DRYRUN', 'bob', 'SET', 'b:key', 'value-secret-8812')
    await ask('INFO', 'everything')
    await ask('CLIENT', 'LIST')
    await ask('CLIENT', 'INFO')
    await ask('HELLO', '2')
  }
  for (const path of [
    '/metrics',
    '/status',
    '/stats',
    '/healthz',
    '/readyz',
    '/config',
    '/nowhere',
  ]) {
    const at = /administered at (\S+)\./.exec(node.output())![1]!
    for (const authorization of [
      'Bearer admin-secret-token-6628',
      'Bearer typed-secret-5002',
      '',
    ]) {
      const answer = await fetch(new URL(path, at.includes('//') ? at : `http://${at}`), {
        headers: { authorization },
      })
      said += `${[...answer.headers]} ${await answer.text()}\n`
    }
  }
  // Reloads that change secrets, and one that is wrong in many ways.
  const reload = async (changed: object, words: RegExp) => {
    writeFileSync(file, JSON.stringify({ ...config, ...changed }))
    node.process.kill('SIGHUP')
    await node.says(words)
  }
  const [ada, ...others] = config.users
  await reload({ users: [{ ...ada, password: 'typed-secret-5002' }, ...others] }, /reloaded: users/)
  await reload({ store: 'redis://:typed-secret-5002@127.0.0.1:1' }, /not reloaded: /)
  for (const [at, wrong] of [
    { users: [{ name: 'a b', password: 'typed-secret-5002' }] },
    { users: [{ name: 'ada', acl: '+@nothing >typed-secret-5002' }] },
    { users: [{ name: 'ada', acl: '>typed-secret-5002 +@nothing' }] },
    { users: [{ name: 'ada', passwordHashes: ['typed-secret-5002'] }] },
    { users: [{ name: 'ada', password: ['typed-secret-5002'] }] },
    { password: { is: 'typed-secret-5002' } },
    { store: 'redis://:typed-secret-5002@:99999' },
    { store: 'rediss://user:typed-secret-5002@host', storeTls: { ca: file } },
    { tokens: { keys: [written('wrong.key', 'typed-secret-5002')] } },
    { tls: { cert, key: written('wrong.pem', 'typed-secret-5002') } },
  ].entries()) {
    const broken = written(`broken.${at}.json`, JSON.stringify({ ...config, ...wrong }))
    const { code, output } = await run('check', broken)
    t.true(code > 0, `${at}: ${output}`)
    said += output
  }
  // A thread that ends by an error, the store that goes, and the end.
  node.process.kill('SIGUSR2')
  await node.says(/fails on purpose|thread of the router ended/)
  store.process.kill('SIGKILL')
  const last = await Raw.open(t, node.port, way)
  said += await last.send('AUTH', 'ops', 'ops-secret-1177')
  said += await last.send('GET', 'gone')
  await node.stop()
  const noted = readFileSync(audit, 'utf8')
  t.true(noted.split('\n').length > 20, noted)
  t.true(said.length > 10_000)
  const everything = { replies: said, process: node.output(), audit: noted }
  for (const [where, text] of Object.entries(everything)) {
    for (const secret of secrets.flatMap(ways)) {
      const at = text.indexOf(secret)
      t.is(at, -1, `${where}: ${text.slice(Math.max(at - 100, 0), at + 20)}`)
    }
  }
})
