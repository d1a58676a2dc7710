// What a node remembers and reads whose workers are processes: looked at, forgotten, watched and recorded
// as if it were one memory, in front of a real Redis.
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { Invalidations, RouterOptions } from 'breakwater/router'
import { ask } from '../admin/support.ts'
import { folderOf } from '../helpers/folders.ts'
import { hasRedis, startProcesses } from './store/support.ts'
import { Raw, redis, run, serve } from './support.ts'

const fronted = hasRedis ? test : test.skip

async function until(condition: () => boolean | Promise<boolean>) {
  while (!(await condition())) await sleep(5)
}

/** A router of two processes, and its store asked directly. */
async function start(t: ExecutionContext, options: RouterOptions = {}) {
  const started = await startProcesses(t, options)
  const direct = await Raw.open(t, started.behind.port)
  return { ...started, memory: started.router.memory!, direct }
}

/** A client of each of two processes, by the number of its process. */
async function clientsOf(t: ExecutionContext, port: number) {
  const clients = new Map<number, Raw>()
  while (clients.size < 2) {
    const client = await Raw.open(t, port)
    const info = await client.send('INFO', 'node')
    clients.set(Number(/node_process_id:(\d+)/.exec(info)?.[1]), client)
  }
  return clients
}

fronted('a key is known where it lies, and forgotten in all processes', async t => {
  const { memory, port, direct } = await start(t, { routes: ['user:*,ttl=1h', '*'] })
  await direct.send('MSET', 'user:1', 'Ada', 'user:2', 'Grace', 'other', 'x')
  const clients = await clientsOf(t, port)
  const [[first, one], [second, other]] = [...clients] as [[number, Raw], [number, Raw]]
  t.like(await memory.inspect('user:1'), { memory: 'nothing', processes: [], route: 'user:*' })
  await one.send('GET', 'user:1')
  const known = await memory.inspect('user:1')
  t.like(known, { memory: 'reply', processes: [first], pinned: false })
  t.is(`${known.reply?.value}`, 'Ada')
  t.true(known.reply!.ttl! <= 3_600_000)
  await other.send('GET', 'user:1')
  await until(async () => (await memory.inspect('user:1')).processes.length === 2)
  const both = await memory.inspect(Buffer.from('user:1'))
  t.deepEqual(both.processes.toSorted(), [first, second].toSorted())
  t.is(both.bytes, 2 * known.bytes)
  t.true(both.reply!.age <= known.reply!.age + 60_000)

  t.true(await memory.invalidate('user:1'))
  t.false(await memory.invalidate('user:1'))
  t.like(await memory.inspect('user:1'), { memory: 'nothing', processes: [], bytes: 0 })
  // Of one process, of both, and of a key that does not begin so.
  await one.send('GET', 'user:1')
  for (const client of clients.values()) await client.send('GET', 'user:2')
  await other.send('GET', 'other')
  t.is(await memory.invalidatePrefix('user:'), 3)
  t.like(await memory.inspect('other'), { memory: 'reply', processes: [second] })
  await memory.flush()
  t.like(await memory.inspect('other'), { memory: 'nothing' })
  t.deepEqual(
    memory.orders.map(({ order, of, count }) => [order, of, count]),
    [
      ['invalidate', 'user:1', 1],
      ['invalidate', 'user:1', 0],
      ['invalidatePrefix', 'user:', 3],
      ['flush', '', 0],
    ],
  )
  t.is(await direct.send('DBSIZE'), ':3\r\n')
})

fronted('what leaves is told by all processes, by those too that come later', async t => {
  const { router, memory, port, direct } = await start(t)
  await direct.send('SET', 'a', '1')
  const heard: Invalidations[] = []
  const leave = memory.listen(news => heard.push(news))
  /** How many processes have forgotten a key of this name, and why. */
  const told = (name: string) =>
    heard.flatMap(({ keys }) => keys.filter(({ key }) => `${key}` === name)).map(each => each.cause)
  for (const client of (await clientsOf(t, port)).values()) await client.send('GET', 'a')
  await direct.send('SET', 'a', '2')
  await until(() => told('a').length === 2)
  t.deepEqual(told('a'), ['news', 'news'])
  await router.restart()
  await direct.send('SET', 'b', '1')
  for (const client of (await clientsOf(t, port)).values()) await client.send('GET', 'b')
  await memory.invalidate('b')
  await until(() => told('b').length === 2)
  t.deepEqual(told('b'), ['hand', 'hand'])
  leave()
  for (const client of (await clientsOf(t, port)).values()) await client.send('GET', 'a')
  const count = heard.length
  await memory.invalidate('a')
  await sleep(600)
  t.is(heard.length, count)
})

fronted('a process that ends is not waited for, and one that stands still is told of', async t => {
  const { memory, port, direct, processes } = await start(t)
  await direct.send('SET', 'a', '1')
  for (const client of (await clientsOf(t, port)).values()) await client.send('GET', 'a')
  const [still] = processes() as [number]
  process.kill(still, 'SIGSTOP')
  const refused = t.throwsAsync(memory.flush(), {
    code: 'ERR_ROUTER_STATE',
    message: `process ${still} of the router has not answered within 5000 ms`,
  })
  await refused
  const asked = memory.inspect('a')
  process.kill(still, 'SIGKILL')
  // The other has forgotten it, as it was told to.
  t.like(await asked, { memory: 'nothing' })
  await until(() => processes().length === 2 && !processes().includes(still))
  t.like(await memory.inspect('a'), { memory: 'nothing' })
})

fronted('a process that takes long to begin is waited for until it serves', async t => {
  const folder = folderOf(t, 'slow-process')
  const at = (name: string) => join(folder, name)
  const [gate, begins, hooks] = [at('gate'), at('begins'), at('hooks.mjs')]
  writeFileSync(
    hooks,
    `import { existsSync, writeFileSync } from 'node:fs'
    if (existsSync(${JSON.stringify(gate)})) writeFileSync(${JSON.stringify(begins)}, '')
    while (existsSync(${JSON.stringify(gate)})) await new Promise(done => setTimeout(done, 20))
    export default { onConnect: () => undefined }`,
  )
  const { router, memory, port, direct } = await start(t, { hooks })
  await direct.send('SET', 'a', '1')
  const clients = await clientsOf(t, port)
  for (const client of clients.values()) await client.send('GET', 'a')
  writeFileSync(gate, '')
  const restarted = router.restart()
  await until(() => existsSync(begins))
  // Longer than one that serves may take to answer.
  const early = await Promise.race([memory.flush(), sleep(6000, 'it waits')])
  t.is(early, 'it waits')
  const asked = memory.inspect('a')
  rmSync(gate)
  t.like(await asked, { memory: 'nothing' })
  await restarted
})

fronted(
  'a recording is of all processes, with one hash for a key, in the order of time',
  async t => {
    const { router, port, direct } = await start(t)
    await direct.send('MSET', 'a', '1', 'b', '2')
    let clients = [...(await clientsOf(t, port)).values()]
    const over = new AbortController()
    const recording = router.record(over.signal)
    t.throws(() => router.record(over.signal), {
      code: 'ERR_ROUTER_STATE',
      message: /recorded already/,
    })
    const rows: string[][] = []
    let begun = false
    const taken = (async () => {
      for await (const text of recording) {
        begun = true
        const lines = text
          .trim()
          .split('\n')
          .filter(line => !/^(#|time)/.test(line))
        rows.push(...lines.map(line => line.split(',')))
      }
    })()
    /** Done once that is so; fails if the recording does. */
    const once = (condition: () => boolean) => Promise.race([taken, until(condition)])
    // All of the processes record.
    await once(() => begun)
    const read = async (key: string) => {
      for (let n = 0; n < 100; n++) for (const client of clients) await client.send('GET', key)
    }
    await read('a')
    await once(() => rows.length === 200)
    // Those to come take part from their beginning on.
    await router.restart()
    clients = [...(await clientsOf(t, port)).values()]
    await read('b')
    await once(() => rows.length === 400)
    over.abort()
    await taken
    const keys = rows.map(([, key]) => key)
    t.is(new Set(keys).size, 2)
    t.is(new Set(keys.slice(0, 200)).size, 1)
    const times = rows.map(([time]) => Number(time))
    t.deepEqual(
      times,
      times.toSorted((one, next) => one - next),
    )
    // Another one has another secret.
    for await (const text of router.record(AbortSignal.timeout(5000))) {
      if (!text.startsWith('time')) {
        t.false(keys.includes(text.split(',')[1]))
        break
      }
      void read('a')
    }
  },
)

fronted('the command line looks at, forgets and records a node of processes', async t => {
  t.timeout(180_000)
  const behind = await redis(t)
  const direct = await Raw.open(t, behind.port)
  await direct.send('SET', 'user:1', 'Ada')
  const folder = folderOf(t, 'process-memory')
  const admin = ['--admin', `unix:${join(folder, 'admin.sock')}`]
  const store = ['--store', `redis://127.0.0.1:${behind.port}`]
  const { port } = await serve(t, '--mode', 'processes', '--workers', '2', ...store, ...admin)
  const clients = await clientsOf(t, port)
  for (const client of clients.values()) await client.send('GET', 'user:1')
  const { output } = await run('inspect', 'user:1', ...admin)
  t.regex(output, /^memory +has the reply to its GET$/m)
  t.regex(output, new RegExp(`^processes +(${[...clients.keys()].join('|')}), \\d+$`, 'm'))
  t.deepEqual(await run('invalidate', 'user:1', ...admin), { code: 0, output: 'invalidated: 1\n' })
  t.deepEqual(await run('flush', ...admin), { code: 0, output: 'flushed\n' })
  t.regex((await run('inspect', 'user:1', ...admin)).output, /^memory +has nothing of it$/m)
  const file = join(folder, 'trace.csv')
  const recorded = run('record', ...admin, '-o', file, '--limit', '50')
  let ends = false
  void recorded.then(() => (ends = true))
  while (!ends) for (const client of clients.values()) await client.send('GET', 'user:1')
  t.deepEqual((await recorded).code, 0)
  t.is((await ask(admin[1]!, '/status')).status, 200)
})
