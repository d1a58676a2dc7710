// The wall clock of a node is set ahead and back: what it keeps lives as long as it was to, no longer and no
// shorter, what takes too long is given up, and nobody is disconnected.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { canSetClocks, clockOf, setClock } from '../../scripts/faults/clock.mjs'
import { folderOf } from '../helpers/folders.ts'
import { calls, hasRedis } from './store/support.ts'
import { Raw, redis, serveWith } from './support.ts'

const set = canSetClocks ? test : test.skip
const fronted = canSetClocks && hasRedis ? test : test.skip
const HOUR = 3600
const SETS = [HOUR, -HOUR, 0]

async function until(condition: () => boolean | Promise<boolean>) {
  while (!(await condition())) await sleep(5)
}

/** A node whose clock is set, and a client of it. */
async function start(t: ExecutionContext, ...flags: string[]) {
  t.timeout(180_000)
  const file = join(folderOf(t, 'clock'), 'clock')
  const node = await serveWith(t, clockOf(file), '--workers', '1', ...flags)
  return { file, node, client: await Raw.open(t, node.port) }
}

/** Sets a clock, and waits until the node has looked at it. */
async function turn(file: string, seconds: number) {
  await sleep(setClock(file, seconds))
}

set('keys of a store of its own live as long as they were to', async t => {
  const { file, client } = await start(t)
  const time = async () => Number((await client.send('TIME')).split('\r\n')[2])
  let last = await time()
  const begun = last
  t.is(await client.send('SET', 'stays', 'v', 'EX', '900'), '+OK\r\n')
  for (const seconds of SETS) {
    await client.send('SET', 'ends', 'v', 'PX', '400')
    await turn(file, seconds)
    // It is never earlier than it was, and the clock has been set indeed.
    t.true((await time()) >= last)
    last = await time()
    t.true(last >= begun + HOUR)
    t.is(await client.send('GET', 'stays'), '$1\r\nv\r\n')
    const left = Number((await client.send('PTTL', 'stays')).slice(1))
    t.true(left > 0 && left <= 900_000, `${left} ms are left at ${seconds}`)
    await until(async () => (await client.send('GET', 'ends')) === '$-1\r\n')
    // What begins now ends as well.
    await client.send('SET', 'ends', 'v', 'PX', '50')
    await until(async () => (await client.send('GET', 'ends')) === '$-1\r\n')
  }
})

fronted('what was read of a store lives as long as it was to, and a deadline is one', async t => {
  const store = await redis(t)
  const url = `redis://127.0.0.1:${store.port}`
  const config = join(folderOf(t, 'clock'), 'breakwater.config.json')
  const write = (storeTimeout: string) => writeFileSync(config, JSON.stringify({ storeTimeout }))
  write('10m')
  const { file, node, client } = await start(t, '--store', url, '--config', config)
  let reloads = 0
  /** How long a reply of the store may take from now on. */
  const wait = async (storeTimeout: string) => {
    write(storeTimeout)
    node.process.kill('SIGHUP')
    await node.says(RegExp(`(reloaded: storeTimeout[^]*){${++reloads}}`))
  }
  const direct = await Raw.open(t, store.port)
  await direct.send('SET', 'kept', 'v')
  t.is(await client.send('GET', 'kept'), '$1\r\nv\r\n')
  const before = await calls(direct, 'get')
  for (const seconds of SETS) {
    await turn(file, seconds)
    t.is(await client.send('GET', 'kept'), '$1\r\nv\r\n')
    t.is(await calls(direct, 'get'), before, `it is remembered at ${seconds}`)
  }
  for (const seconds of SETS) {
    await direct.send('SET', 'ends', 'v', 'PX', '400')
    await client.send('GET', 'ends')
    await turn(file, seconds)
    await until(async () => (await client.send('GET', 'ends')) === '$-1\r\n')
    // Changes are heard of.
    await direct.send('SET', 'kept', `${seconds}`)
    const reply = `$${`${seconds}`.length}\r\n${seconds}\r\n`
    await until(async () => (await client.send('GET', 'kept')) === reply)
    store.process.kill('SIGSTOP')
    await wait('300ms')
    t.regex(await client.send('SET', 'late', 'v'), /^-/)
    await wait('10m')
    store.process.kill('SIGCONT')
    await until(async () => (await client.send('SET', 'late', 'v')) === '+OK\r\n')
  }
})
