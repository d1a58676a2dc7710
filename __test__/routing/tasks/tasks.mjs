// What the workers of the tests' pools do.
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { isMainThread } from 'node:worker_threads'
import { transfer } from 'breakwater/routing'

const perKey = new Map()

export default async function work(task, context) {
  const { key, worker } = context
  const times = (perKey.get(key) ?? 0) + 1
  perKey.set(key, times)
  if (task.do === 'echo') return { value: task.value, key, worker, times, isMainThread }
  if (task.do === 'die') process.exit(3)
  if (task.do === 'crash') setImmediate(() => Promise.reject(new Error('nobody catches this')))
  if (task.do === 'throw') throw Object.assign(new RangeError('too far'), { code: 'E_FAR', key })
  if (task.do === 'spin') for (;;);
  if (task.do === 'buffer') {
    const bytes = task.value
    bytes.fill(7)
    return transfer(bytes, [bytes.buffer])
  }
  if (task.do === 'data') return context.data
  if (task.do === 'wait') await opened(new Int32Array(task.gate))
  if (task.do === 'abort') await aborted(context.signal, new Int32Array(task.seen))
  if (task.do === 'crash') await pause(600_000)
  return worker
}

/** Waits until a test opens a gate. */
async function opened(gate) {
  while (Atomics.load(gate, 0) === 0) await pause(1)
}

async function aborted(signal, seen) {
  if (!signal.aborted) await once(signal, 'abort')
  Atomics.store(seen, 0, 1)
}

export function close() {
  // Told to whoever listens to the process, as a real module would close its clients.
  process.stdout.write('')
}
