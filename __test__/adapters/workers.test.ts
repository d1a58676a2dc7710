import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { Keyv } from 'keyv'
import { KeyvStore } from '../../src/adapters/keyv.ts'
import { memoize } from '../../src/adapters/memoize.ts'
import { createUseCacheHandler } from '../../src/adapters/nextjs.ts'

/** Runs the body of an async function in a worker, with the built package; gives its result. */
async function inWorker(body: string, data?: unknown): Promise<unknown> {
  const code = `(async () => { ${body} })().then(result => require('node:worker_threads').parentPort.postMessage(result))`
  // The worker requires as this file would.
  const from = JSON.stringify(import.meta.url)
  const worker = new Worker(`require = require('node:module').createRequire(${from}); ${code}`, {
    eval: true,
    execArgv: [],
    workerData: data,
  })
  const [result] = await once(worker, 'message')
  await worker.terminate()
  return result
}

test('a Keyv in a worker reads what this one stored', async t => {
  const keyv = new Keyv({ store: new KeyvStore({ name: 'worker keyv', max: 10 }) })
  await keyv.set('key', { n: 1 })
  const seen = await inWorker(`
    const { Keyv } = require('keyv')
    const { KeyvStore } = require('breakwater/keyv')
    const keyv = new Keyv({ store: new KeyvStore({ name: 'worker keyv', max: 10 }) })
    const seen = await keyv.get('key')
    await keyv.set('key', { n: 2 })
    return seen`)
  t.deepEqual(seen, { n: 1 })
  t.deepEqual(await keyv.get('key'), { n: 2 })
})

test('a memoizer in a worker knows the results of this one', async t => {
  const options = { name: 'worker memoize', max: 10, codec: 'json' } as const
  const memoized = memoize(async (n: number) => n * 2, options)
  await memoized(1)
  const seen = await inWorker(`
    const { memoize } = require('breakwater/memoize')
    const memoized = memoize(async () => 'called', ${JSON.stringify(options)})
    return [await memoized(1), await memoized(2)]`)
  t.deepEqual(seen, [2, 'called'])
  t.is((await memoized(2)) as unknown, 'called')
})

test('a tag that a worker revalidates is revalidated here', async t => {
  const handler = createUseCacheHandler({ name: 'worker next', max: 10 })
  const timestamp = performance.timeOrigin + performance.now()
  const times = { timestamp, stale: 30, revalidate: 60, expire: 3600 }
  const value = new Blob(['value']).stream()
  await handler.set('key', Promise.resolve({ value, tags: ['a'], ...times }))
  const seen = await inWorker(`
    const { createUseCacheHandler } = require('breakwater/nextjs')
    const handler = createUseCacheHandler({ name: 'worker next', max: 10 })
    const seen = await new Response((await handler.get('key', [])).value).text()
    await handler.updateTags(['a'])
    return seen`)
  t.is(seen, 'value')
  t.is(await handler.get('key', []), undefined)
})

test('nothing is served that is older than a revalidation that has returned elsewhere', async t => {
  const handler = createUseCacheHandler({ name: 'worker race', max: 10 })
  const now = () => performance.timeOrigin + performance.now()
  // When the last revalidation that has returned began, in microseconds, and how often this thread was served
  // after one.
  const shared = new BigInt64Array(new SharedArrayBuffer(16))
  const [RETURNED, SERVED] = [0, 1]
  let ended = false
  const worker = inWorker(
    `
    const shared = require('node:worker_threads').workerData
    const { createUseCacheHandler } = require('breakwater/nextjs')
    const handler = createUseCacheHandler({ name: 'worker race', max: 10 })
    // As long as it takes for the other thread to be served in between.
    for (let i = 0; i < 20_000 || Atomics.load(shared, ${SERVED}) === 0n; i++) {
      const began = BigInt(Math.floor((performance.timeOrigin + performance.now()) * 1000))
      await handler.updateTags(['a'])
      Atomics.store(shared, ${RETURNED}, began)
      // Long enough for the other thread to store and read.
      if (i % 4 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.1)
    }`,
    shared,
  ).then(() => {
    ended = true
  })
  const times = { stale: 30, revalidate: 60, expire: 3600 }
  while (!ended) {
    const value = new Blob(['value']).stream()
    await handler.set('key', Promise.resolve({ value, tags: ['a'], timestamp: now(), ...times }))
    for (let j = 0; j < 5; j++) {
      const least = Number(Atomics.load(shared, RETURNED)) / 1000
      const entry = await handler.get('key', [])
      if (entry === undefined) continue
      if (least > 0) Atomics.add(shared, SERVED, 1n)
      if (entry.timestamp < least) t.fail(`${entry.timestamp} was served after ${least}`)
    }
    // Lets the worker's message in.
    await new Promise(resolve => setImmediate(resolve))
  }
  await worker
  t.true(Atomics.load(shared, SERVED) > 0n)
})
