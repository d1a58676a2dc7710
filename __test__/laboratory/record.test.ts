// `breakwater record`: the reads of a real Redis become a trace that names no key.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { folderOf } from '../helpers/folders.ts'
import { installed, redis, run } from '../router/support.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const withRedis = installed('redis-server') ? test : test.skip

/** What a program that runs has printed, and its exit code. */
function started(t: ExecutionContext, ...args: string[]) {
  const child = spawn(process.execPath, [CLI, 'record', ...args])
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (output += text))
  const done = once(child, 'close').then(([code]) => ({ code: code as number, output }))
  return { child, done }
}

const cli = (port: number, ...words: string[]) =>
  execFileSync('redis-cli', ['-p', `${port}`, ...words]).toString()

/** Waits until the server is monitored by so many. */
async function monitored(port: number): Promise<void> {
  while (!cli(port, 'CLIENT', 'LIST').includes('cmd=monitor')) await sleep(20)
}

/** The rows of a trace, without their first line. */
function rowsOf(text: string): string[][] {
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map(row => row.split(','))
}

withRedis('reads of any type are recorded until the limit, with sizes, and simulated', async t => {
  t.timeout(120_000)
  const { port } = await redis(t)
  const file = join(folderOf(t, 'record'), 'trace.csv.gz')
  cli(port, 'SET', 'boat:secret', 'x'.repeat(1000))
  cli(port, 'HSET', 'crew', 'captain', 'ada')
  const { done } = started(t, `redis://127.0.0.1:${port}`, '-o', file, '--sizes', '--limit', '6')
  await monitored(port)
  cli(port, 'GET', 'boat:secret')
  cli(port, 'MGET', 'boat:secret', 'nothing')
  cli(port, 'SET', 'boat:secret', 'y')
  cli(port, 'TTL', 'boat:secret')
  cli(port, 'HGETALL', 'crew')
  cli(port, '-n', '3', 'EXISTS', 'boat:secret')
  cli(port, 'GET', 'boat:secret')
  const { code, output } = await done
  t.is(code, 0, output)
  t.regex(output, /trace\.csv\.gz: 6 requests in \d+\.\d s\n$/)
  const text = gunzipSync(readFileSync(file)).toString()
  t.true(text.startsWith('time,key,size\n'))
  const rows = rowsOf(text)
  const [first, second, nothing, crew, other, last] = rows.map(([, key]) => key)
  t.is(first, second)
  t.is(first, last)
  t.is(new Set([first, nothing, crew, other]).size, 4)
  const sizes = rows.map(([, , size]) => Number(size))
  t.true(sizes[0]! > 1000 && sizes[0] === sizes[5])
  t.is(sizes[2], 0)
  t.true(sizes[3]! > 0)
  t.false(/boat|secret|crew|nothing/.test(text))
  const simulated = await run('simulate', file, '-s', '10', '-p', 'lru', '--json')
  t.is(simulated.code, 0, simulated.output)
  const { requests, keys } = JSON.parse(simulated.output) as { requests: number; keys: number }
  t.deepEqual([requests, keys], [6, 4])
})

withRedis('a recording that is ended early keeps what there is', async t => {
  t.timeout(120_000)
  const { port } = await redis(t, '--requirepass', 'quay')
  const file = join(folderOf(t, 'record'), 'trace.csv')
  const { child, done } = started(t, `redis://:quay@127.0.0.1:${port}`, '-o', file)
  const read = () =>
    execFileSync('redis-cli', ['-p', `${port}`, '--no-auth-warning', '-a', 'quay', 'GET', 'a'])
  // Whatever is read before the server is monitored is not recorded.
  while (!existsSync(file) || rowsOf(readFileSync(file, 'utf8')).length < 2) {
    read()
    await sleep(20)
  }
  child.kill('SIGINT')
  const { code, output } = await done
  t.is(code, 0, output)
  const rows = rowsOf(readFileSync(file, 'utf8'))
  t.regex(output, new RegExp(`: ${rows.length} requests`))
  t.is(new Set(rows.map(([, key]) => key)).size, 1)
})

withRedis('the server’s refusal is said, without the password', async t => {
  const { port } = await redis(t, '--requirepass', 'quay')
  const file = join(folderOf(t, 'record'), 'trace.csv')
  const { code, output } = await run('record', `redis://:hush@127.0.0.1:${port}`, '-o', file)
  t.is(code, 1)
  t.regex(output, /^breakwater: WRONGPASS /)
  t.false(output.includes('hush'))
})

test('a server that is not there, goes away or speaks nonsense ends the recording', async t => {
  const folder = folderOf(t, 'record')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.teardown(() => server.close())
  const answer = 'HTTP/1.1 400 Bad Request\r\n\r\n'
  server.once('connection', socket => socket.resume().end(answer))
  const gone = await run('record', `redis://127.0.0.1:${port}`, '-o', join(folder, 'gone.csv'))
  t.deepEqual(gone, { code: 1, output: 'breakwater: the server ended the connection\n' })
  const nowhere = await run('record', 'redis://127.0.0.1:1', '-o', join(folder, 'nowhere.csv'))
  t.is(nowhere.code, 1)
  t.regex(nowhere.output, /^breakwater: the server is not reached: .*ECONNREFUSED/)
})

test('what cannot be recorded is refused with why', async t => {
  const folder = folderOf(t, 'record')
  const url = 'redis://127.0.0.1:1'
  const there = join(folder, 'there.csv')
  writeFileSync(there, 'precious')
  const cases: [code: number, says: RegExp, args: string[]][] = [
    [1, /there\.csv is there already/, [url, '-o', there]],
    [1, /nowhere.* cannot be written: ENOENT/, [url, '-o', join(folder, 'nowhere/trace.csv')]],
    [2, /'trace.txt' is invalid.*end in \.csv or \.csv\.gz/, [url, '-o', 'trace.txt']],
    [2, /required option '-o, --output/, [url]],
    [2, /missing required argument 'store'/, ['-o', 'trace.csv']],
    [2, /Record one server of a cluster/, ['redis-cluster://127.0.0.1:1', '-o', 'trace.csv']],
    [2, /'http:\/\/127.0.0.1' is invalid/, ['http://127.0.0.1', '-o', 'trace.csv']],
    [2, /'soon' is invalid/, [url, '-o', 'trace.csv', '--for', 'soon']],
    [2, /whole number above 0/, [url, '-o', 'trace.csv', '--limit', '0']],
    [2, /ENOENT/, [url, '-o', 'trace.csv', '--tls-ca', join(folder, 'none.pem')]],
  ]
  for (const [code, says, args] of cases) {
    const failed = await run('record', ...args)
    t.is(failed.code, code, failed.output)
    t.regex(failed.output, says)
  }
  t.is(readFileSync(there, 'utf8'), 'precious')
})
