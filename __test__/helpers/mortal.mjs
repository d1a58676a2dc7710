// Loaded before a program: at SIGUSR2 one of its worker threads, by chance, is terminated.
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  const workers = new Set()
  process.on('worker', worker => {
    workers.add(worker)
    worker.once('exit', () => workers.delete(worker))
  })
  process.on('SIGUSR2', () => {
    const all = [...workers]
    all[Math.floor(Math.random() * all.length)]?.terminate()
  })
}
