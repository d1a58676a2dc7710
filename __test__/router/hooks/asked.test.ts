// Whom hooks are asked about, which of several is asked, and which state of the module each thread has.
import { readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { Authority } from '../../helpers/certificates.ts'
import { folderOf } from '../../helpers/folders.ts'
import { calls, hasRedis } from '../store/support.ts'
import { encode, Raw, redis, tlsWay } from '../support.ts'
import { moduleOf, routerOf } from './support.ts'

const withStore = hasRedis ? test : test.skip

for (const driver of ['native', 'net'] as const) {
  test(`${driver}: of several hooks the first that is interested is asked, and no other`, async t => {
    const says = (text: string) => `handle: ({ keys: [key] }) => ({ answer: '${text} ' + key })`
    const hooks = `{ onCommand: [
      { commands: ['get'], prefixes: ['a:', 'ab:'], ${says('first')} },
      { commands: ['get', 'ttl'], prefixes: ['a'], handle: () => undefined },
      { prefixes: ['a'], ${says('third')} },
      { commands: ['config|get'], handle: () => ({ answer: 'part' }) },
      { commands: ['config'], handle: () => ({ answer: 'whole' }) },
    ] }`
    const { port } = await routerOf(t, { driver, threads: 1, hooks: moduleOf(t, hooks) })
    const client = await Raw.open(t, port)
    for (const [words, reply] of [
      [['GET', 'a:1'], '$9\r\nfirst a:1\r\n'],
      [['gEt', 'ab:1'], '$10\r\nfirst ab:1\r\n'],
      // The second lets it go on; the third, which would answer, is not asked.
      [['GET', 'a'], '$-1\r\n'],
      [['TTL', 'a:1'], ':-2\r\n'],
      [['STRLEN', 'a:1'], '$9\r\nthird a:1\r\n'],
      // Any of its keys interests it.
      [['MGET', 'b', 'a'], '$7\r\nthird b\r\n'],
      [['GET', 'b'], '$-1\r\n'],
      [['CONFIG', 'GET', 'port'], '$4\r\npart\r\n'],
      [['CONFIG', 'RESETSTAT'], '$5\r\nwhole\r\n'],
    ] as const) {
      t.is(await client.send(...words), reply, words.join(' '))
    }
  })

  for (const later of [false, true]) {
    const way = later ? 'later' : 'at once'
    test(`${driver}, ${way}: a client is asked about behind its handshake, with its certificate`, async t => {
      t.timeout(120_000)
      const authority = new Authority()
      const { cert, key } = authority.sign()
      const shown = authority.sign(['ada', 'other.test'], 30, 'ec', ['spiffe://test/shop'])
      const tls = { cert, key, ca: authority.cert, authClients: 'optional' } as const
      const hooks = `{
        onConnect: {
          ${later ? "async: true, deadline: '60s'," : ''}
          handle: ${later ? 'async' : ''} ({ certificate }) => certificate
            ? { label: [certificate.common, certificate.dns, certificate.uris].join(' ') }
            : { refuse: 'NO without a certificate' },
        },
        onCommand: { commands: ['echo'], handle: ({ client }) => ({ answer: client.label }) },
      }`
      const given = { driver, threads: 1, tls, hooks: moduleOf(t, hooks) }
      const { router, port } = await routerOf(t, given)
      const silent = await Raw.open(t, port)
      const stranger = await Raw.open(t, port, tlsWay(authority))
      stranger.write(encode(['ECHO', 'x']))
      t.is(String(await stranger.rest()), '-NO without a certificate\r\n')
      const own = { cert: readFileSync(shown.cert), key: readFileSync(shown.key) }
      const ada = await Raw.open(t, port, tlsWay(authority, own))
      const label = 'ada ada,other.test spiffe://test/shop'
      t.is(await ada.send('ECHO', 'x'), `$${label.length}\r\n${label}\r\n`)
      // Who has not agreed on keys was not asked about.
      const greeted = router.stats().hooks.kinds.find(({ hook }) => hook === 'onConnect')
      t.is(greeted?.asked, 2)
      t.false(silent.ended)
    })
  }
}

test('each thread has its own state of the module', async t => {
  const hooks = `(() => {
    let count = 0
    return { onCommand: { commands: ['echo'], handle: () => ({ answer: ++count }) } }
  })()`
  const { port } = await routerOf(t, { threads: 2, hooks: moduleOf(t, hooks) })
  const told: number[] = []
  // Until both have had one.
  while (told.filter(count => count === 1).length < 2) {
    const client = await Raw.open(t, port)
    told.push(Number((await client.send('ECHO', 'x')).slice(1)))
    client.socket.destroy()
  }
  const both = told.filter(count => told.indexOf(count) !== told.lastIndexOf(count))
  t.true(both.includes(1))
  t.true(Math.max(...told) < told.length, `${told}`)
})

/** Writes a module, so that it counts as another one. */
function write(file: string, text: string): void {
  writeFileSync(file, text)
  const soon = Date.now() / 1000 + 5 + Math.random() * 1000
  utimesSync(file, soon, soon)
}

const answering = (text: string) =>
  `export default { onCommand: { commands: ['echo'], handle: () => ({ answer: ${text} }) } }`

test('if one thread cannot read the module, nothing changes on any', async t => {
  t.timeout(120_000)
  const folder = folderOf(t, 'hooks')
  const [file, taken] = [join(folder, 'hooks.mjs'), join(folder, 'taken')]
  write(file, answering("'first'"))
  const { router, port } = await routerOf(t, { threads: 3, hooks: file })
  const clients = await Promise.all(Array.from({ length: 30 }, () => Raw.open(t, port)))
  const said = async () =>
    new Set(await Promise.all(clients.map(client => client.send('ECHO', 'x'))))
  t.deepEqual([...(await said())], ['$5\r\nfirst\r\n'])
  // Whichever thread comes first fails, and no other.
  const once = `import { mkdirSync } from 'node:fs'
    import { isMainThread } from 'node:worker_threads'
    let isFirst = !isMainThread
    try { if (isFirst) mkdirSync(${JSON.stringify(taken)}) } catch { isFirst = false }
    if (isFirst) throw new Error('of one thread')\n`
  write(file, once + answering("'second'"))
  await t.throwsAsync(router.reload(), { code: 'ERR_HOOK_MODULE', message: /of one thread/ })
  t.deepEqual([...(await said())], ['$5\r\nfirst\r\n'])
  write(file, once + answering("'third'"))
  t.deepEqual((await router.reload()).changed, ['hooks'])
  t.deepEqual([...(await said())], ['$5\r\nthird\r\n'])
})

test('a reload reads the module, and a rolling restart what it imports as well', async t => {
  t.timeout(120_000)
  const folder = folderOf(t, 'hooks')
  const [file, part] = [join(folder, 'hooks.mjs'), join(folder, 'part.mjs')]
  const whole = (text: string) =>
    write(file, `import { part } from './part.mjs'\n${answering(`'${text} ' + part`)}`)
  write(part, "export const part = 'old'")
  whole('first')
  const { router, port } = await routerOf(t, { threads: 2, hooks: file })
  const said = async () => (await Raw.open(t, port)).send('ECHO', 'x')
  t.is(await said(), '$9\r\nfirst old\r\n')
  write(part, "export const part = 'new'")
  t.deepEqual((await router.reload()).changed, [])
  whole('second')
  t.deepEqual((await router.reload()).changed, ['hooks'])
  t.is(await said(), '$10\r\nsecond old\r\n')
  await router.restart()
  t.is(await said(), '$10\r\nsecond new\r\n')
})

withStore('what may not be known of a key is read from the store, and not remembered', async t => {
  const store = await redis(t)
  const seen: string[] = []
  const { router, port } = await routerOf(t, {
    threads: 0,
    store: `redis://127.0.0.1:${store.port}`,
    hooks: { route: ({ key }) => void seen.push(key) },
  })
  const [client, direct] = [await Raw.open(t, port), await Raw.open(t, store.port)]
  const asked = () => router.stats().hooks.kinds.find(({ hook }) => hook === 'route')?.asked ?? 0
  const keys = Array.from({ length: 65 }, (_, n) => `k${n}`)
  for (const words of [['MGET', ...keys], ['SET', 'k0', 'v'], ['MULTI'], ['GET', 'k0'], ['EXEC']]) {
    await client.send(...words)
  }
  t.is(asked(), 0)
  t.regex(await client.send('MGET', ...keys), /^\*65\r\n\$1\r\nv\r\n(\$-1\r\n){64}$/)
  // As many as may be.
  await client.send('MGET', ...keys.slice(1))
  t.is(asked(), 64)
  const long = 'k'.repeat(65 * 1024)
  await client.send('SET', long, 'v')
  const before = await calls(direct, 'get')
  for (let n = 0; n < 3; n++) t.is(await client.send('GET', long), '$1\r\nv\r\n')
  t.is((await calls(direct, 'get')) - before, 3)
  t.is(router.stats().routes[0]!.hits, 0)
  while (seen.length < 64) await sleep(5)
})
