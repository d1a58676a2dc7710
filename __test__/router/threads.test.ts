// Threads of a node that fail, are restarted, and end: who is connected to another one notices nothing,
// and who is disconnected has had its replies.
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { createRouter, type RouterOptions } from 'breakwater/router'
import { Redis } from 'ioredis'
import { folderOf } from '../helpers/folders.ts'
import { hasRedis } from './store/support.ts'
import { type Crash, Raw, redis, serve, serveCrashing } from './support.ts'

const fronted = hasRedis ? test : test.skip

async function until(condition: () => boolean | Promise<boolean>) {
  while (!(await condition())) await sleep(5)
}

async function start(t: ExecutionContext, options: RouterOptions) {
  t.timeout(180_000)
  const router = createRouter({ threads: 2, maxBytes: '64mb', ...options })
  t.teardown(() => router.close())
  const { port } = await router.listen({ port: 0 })
  return { router, port }
}

for (const how of ['throw', 'reject', 'exit', 'terminate'] satisfies Crash[]) {
  test(`a thread that ends by '${how}' is replaced, and costs its own clients their connections alone`, async t => {
    t.timeout(180_000)
    const node = await serveCrashing(t, how, '--threads', '2', '--max-bytes', '16mb')
    // Which thread takes a client is the system's choice: until both have some.
    for (let [round, survived] = [1, 0]; survived === 0; round++) {
      const clients = await Promise.all(Array.from({ length: 40 }, () => Raw.open(t, node.port)))
      for (const client of clients) t.is(await client.send('SET', 'k', 'v'), '+OK\r\n')
      node.process.kill('SIGUSR2')
      await node.says(RegExp(`((fails on purpose|thread of the router ended)[^]*){${round}}`))
      for (const client of clients) {
        const reply = await client.send('GET', 'k')
        if (reply === '') continue
        t.is(reply, '$1\r\nv\r\n')
        survived++
      }
      // A new one is served, whichever thread it comes to, and what was remembered is there.
      for (let i = 0; i < 20; i++) {
        const client = await Raw.open(t, node.port)
        t.is(await client.send('GET', 'k'), '$1\r\nv\r\n')
      }
    }
    t.is(await node.stop(), 0)
  })
}

test.serial('who waits to be accepted by a thread that dies is served by another one', async t => {
  const folder = folderOf(t, 'threads')
  const [goes, hooks] = [join(folder, 'goes'), join(folder, 'hooks.mjs')]
  // A thread that hears ECHO stands still until there is a file.
  writeFileSync(
    hooks,
    `import { existsSync, writeFileSync } from 'node:fs'
    import { threadId } from 'node:worker_threads'
    const word = new Int32Array(new SharedArrayBuffer(4))
    const handle = () => {
      writeFileSync(${JSON.stringify(`${folder}/stands-`)} + threadId, '')
      while (!existsSync(${JSON.stringify(goes)})) Atomics.wait(word, 0, 0, 5)
    }
    export default { onCommand: { commands: ['echo'], handle } }`,
  )
  const workers: Worker[] = []
  const note = (worker: Worker) => void workers.push(worker)
  process.on('worker', note)
  t.teardown(() => process.off('worker', note))
  const { router, port } = await start(t, { threads: 2, hooks })
  const standing = () => readdirSync(folder).filter(name => name.startsWith('stands-')).length
  for (let count = 1; count <= 2; count++) {
    ;(await Raw.open(t, port)).write('ECHO x\r\n')
    await until(() => standing() === count)
  }
  // Nobody accepts.
  const waiting = await Promise.all(Array.from({ length: 30 }, () => Raw.open(t, port)))
  const replies = waiting.map(client => client.send('PING'))
  await workers[0]!.terminate()
  writeFileSync(goes, '')
  t.deepEqual([...new Set(await Promise.all(replies))], ['+PONG\r\n'])
  await until(() => router.stats().replaced === 1)
})

test.serial('a thread that is terminated at any moment is replaced, and counted', async t => {
  const { router, port } = await start(t, { threads: 2 })
  const workers: Worker[] = []
  const note = (worker: Worker) => void workers.push(worker)
  process.on('worker', note)
  t.teardown(() => process.off('worker', note))
  await router.restart()
  for (let round = 0; round < 6; round++) {
    // Its successors end before they serve, while they begin to, and once they do.
    workers[round]!.terminate()
    await until(() => workers.length > round + 2)
  }
  await until(() => router.stats().replaced >= 6)
  const client = await Raw.open(t, port)
  t.is(await client.send('PING'), '+PONG\r\n')
})

test.serial('a restart replaces each thread, and no request fails', async t => {
  const { router, port } = await start(t, { threads: 3 })
  const started = new Set<number>()
  const note = (worker: { threadId: number }) => void started.add(worker.threadId)
  process.on('worker', note)
  t.teardown(() => process.off('worker', note))
  const clients = Array.from({ length: 12 }, () => {
    const client = new Redis(port, { retryStrategy: () => 1, maxRetriesPerRequest: null })
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
    return client
  })
  let [stopped, done] = [false, 0]
  const work = clients.map(async (client, at) => {
    for (let n = 0; !stopped; n++) {
      await client.set(`c${at}`, n)
      t.is(await client.get(`c${at}`), `${n}`)
      done++
    }
  })
  for (let round = 1; round <= 3; round++) {
    const then = done
    await until(() => done > then + 100)
    await router.restart()
    t.is(started.size, 3 * round)
  }
  const then = done
  await until(() => done > then + 100)
  stopped = true
  await Promise.all(work)
  t.is(router.stats().replaced, 0)
  t.is(router.stats().faults, 0)
})

test('restarts that are asked for together are one, and a reload waits for it', async t => {
  const { router, port } = await start(t, {})
  const first = router.restart()
  t.is(router.restart(), first)
  const { changed } = await router.reload({ threads: 4, maxBytes: '64mb' })
  t.deepEqual(changed, ['threads'])
  await first
  const client = await Raw.open(t, port)
  t.regex(await client.send('INFO', 'server'), /io_threads_active:4\r/)
  t.deepEqual((await router.reload({ threads: 1, maxBytes: '64mb' })).changed, ['threads'])
  // A thread that is one too many may still take a client, which it then disconnects.
  let said = ''
  await until(async () => {
    said = await (await Raw.open(t, port)).send('INFO', 'server')
    return said !== ''
  })
  t.regex(said, /io_threads_active:1\r/)
})

test('a router that does not listen, or serves on its own thread, does not restart', async t => {
  const idle = createRouter({ threads: 1, maxBytes: '16mb' })
  await t.throwsAsync(idle.restart(), { code: 'ERR_ROUTER_STATE', message: /idle cannot restart/ })
  await idle.close()
  await t.throwsAsync(idle.restart(), { code: 'ERR_ROUTER_STATE' })
  const { router } = await start(t, { threads: 0 })
  await t.throwsAsync(router.restart(), { code: 'ERR_ROUTER_STATE', message: /no threads/ })
})

test('a router that is closed while it restarts ends all threads', async t => {
  const { router } = await start(t, {})
  let began = 0
  const note = () => void began++
  process.once('worker', note)
  t.teardown(() => process.off('worker', note))
  const restarting = router.restart()
  await until(() => began > 0)
  await router.close()
  await restarting
  t.false(router.isReady)
})

for (const driver of ['native', 'net'] as const) {
  test(`${driver}: clients are disconnected in slices, and served until it is their turn`, async t => {
    t.timeout(180_000)
    const flags = ['--threads', '1', '--driver', driver, '--drain-over', '2m']
    const node = await serve(t, ...flags)
    const clients = await Promise.all(Array.from({ length: 200 }, () => Raw.open(t, node.port)))
    for (const client of clients) t.is(await client.send('PING'), '+PONG\r\n')
    const closed = new Set<Raw>()
    const first = Promise.race(
      clients.map(async client => {
        await once(client.socket, 'close')
        closed.add(client)
      }),
    )
    node.process.kill('SIGTERM')
    await first
    const others = clients.filter(client => !closed.has(client))
    t.true(others.length > 0)
    t.is(await others.at(-1)!.send('SET', 'k', 'v'), '+OK\r\n')
    const refused = new Redis(node.port, { retryStrategy: () => null, lazyConnect: true })
    refused.on('error', () => {})
    await t.throwsAsync(refused.connect())
    // The second signal ends it at once.
    t.is(await node.stop(), 1)
  })
}

fronted('a client that waits for the store gets its reply before it is disconnected', async t => {
  t.timeout(180_000)
  const behind = await redis(t)
  const store = ['--store', `redis://127.0.0.1:${behind.port}`, '--store-timeout', '1h']
  const node = await serve(t, '--threads', '1', ...store, '--drain-within', '1h')
  const [client, idle] = [await Raw.open(t, node.port), await Raw.open(t, node.port)]
  await client.send('SET', 'k', 'v')
  const closed = once(idle.socket, 'close')
  behind.process.kill('SIGSTOP')
  const reply = client.send('GET', 'other')
  await idle.send('PING')
  const ended = node.stop()
  // The node drains: it has disconnected who waits for nothing.
  await closed
  behind.process.kill('SIGCONT')
  t.is(await reply, '$-1\r\n')
  t.is(await ended, 0)
})

for (const driver of ['native', 'net'] as const) {
  test(`${driver}: a client that does not take its replies is cut, and holds up nobody`, async t => {
    const { router, port } = await start(t, { threads: 1, driver, drain: { within: 50 } })
    const client = await Raw.open(t, port)
    await client.send('SET', 'k', 'v'.repeat(4 * 1024 * 1024))
    client.socket.pause()
    client.write('GET k\r\n'.repeat(20))
    await until(() => router.stats().bytesSent > 1024 * 1024)
    await router.close()
    t.pass()
  })
}

fronted('a router is ready once it has met its store, and warmUp meets it', async t => {
  const behind = await redis(t)
  for (const threads of [0, 2]) {
    const router = createRouter({ threads, store: `redis://127.0.0.1:${behind.port}` })
    t.teardown(() => router.close())
    t.false(router.isReady)
    await router.warmUp()
    t.false(router.isReady)
    const { port } = await router.listen({ port: 0 })
    await router.warmUp()
    t.true(router.isReady)
    t.is(router.stats().upstream[0]?.state, 'up')
    const client = await Raw.open(t, port)
    t.is(await client.send('GET', 'k'), '$-1\r\n')
    const closing = router.close()
    t.false(router.isReady)
    await closing
  }
  const away = createRouter({ threads: 1, store: 'redis://127.0.0.1:1' })
  await away.listen({ port: 0 })
  const warming = away.warmUp()
  await until(() => away.stats().upstream[0]!.failures > 1)
  t.false(away.isReady)
  await away.close()
  await warming
  t.false(away.isReady)
})

test('new threads of a node with a store of its own answer from what is remembered, from their first requests on', async t => {
  const { router, port } = await start(t, { threads: 2 })
  const filling = await Raw.open(t, port)
  for (let i = 0; i < 1000; i++) t.is(await filling.send('SET', `k${i}`, `${i}`), '+OK\r\n')
  /** The hit ratio of a thousand reads, low numbers more often, half of them of keys that are not there. */
  const ratio = async () => {
    const before = router.stats()
    const client = await Raw.open(t, port)
    for (let i = 0; i < 1000; i++)
      await client.send('GET', `k${Math.floor((i / 1000) ** 2 * 2000)}`)
    const { hits, misses } = router.stats()
    return (hits - before.hits) / (hits - before.hits + misses - before.misses)
  }
  const old = await ratio()
  t.true(old > 0.5)
  await router.restart()
  // Whichever of the new threads has the client, these are its first requests or nearly so.
  t.true((await ratio()) >= 0.95 * old)
})
