// `breakwater record` of a node that runs: what its clients read becomes a trace that names no key.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { createAdmin } from 'breakwater/admin'
import { createRouter, type RouterOptions } from 'breakwater/router'
import { folderOf } from '../helpers/folders.ts'
import { installed, Raw, redis, run } from '../router/support.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const TOKEN = 'sixteen-or-longer'

/** A node with an admin entrance, a client of it, and what a recording of it is told. */
async function opened(t: ExecutionContext, options: RouterOptions = {}, name = 'trace.csv.gz') {
  const router = createRouter({ threads: 2, maxBytes: '16mb', ...options })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  const admin = createAdmin(router, { listen: '127.0.0.1:0', token: TOKEN })
  t.teardown(() => admin.close())
  const address = await admin.listen()
  const folder = folderOf(t, 'record-node')
  const tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, TOKEN, { mode: 0o600 })
  const file = join(folder, name)
  const args = ['record', '--admin', address, '--admin-token-file', tokenFile, '-o', file]
  const ask = (path: string, headers = { authorization: `Bearer ${TOKEN}` }) =>
    fetch(`http://${address}${path}`, { headers })
  return { router, port, client: await Raw.open(t, port), address, file, args, ask }
}

/** A recording under way. */
function recording(t: ExecutionContext, args: string[]) {
  const child = spawn(process.execPath, [CLI, ...args])
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (output += text))
  const done = once(child, 'close').then(([code]) => ({ code: code as number, output }))
  return { child, done }
}

/** Waits until a recording has told so many rows. */
async function told(file: string, rows: number): Promise<void> {
  while (!existsSync(file) || textOf(file).split('\n').length < rows + 2) await sleep(10)
}

/** What a trace holds, whether it is compressed or not. */
function textOf(file: string): string {
  const bytes = readFileSync(file)
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
}

/** The rows of a trace, without its first line. */
function rowsOf(file: string): { key: string; size: number }[] {
  const text = textOf(file)
  const [header, ...rows] = text.trim().split('\n')
  if (header !== 'time,key,size') throw new Error(text)
  return rows.map(row => {
    const [, key = '', size] = row.split(',')
    return { key, size: Number(size) }
  })
}

test('a node of its own under load is recorded to the limit, and simulated', async t => {
  t.timeout(120_000)
  const node = await opened(t)
  const { client, file, args } = node
  const { done } = recording(t, [...args, '--limit', '2000'])
  let ends = false
  void done.then(() => (ends = true))
  const value = 'x'.repeat(100)
  for (let n = 0; n < 20; n++) await client.send('SET', `boat:${n}`, value)
  // A reader for each thread, until it is over.
  const others = await Promise.all([1, 2, 3].map(() => Raw.open(t, node.port)))
  await Promise.all(
    [client, ...others].map(async each => {
      for (let n = 0; !ends; n++) {
        await each.send('GET', `boat:${n % 20}`)
        await each.send('TTL', `boat:${n % 20}`)
        if (n % 100 === 0) await sleep(1)
      }
    }),
  )
  const { code, output } = await done
  t.is(code, 0, output)
  t.regex(output, /trace\.csv\.gz: 2000 requests in \d+\.\d s\n$/)
  const rows = rowsOf(file)
  t.is(rows.length, 2000)
  t.is(new Set(rows.map(({ key }) => key)).size, 20)
  // The reply to a GET in RESP: its length, and the value.
  t.true(rows.every(({ size }) => size === `$100\r\n${value}\r\n`.length))
  t.false(/boat/.test(textOf(file)))
  const simulated = await run('simulate', file, '-s', '10', '20', '-p', 'lru', '--json')
  t.is(simulated.code, 0, simulated.output)
  const { requests, keys } = JSON.parse(simulated.output) as { requests: number; keys: number }
  t.deepEqual([requests, keys], [2000, 20])
})

const withRedis = installed('redis-server') ? test : test.skip

withRedis('in front of a store, hits, misses and reads of no route are recorded', async t => {
  t.timeout(120_000)
  const store = await redis(t)
  const options = {
    store: `redis://127.0.0.1:${store.port}`,
    routes: ['off:*,mode=off', '*,ttl=1m'],
  }
  const node = await opened(t, options, 'trace.csv')
  const { client, file, args } = node
  await client.send('SET', 'a', 'one')
  await client.send('HSET', 'h', 'f', 'v')
  await client.send('SET', 'off:1', 'x')
  const { child, done } = recording(t, args)
  await told(file, 0)
  await client.send('GET', 'a')
  await client.send('GET', 'a')
  await client.send('HGETALL', 'h')
  await client.send('MGET', 'a', 'nothing')
  await client.send('GET', 'off:1')
  await client.send('SET', 'a', 'two')
  await told(file, 6)
  child.kill('SIGINT')
  const { code, output } = await done
  t.is(code, 0, output)
  const rows = rowsOf(file)
  t.is(rows.length, 6, JSON.stringify(rows))
  const [a, again, h, both, nothing, off] = rows.map(({ key }) => key)
  t.is(a, again)
  t.is(a, both)
  t.is(new Set([a, h, nothing, off]).size, 4)
  t.deepEqual([rows[0]?.size, rows[1]?.size, rows[5]?.size], [9, 9, 0])
})

test('one recording at a time, ended with whoever took it', async t => {
  const node = await opened(t)
  const first = await node.ask('/record')
  t.is(first.headers.get('content-type'), 'text/csv')
  const second = await node.ask('/record')
  t.is(second.status, 409)
  t.regex(await second.text(), /is being recorded already/)
  const failed = await run(...(node.args as [string]))
  t.is(failed.code, 1)
  t.regex(failed.output, /^breakwater: the router is being recorded already\n$/)
  await first.body?.cancel()
  // Who asks for the head of it takes nothing, and leaves nothing behind.
  const headers = { authorization: `Bearer ${TOKEN}` }
  for (const method of ['HEAD', 'GET']) {
    let status = 409
    while (status === 409) {
      const reply = await fetch(`http://${node.address}/record`, { method, headers })
      status = reply.status
      await reply.body?.cancel()
    }
    t.is(status, 200, method)
  }
})

test('only the token records, and not what is closed', async t => {
  const node = await opened(t)
  t.is((await node.ask('/record', { authorization: 'Bearer nobody-knows-it' })).status, 401)
  t.is((await fetch(`http://${node.address}/record`)).status, 401)
  const idle = createRouter({ threads: 0, maxBytes: '16mb' })
  const { signal } = new AbortController()
  t.throws(() => idle.record(signal), { code: 'ERR_ROUTER_STATE', message: /idle/ })
  for (const signal of [null, {}, 'signal']) {
    t.throws(() => node.router.record(signal as never), { code: 'ERR_INVALID_OPTION' })
  }
  await node.router.close()
  t.throws(() => node.router.record(signal), { code: 'ERR_ROUTER_STATE', message: /closed/ })
})

test('a router tells its own process what is read, until it closes', async t => {
  const { router, client } = await opened(t)
  await client.send('SET', 'a', '1')
  const lines: string[] = []
  const over = new AbortController()
  for await (const text of router.record(over.signal)) {
    lines.push(...text.trim().split('\n'))
    if (lines.length > 3) break
    await client.send('GET', 'a')
  }
  t.is(lines[0], 'time,key,size')
  t.is(new Set(lines.slice(1).map(line => line.split(',')[1])).size, 1)
  const last = router.record(over.signal)
  const closed = router.close()
  for await (const text of last) t.is(text, 'time,key,size\n')
  await closed
})

test('what goes only with a server is refused for a node', async t => {
  const { args } = await opened(t)
  for (const option of ['--sizes', '--tls-ca']) {
    const given = option === '--tls-ca' ? [option, CLI] : [option]
    const { code, output } = await run(...(args as [string]), ...given)
    t.is(code, 2)
    t.true(output.includes(`${option} is for a server`), output)
  }
})
