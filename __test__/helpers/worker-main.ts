// The far side of `start`: runs the function whose source was sent.
import { parentPort, workerData } from 'node:worker_threads'
import * as breakwater from '../../src/index.ts'

const { body, data } = workerData as { body: string; data: unknown }
const port = parentPort
if (port === null) throw new Error('this file runs in a worker')

// The compiler wraps functions in calls of this helper, to keep their names.
const run = new Function('__name', `return (${body})`)((f: unknown) => f)
try {
  port.postMessage({ value: await run({ breakwater, port, data }) })
} catch (error) {
  port.postMessage({ error })
}
