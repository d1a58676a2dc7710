// The far side of `start`: runs the function whose source was sent. Not TypeScript, since it is
// what makes TypeScript work in the worker.
import { parentPort as port, workerData } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

register()
const breakwater = await import('../../src/index.ts')
const native = await import('../../src/native/native.ts')
const { LRUCache } = await import('../../src/lru-cache/index.ts')
await import('../../src/lru-cache/shared/index.ts')

const { body, data } = workerData
// The compiler wraps functions in calls of this helper, to keep their names.
const run = new Function('__name', `return (${body})`)(f => f)
try {
  port.postMessage({ value: await run({ breakwater, native, LRUCache, port, data }) })
} catch (error) {
  port.postMessage({ error })
}
