// Loaded before a program and its worker threads: at SIGUSR2 one of its threads ends, the first that
// began, in the way that the environment variable CRASH says.
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads'

const channel = new BroadcastChannel('crash')
channel.unref()

if (isMainThread) {
  const workers = new Set()
  process.on('worker', worker => {
    workers.add(worker)
    worker.once('exit', () => workers.delete(worker))
  })
  process.on('SIGUSR2', () => {
    const [first] = workers
    if (process.env.CRASH === 'terminate') first?.terminate()
    else channel.postMessage(first?.threadId)
  })
} else {
  channel.onmessage = ({ data }) => {
    if (data !== threadId) return
    if (process.env.CRASH === 'exit') process.exit(3)
    const fail = () => {
      throw new Error('a thread fails on purpose')
    }
    if (process.env.CRASH === 'reject') Promise.reject(new Error('a promise fails on purpose'))
    else setImmediate(fail)
  }
}
