// `breakwater token`: what it makes is taken by a node, what it shows has no secret in it.
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { createRouter } from '../../../src/router/index.ts'
import { folderOf } from '../../helpers/folders.ts'
import { Raw } from '../support.ts'

const CLI = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url))

function token(input: string, ...args: string[]) {
  return spawnSync(process.execPath, [CLI, 'token', ...args], { input, encoding: 'utf8' })
}

const PAIRS = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
} as Record<string, { publicKey: KeyObject; privateKey: KeyObject }>
const SECRET = JSON.stringify({
  kty: 'oct',
  kid: 'own',
  k: Buffer.alloc(32, 7).toString('base64url'),
})

test('what it makes by a key of any kind is taken by a node, and shown without its signature', async t => {
  t.timeout(180_000)
  const folder = folderOf(t, 'token')
  const written = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const kinds = Object.entries(PAIRS).map(([name, { publicKey, privateKey }]) => ({
    name,
    pem: String(privateKey.export({ format: 'pem', type: 'pkcs8' })),
    file: written(`${name}.pem`, String(publicKey.export({ format: 'pem', type: 'spki' }))),
  }))
  const all = [...kinds, { name: 'HS256', pem: SECRET, file: written('secret.jwk', SECRET) }]
  const router = createRouter({
    threads: 0,
    maxBytes: '16mb',
    tokens: {
      keys: all.map(({ file }) => file),
      issuer: 'me',
      audience: 'cache',
      acl: '~{tenant}:* +@all',
    },
  })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const says = [
    '--subject',
    'ada',
    '--issuer',
    'me',
    '--audience',
    'cache',
    '--claim',
    'tenant=shop',
  ]
  for (const { name, pem } of all) {
    const made = token(pem, 'make', '--key', '-', ...says)
    t.is(made.stderr, '')
    const client = await Raw.open(t, port)
    t.is(await client.send('AUTH', made.stdout.trim()), '+OK\r\n', name)
    t.is(await client.send('SET', 'shop:1', 'x'), '+OK\r\n')
    t.regex(await client.send('SET', 'other:1', 'x'), /^-NOPERM/)

    const shown = token(made.stdout, 'inspect')
    t.is(shown.status, 0)
    t.regex(shown.stdout, RegExp(`"alg": "${name}"[^]*"tenant": "shop"[^]*It counts until 20`))
    t.false(shown.stdout.includes(made.stdout.trim().split('.')[2]!))
  }
})

test('what cannot be is refused by the name of its flag, and nothing of a key is shown', t => {
  t.timeout(180_000)
  const pem = String(PAIRS.EdDSA!.privateKey.export({ format: 'pem', type: 'pkcs8' }))
  const wrong = token('', 'make', '--key', '/nowhere', '--subject', 'ada')
  t.regex(wrong.stderr, /--key \/nowhere cannot be read \(ENOENT\)/)
  t.is(wrong.status, 2)
  const body = pem.split('\n')[1]!
  for (const [input, flags, why] of [
    [pem.replace('PRIVATE', 'PUBLIC'), [], /--key must be a private key/],
    ['{"kty":"oct","k":"c2hvcnQ"}', [], /--key must be/],
    [`{"kty":"OKP","d":"${body}"`, [], /--key must be/],
    [pem, ['--expires', 'soon'], /--expires must be a duration as '15m', not 'soon'/],
    [pem, ['--claim', 'nothing'], /--claim must be name=value/],
  ] as const) {
    const said = token(input, 'make', '--key', '-', '--subject', 'ada', ...flags)
    t.is(said.status, 2, said.stdout)
    t.regex(said.stderr, why)
    t.false(said.stderr.includes(body))
  }
  for (const text of ['', 'x', 'a.b.c', 'e30.W10.x', '....']) {
    t.is(token(text, 'inspect').status, 1, text)
  }
  const unsigned = (claims: object) =>
    `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`
  t.regex(token(unsigned({ exp: 1 }), 'inspect').stdout, /It expired at 1970/)
  t.regex(token(unsigned({}), 'inspect').stdout, /no time of expiry/)
  t.regex(token(unsigned({ exp: 1e15 }), 'inspect').stdout, /no time of expiry/)
})
