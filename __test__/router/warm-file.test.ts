// The file in which a node keeps what it reads most: what a killed node has left of it, and a file system that
// does not answer.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { folderOf } from '../helpers/folders.ts'
import { hasRedis } from './store/support.ts'
import { Raw, redis, serve, serveWith } from './support.ts'
import { GOOD, until } from './warm.ts'

const HELD = new URL('../helpers/held.mjs', import.meta.url).href
const fronted = hasRedis ? test : test.skip

async function storeOf(t: ExecutionContext) {
  t.timeout(180_000)
  return `redis://127.0.0.1:${(await redis(t)).port}`
}

/** The number of a process that has ended. */
function gone(): number {
  return spawnSync('true').pid
}

fronted('what killed nodes have left of a file is removed, and nothing else is', async t => {
  const store = await storeOf(t)
  const folder = folderOf(t, 'warm')
  const lives = spawn('sleep', ['600'])
  t.teardown(() => lives.kill('SIGKILL'))
  const leftovers = [`hot.${gone()}.new`, `hot.${gone()}.new`]
  const others = [
    `hot.${lives.pid}.new`,
    'hot.0.new',
    `hot.-${gone()}.new`,
    `hot.0${gone()}.new`,
    'hot..new',
    'hot.new',
    `hot.${gone()}.new.old`,
    `hot.${gone()}`,
    `hotter.${gone()}.new`,
    `a.hot.${gone()}.new`,
  ]
  for (const name of [...leftovers, ...others]) writeFileSync(join(folder, name), name)
  const below = `hot.${gone()}.new`
  mkdirSync(join(folder, below))
  const file = join(folder, 'hot')
  const node = await serve(t, '--store', store, '--warm-from', file, '--warm-every', '10ms')
  await (await Raw.open(t, node.port)).send('GET', 'key')
  await until(() => existsSync(file))
  t.is(await node.stop(), 0)
  t.deepEqual(readdirSync(folder).sort(), ['hot', below, ...others].sort())
})

fronted('a node that drains does not wait for a file system for ever', async t => {
  const store = await storeOf(t)
  const folder = folderOf(t, 'held')
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const env = { UV_THREADPOOL_SIZE: '1', NODE_OPTIONS: `--import ${HELD}`, HELD: pipe }
  const flags = ['--threads', '1', '--store', store, '--log-format', 'pretty']
  const node = await serveWith(t, env, ...flags, '--warm-from', join(folder, 'hot'))
  const client = await Raw.open(t, node.port)
  t.is(await client.send('GET', 'key'), '$-1\r\n')
  node.process.kill('SIGUSR2')
  // It has been held up by then: signals are heard in their order.
  t.is(await client.send('PING'), '+PONG\r\n')
  node.process.kill('SIGTERM')
  await node.says(/drained: all clients have left/)
  t.is(`${await client.rest()}`, '')
  await node.stop()
  t.is(node.process.signalCode, 'SIGKILL')
})

fronted('a second signal ends a node at once, though a file system holds it up', async t => {
  const store = await storeOf(t)
  const pipe = join(folderOf(t, 'held'), 'pipe')
  execFileSync('mkfifo', [pipe])
  const env = { UV_THREADPOOL_SIZE: '1', NODE_OPTIONS: `--import ${HELD}`, HELD: pipe }
  const flags = ['--threads', '1', '--store', store, '--drain-over', '1h', '--log-format', 'pretty']
  const node = await serveWith(t, env, ...flags)
  const client = await Raw.open(t, node.port)
  t.is(await client.send('GET', 'key'), '$-1\r\n')
  node.process.kill('SIGUSR2')
  node.process.kill('SIGTERM')
  await node.says(/drains 1 clients/)
  await node.stop()
  t.is(node.process.signalCode, 'SIGKILL')
})

for (const mode of ['threads', 'processes']) {
  test(`${mode}: a node says when its time was over before it had read all`, async t => {
    t.timeout(120_000)
    // A store that never answers.
    const server = createServer(() => {})
    t.teardown(() => server.close())
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const store = `redis://127.0.0.1:${typeof address === 'object' && address?.port}`
    const file = join(folderOf(t, 'warm'), 'hot')
    writeFileSync(file, GOOD)
    const own = ['--mode', mode, '--workers', '2', '--store', store, '--store-timeout', '1h']
    const node = await serve(t, ...own, '--warm-from', file, '--warm-budget', '5s')
    await node.says(/began warm: 2 reads of .* in \d+ ms, not all of them: its time was over/)
    t.pass()
  })
}
