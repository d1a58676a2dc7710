// How long a node waits before it replaces a thread that failed: not at all at first, longer each time that
// threads go on failing, and half a second at the most. The pauses are cut short here, and written down.
import type { Worker } from 'node:worker_threads'
import test from 'ava'

/** Twice as long each time. */
const PAUSES = [0, 25, 50, 100, 200, 400, 500, 500]

/** What the node has waited for, up to half a second; longer times are no pauses. */
const pauses: number[] = []
const { setTimeout: later } = globalThis
const clock = performance.now.bind(performance)
globalThis.setTimeout = ((f: () => void, ms = 0) => {
  if (ms > 500) return later(f, ms)
  pauses.push(ms)
  return later(f, 0)
}) as typeof setTimeout
// However long a thread takes to start, it fails soon after the last one.
performance.now = () => clock() / 1000
const { createRouter } = await import('breakwater/router')
globalThis.setTimeout = later
performance.now = clock

test('threads that go on failing are replaced after half a second at the most', async t => {
  t.timeout(180_000)
  const workers: Worker[] = []
  const note = (worker: Worker) => void workers.push(worker)
  process.on('worker', note)
  const router = createRouter({ threads: 1, maxBytes: '16mb' })
  t.teardown(async () => {
    process.off('worker', note)
    await router.close()
  })
  await router.listen({ port: 0 })
  for (let failures = 1; failures <= PAUSES.length; failures++) {
    await workers.at(-1)!.terminate()
    while (workers.length === failures || !router.isReady) {
      await new Promise(resolve => later(resolve, 5))
    }
    t.is(router.stats().replaced, failures)
    const seen = pauses.filter(ms => PAUSES.includes(ms))
    t.deepEqual(seen, PAUSES.slice(0, failures))
  }
})
