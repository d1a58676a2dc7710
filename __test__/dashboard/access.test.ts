// Who may see a dashboard and who may act: names, origins, tokens, methods, sizes.
import test from 'ava'
import { ask, built, dashboard, served, TOKEN } from './support.ts'

const { Cache } = built

const JSON_TYPE = { 'content-type': 'application/json' }
const GIVEN = { ...JSON_TYPE, authorization: `Bearer ${TOKEN}` }
const FLUSH = JSON.stringify({ source: 'shown', action: 'flush' })

const board = (options = {}) => {
  const cache = new Cache({ max: 100, name: 'shown' })
  cache.set('a', 1)
  return { cache, handler: dashboard({ shown: cache }, { token: TOKEN, ...options }) }
}

test('the page runs its own files alone, in nobody’s frame', async t => {
  const port = await served(t, board().handler)
  const page = await ask(port, '/')
  t.is(page.status, 200)
  t.regex(page.headers['content-type']!, /^text\/html/)
  const policy = page.headers['content-security-policy'] as string
  t.regex(policy, /default-src 'none'/)
  t.notRegex(policy, /unsafe|\*|https?:/)
  t.regex(policy, /frame-ancestors 'none'/)
  t.is(page.headers['x-content-type-options'], 'nosniff')
  t.notRegex(page.body, /<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?:/)
})

test('a browser that has a file is not sent it again', async t => {
  const port = await served(t, board().handler)
  const { headers } = await ask(port, '/app.js')
  const again = await ask(port, '/app.js', { headers: { 'if-none-match': headers.etag! } })
  t.is(again.status, 304)
  t.is(again.body, '')
})

const refusals: [why: string, asked: Parameters<typeof ask>[2], status: number, path?: string][] = [
  ['a name of a stranger that leads here', { headers: { host: 'evil.example' } }, 421, '/'],
  ['such a name, of the stream', { headers: { host: 'evil.example:80' } }, 421, '/events'],
  ['an action without the token', { method: 'POST', headers: JSON_TYPE, body: FLUSH }, 401],
  [
    'an action with another token',
    { method: 'POST', headers: { ...JSON_TYPE, authorization: `Bearer ${TOKEN}x` }, body: FLUSH },
    401,
  ],
  [
    'an action that another site has the browser send',
    { method: 'POST', headers: { ...GIVEN, origin: 'http://evil.example' }, body: FLUSH },
    403,
  ],
  [
    'an action of another port of this machine',
    { method: 'POST', headers: { ...GIVEN, origin: 'http://127.0.0.1:1' }, body: FLUSH },
    403,
  ],
  [
    'an action of a page without an origin',
    { method: 'POST', headers: { ...GIVEN, origin: 'null' }, body: FLUSH },
    403,
  ],
  [
    'an action across sites by what the browser says',
    { method: 'POST', headers: { ...GIVEN, 'sec-fetch-site': 'same-site' }, body: FLUSH },
    403,
  ],
  [
    'an action as forms are sent',
    { method: 'POST', headers: { ...GIVEN, 'content-type': 'text/plain' }, body: FLUSH },
    415,
  ],
  ['an action that is read', { headers: GIVEN }, 405],
  ['a page that is written', { method: 'PUT' }, 405, '/'],
  ['a body that is no JSON', { method: 'POST', headers: GIVEN, body: '{' }, 400],
  ['a body that is null', { method: 'POST', headers: GIVEN, body: 'null' }, 400],
  ['a body without a source', { method: 'POST', headers: GIVEN, body: '{}' }, 400],
  [
    'a source that there is not',
    { method: 'POST', headers: GIVEN, body: '{"source":"no","action":"flush"}' },
    400,
  ],
  [
    'an action that every object has',
    { method: 'POST', headers: GIVEN, body: '{"source":"shown","action":"constructor"}' },
    400,
  ],
  [
    'a key that is none',
    { method: 'POST', headers: GIVEN, body: '{"source":"shown","action":"inspect","key":"a"}' },
    400,
  ],
  [
    'a number that is none',
    {
      method: 'POST',
      headers: GIVEN,
      body: '{"source":"shown","action":"inspect","key":{"kind":"number","text":"x"}}',
    },
    400,
  ],
  [
    'what a cache cannot do',
    { method: 'POST', headers: GIVEN, body: '{"source":"shown","action":"drain"}' },
    400,
  ],
  ['a body without end', { method: 'POST', headers: GIVEN, body: 'x'.repeat(200_000) }, 400],
  ['removals without the token', {}, 401, '/removals?source=shown'],
  ['a file that there is not', {}, 404, '/../package.json'],
]
for (const [why, asked, status, path = '/act'] of refusals) {
  test(`refused: ${why}`, async t => {
    const { cache, handler } = board()
    const reply = await ask(await served(t, handler), path, asked)
    t.is(reply.status, status)
    t.is(typeof JSON.parse(reply.body).error.message, 'string')
    t.is(cache.get('a'), 1)
  })
}

test('answered: the own origin, addresses, localhost, and names that are given', async t => {
  const { handler } = board({ hosts: ['Admin.example.com'] })
  const port = await served(t, handler)
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, '[::1]:80', 'admin.example.com']) {
    t.is((await ask(port, '/', { headers: { host } })).status, 200, host)
    const headers = { ...GIVEN, host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }
    const { status } = await ask(port, '/act', { method: 'POST', headers, body: FLUSH })
    t.is(status, 200, host)
  }
})

test('a dashboard without a token shows figures, and nobody may act', async t => {
  const port = await served(t, board({ token: undefined }).handler)
  const { status, body } = await ask(port, '/act', { method: 'POST', headers: GIVEN, body: FLUSH })
  t.is(status, 403)
  t.regex(body, /'token'/)
})

test('figures that are private need the token', async t => {
  const port = await served(t, board({ isPrivate: true }).handler)
  t.is((await ask(port, '/events')).status, 401)
  t.is((await ask(port, '/')).status, 200)
})

test('options that cannot be are named', t => {
  const cache = new Cache({ max: 1 })
  const wrong: [Record<string, unknown>, RegExp][] = [
    [
      { token: 'short' },
      /token must be a token of at least 16 characters without spaces, not 'string'/,
    ],
    [{ hosts: 'here' }, /hosts/],
    [{ every: 1 }, /every/],
    [{ isPrivate: true }, /isPrivate/],
    [{ showValues: 1 }, /showValues/],
    [{ tokn: TOKEN }, /did you mean 'token'/],
  ]
  for (const [options, message] of wrong) {
    t.throws(() => dashboard(cache, options), { code: 'ERR_INVALID_OPTION', message })
  }
  for (const shown of [null, 1, {}, { a: {} }, []]) {
    t.throws(() => dashboard(shown as never), { code: 'ERR_INVALID_OPTION', message: /shown/ })
  }
})
