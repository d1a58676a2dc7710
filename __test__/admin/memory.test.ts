// What a node remembers, looked at and forgotten through its admin entrance and from the command line,
// over a real Redis, which stays as it is.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { freePort } from '../../scripts/free-port.mjs'
import { folderOf } from '../helpers/folders.ts'
import { installed, redis, run, serve } from '../router/support.ts'
import { ask } from './support.ts'

const TOKEN = 'a-token-of-some-letters'
const overRedis = installed('redis-server') ? test : test.skip

/** A node in front of a Redis that has some keys, some of which it has read. */
async function node(t: ExecutionContext, ...flags: string[]) {
  const store = await redis(t)
  const direct = new Redis({ port: store.port })
  t.teardown(() => direct.disconnect())
  await direct.mset('user:1', 'Ada', 'user:2', 'Grace', 'page', '<b>\u001b[31m')
  const token = join(folderOf(t, 'memory'), 'token')
  writeFileSync(token, TOKEN)
  const at = `127.0.0.1:${await freePort()}`
  const url = `redis://127.0.0.1:${store.port}`
  const admin = ['--admin', at, '--admin-token-file', token]
  const { port } = await serve(t, '--store', url, '--threads', '1', ...admin, ...flags)
  const client = new Redis({ port })
  t.teardown(() => client.disconnect())
  await client.mget('user:1', 'user:2', 'page')
  for (const key of ['user:1', 'user:2', 'page']) await client.get(key)
  const order = (...words: string[]) => run(...words, ...admin)
  const post = async (path: string, body: unknown, asked = {}) => {
    const reply = await ask(at, path, {
      method: 'POST',
      token: TOKEN,
      body: JSON.stringify(body),
      ...asked,
    })
    return { status: reply.status, json: reply.json as never as Record<string, never> }
  }
  const reads = async () =>
    Number(/cmdstat_get:calls=(\d+)/.exec(await direct.info('commandstats'))![1])
  return { client, direct, order, post, reads, at }
}

overRedis('a key is inspected and forgotten by HTTP, and the store stays as it is', async t => {
  t.timeout(120_000)
  const { client, direct, post, reads } = await node(t, '--route', 'user:*,ttl=1h')
  const { json: known } = await post('/inspect', { key: 'user:1' })
  t.like(known, { memory: 'reply', route: 'user:*', mode: 'on', pinned: false })
  const reply = known.reply as unknown as { size: number; ttl: number; value?: string }
  t.is(reply.size, 3)
  t.true(reply.ttl > 0 && reply.ttl <= 3_600_000)
  t.is(reply.value, undefined, 'values are not shown unless that is allowed')
  t.like((await post('/inspect', { key: 'never' })).json, { memory: 'nothing', bytes: 0 })
  const encoded = Buffer.from('user:1').toString('base64')
  t.like((await post('/inspect', { key: encoded, encoding: 'base64' })).json, { memory: 'reply' })

  const before = await reads()
  t.deepEqual((await post('/invalidate', { key: 'user:1' })).json, { invalidated: 1 } as never)
  t.deepEqual((await post('/invalidate', { key: 'user:1' })).json, { invalidated: 0 } as never)
  await client.get('user:1')
  t.is(await reads(), before + 1)
  t.deepEqual((await post('/invalidate', { prefix: 'user:' })).json, { invalidated: 2 } as never)
  t.deepEqual((await post('/flush', {})).json, { flushed: true } as never)
  t.like((await post('/inspect', { key: 'page' })).json, { memory: 'nothing' })
  t.deepEqual(await client.mget('user:1', 'user:2'), ['Ada', 'Grace'])
  t.is(await direct.dbsize(), 3)
})

overRedis(
  'what is no key, no token, or of another site, is refused and forgets nothing',
  async t => {
    t.timeout(120_000)
    const { post } = await node(t)
    for (const body of [undefined, 7, null, [], {}, { key: 7 }, { key: 'a', encoding: 'latin1' }]) {
      t.is((await post('/inspect', body)).status, 400)
    }
    for (const body of [{}, { prefix: '' }, { key: 'a', prefix: 'b' }]) {
      const { status, json } = await post('/invalidate', body)
      t.is(status, 400)
      t.regex((json.error as unknown as { message: string }).message, /the body must be a key/)
    }
    for (const path of ['/inspect', '/invalidate', '/flush']) {
      const body = { key: 'user:1' }
      t.is((await post(path, body, { token: 'another-token-of-letters' })).status, 401)
      t.is((await post(path, body, { token: undefined })).status, 401)
      t.is((await post(path, body, { headers: { origin: 'http://evil.example' } })).status, 403)
      t.is((await post(path, body, { headers: { 'sec-fetch-site': 'cross-site' } })).status, 403)
      t.is((await post(path, body, { headers: { host: 'evil.example' } })).status, 421)
      t.is((await post(path, body, { method: 'GET', body: '' })).status, 405)
    }
    t.like((await post('/inspect', { key: 'user:1' })).json, { memory: 'reply' })
  },
)

overRedis('keys are inspected, invalidated and flushed from the command line', async t => {
  t.timeout(240_000)
  const { order, client } = await node(t, '--admin-show-values')
  const shown = await order('inspect', 'user:1')
  t.is(shown.code, 0, shown.output)
  t.regex(shown.output, /^memory +has the reply to its GET$/m)
  t.regex(shown.output, /^reply +3 bytes$/m)
  t.regex(shown.output, /^value +Ada$/m)
  // A value of a client moves no cursor.
  t.regex((await order('inspect', 'page')).output, /^value +<b>\\x1b\[31m$/m)
  const json = JSON.parse((await order('inspect', 'user:2', '--json')).output)
  t.like(json, { memory: 'reply', reply: { value: 'Grace', size: 5 } })
  t.deepEqual(await order('invalidate', 'user:1'), { code: 0, output: 'invalidated: 1\n' })
  t.deepEqual(await order('invalidate', '--prefix', 'user:'), {
    code: 0,
    output: 'invalidated: 1\n',
  })
  t.deepEqual(await order('flush'), { code: 0, output: 'flushed\n' })
  t.regex((await order('inspect', 'page')).output, /^memory +has nothing of it$/m)
  t.is(await client.get('user:1'), 'Ada')
  for (const words of [['invalidate'], ['invalidate', 'a', '--prefix', 'b']]) {
    const wrong = await order(...words)
    t.is(wrong.code, 2)
    t.regex(wrong.output, /key must be a key, or else --prefix/)
  }
  t.is((await order('inspect')).code, 2)
})

test('a node with a store of its own says that it remembers nothing of another', async t => {
  t.timeout(120_000)
  const at = `unix:${join(folderOf(t, 'memory'), 'admin.sock')}`
  await serve(t, '--admin', at, '--threads', '1')
  const refused = await run('flush', '--admin', at)
  t.is(refused.code, 1)
  t.regex(refused.output, /has a store of its own/)
})
