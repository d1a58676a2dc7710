import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { Cache } from '../../src/index.ts'

const WORKERS = 200
const AT_ONCE = 4

test('200 workers that are terminated in the middle of operations leave no trace', async t => {
  t.timeout(240_000)
  const options = { name: 'stress', maxBytes: '8mb', ttl: 50, codec: 'string' } as const
  const cache = new Cache<string, string>(options)
  let heard = 0
  cache.onRemoval(() => heard++)
  let left = WORKERS
  const lane = async () => {
    while (left-- > 0) {
      const worker = new Worker(new URL('../helpers/stress-worker.mjs', import.meta.url))
      await once(worker, 'message')
      // Some are stopped at once, others have got going.
      if (left % 2 === 0) await new Promise(setImmediate)
      await worker.terminate()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  t.true(cache.bytes <= 8 * 1024 * 1024)
  cache.set('still', 'works', { ttl: '1h' })
  t.is(cache.get('still'), 'works')
  for (const [key, value] of cache) t.true(key === 'still' || /^v*$/.test(value))
  cache.clear()
  t.is(cache.size, 0)
  t.true(heard > 0)
  // Nobody else has the cache any more: closing it here lets go of the name.
  cache.close()
  const anew = new Cache({ name: 'stress', max: 1 })
  t.is(anew.size, 0)
})
