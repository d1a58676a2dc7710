// Runs functions in worker threads of this process, against the sources.
import { once } from 'node:events'
import { type MessagePort, Worker } from 'node:worker_threads'
import type * as breakwater from '../../src/index.ts'
import type { LRUCache } from '../../src/lru-cache/index.ts'
import type * as native from '../../src/native/native.ts'

/** What a function that runs in a worker is given. */
export interface Inside<D> {
  breakwater: typeof breakwater
  LRUCache: typeof LRUCache
  /** What the facade stands on. */
  native: typeof native
  port: MessagePort
  data: D
}

/** Starts a worker that runs `body`, which must not refer to anything around it. */
export function start<D>(body: (inside: Inside<D>) => unknown, data?: D): Worker {
  return new Worker(new URL('worker-main.mjs', import.meta.url), {
    workerData: { body: body.toString(), data },
    execArgv: [],
  })
}

/** Runs `body` in a worker and gives what it returns, when the worker has ended. */
export async function inWorker<D, R>(
  body: (inside: Inside<D>) => R,
  data?: D,
): Promise<Awaited<R>> {
  const worker = start(body, data)
  const result = once(worker, 'message')
  const end = once(worker, 'exit')
  const [message] = await result
  await end
  if ('error' in message) throw message.error
  return message.value
}
