import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { bytes, Cache, type CacheOptions, type CodecName } from '../../src/index.ts'
import { start } from '../helpers/worker.ts'

/** A worker that waits for what this thread loads, and tells what came. */
function waiter<V>(name: string, codec: CodecName, abortable = false) {
  const worker = start(
    async ({ breakwater, data, port }) => {
      const cache = new breakwater.Cache<string, unknown>({ name: data.name, codec: data.codec })
      const controller = new AbortController()
      port.once('message', () => controller.abort(new Error('left')))
      if (!data.abortable) port.unref()
      const loaded = cache.fetch('key', {
        loader: () => 'the worker loaded' as never,
        signal: controller.signal,
      })
      port.postMessage('waits')
      const seen = await loaded.then(
        value => ({ value }),
        ({ name, message, code, status, stack }) => ({ name, message, code, status, stack }),
      )
      port.unref()
      return seen
    },
    { name, codec, abortable },
  )
  const told: unknown[] = []
  worker.on('message', message => told.push(message))
  const result = once(worker, 'exit').then(() => (told.at(-1) as { value: V }).value)
  return { worker, waits: once(worker, 'message'), result }
}

/** A cache of this thread whose load ends when the test says so, however long a worker takes to start. */
function leader<V>(name: string, options: CacheOptions<V>) {
  const given = { name, max: 100, lockTimeout: '1h', ...options }
  const cache = new Cache<string, V>(given as CacheOptions<V, string>)
  let end = (_: V | Promise<V>) => {}
  let signal: AbortSignal | undefined
  const controller = new AbortController()
  const loaded = cache.fetch('key', {
    signal: controller.signal,
    loader: (_, load) => {
      signal = load.signal
      return new Promise<V>(resolve => (end = resolve))
    },
  })
  return { cache, loaded, controller, end: (v: V | Promise<V>) => end(v), signal: () => signal! }
}

const values = [
  ['string', 'one byte', 'one byte'],
  ['string', 'two bytes \u{1f30a}', 'two bytes \u{1f30a}'],
  ['string', '', ''],
  ['number', -0.5, -0.5],
  ['bytes', Buffer.from('bytes'), new Uint8Array(Buffer.from('bytes'))],
  ['bytes', Buffer.alloc(1 << 20, 7), new Uint8Array(Buffer.alloc(1 << 20, 7))],
  ['json', { deep: [1, null, '\ud800'] }, { deep: [1, null, '\ud800'] }],
  ['any', null, null],
  ['any', new Map([['date', new Date(0)]]), new Map([['date', new Date(0)]])],
] as const
for (const [codec, value, seen] of values) {
  test(`another thread gets what was loaded: ${codec} ${String(value).slice(0, 12)}`, async t => {
    const name = `threads ${codec} ${String(value).slice(0, 12)}`
    const { cache, loaded, end } = leader<unknown>(name, { codec })
    const { waits, result } = waiter<{ value: unknown }>(name, codec)
    await waits
    end(value)
    t.deepEqual(await loaded, value)
    t.deepEqual((await result).value, seen)
    cache.close()
  })
}

test('another thread gets the error of a load, by name, message and fields', async t => {
  class NotFound extends Error {
    override name = 'NotFound'
    status = 404
    code = 'E_NOT_FOUND'
    secret = () => {}
  }
  const { cache, loaded, end } = leader<string>('threads error', {})
  const { waits, result } = waiter<Record<string, unknown>>('threads error', 'any')
  await waits
  const error = new NotFound('no such user')
  end(Promise.reject(error))
  await t.throwsAsync(loaded, { is: error })
  const { stack, ...seen } = await result
  t.deepEqual(seen, {
    name: 'NotFound',
    message: 'no such user',
    code: 'E_NOT_FOUND',
    status: 404,
  })
  t.is(stack, error.stack)
  cache.close()
})

test('a load goes on while somebody waits in another thread, and ends with the last of them', async t => {
  const { cache, loaded, controller, signal } = leader<string>('threads abort', {})
  const { worker, waits, result } = waiter<Record<string, unknown>>('threads abort', 'any', true)
  await waits
  controller.abort(new Error('left here'))
  await t.throwsAsync(loaded, { message: 'left here' })
  t.false(signal().aborted)
  const ended = once(signal(), 'abort')
  worker.postMessage('leave')
  // Only waiting keeps a process alive, and this thread waits for nobody.
  const alive = setInterval(() => {}, 1000)
  await ended
  clearInterval(alive)
  t.is((await result).message, 'left')
  cache.close()
})

test('a thread that waits when the leader is closed loads by itself', async t => {
  const { cache, loaded, end } = leader<string>('threads close', {})
  const keeper = new Cache({ name: 'threads close' })
  const { waits, result } = waiter<{ value: string }>('threads close', 'any')
  await waits
  cache.close()
  t.is((await result).value, 'the worker loaded')
  end('late')
  t.is(await loaded, 'late')
  await turn()
  t.is(keeper.get('key'), 'the worker loaded')
  keeper.close()
})

test('bytes that another thread loaded are of this thread alone', async t => {
  const name = 'threads own bytes'
  const { cache, loaded, end } = leader<Buffer>(name, { codec: bytes() })
  const { waits, result } = waiter<{ value: Uint8Array }>(name, 'bytes')
  await waits
  const mine = Buffer.from('abc')
  end(mine)
  await loaded
  mine.fill(0)
  t.is(Buffer.from((await result).value).toString(), 'abc')
  t.is(cache.get('key')?.toString(), 'abc')
  cache.close()
})
