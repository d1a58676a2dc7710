// For programs that a signal is to cost a worker thread: SIGUSR2 tells which threads there are.
import { isMainThread } from 'node:worker_threads'

/** Has `end` called in the main thread with its worker threads, the oldest first, at each SIGUSR2. */
export function atSignal(end) {
  if (!isMainThread) return
  const workers = new Set()
  process.on('worker', worker => {
    workers.add(worker)
    worker.once('exit', () => workers.delete(worker))
  })
  process.on('SIGUSR2', () => end([...workers]))
}
