// Loaded into a node and its workers: a worker fails at SIGUSR2 by an exception, and the first process
// tells which timers it has.
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads'

const channel = new BroadcastChannel('faults')
channel.unref()
const fail = () =>
  setImmediate(() => {
    throw new Error('a worker fails on purpose')
  })

if (!isMainThread) {
  channel.onmessage = ({ data }) => data === threadId && fail()
} else if (process.env.FAULTS_FIRST === undefined) {
  process.on('SIGUSR2', fail)
} else {
  delete process.env.FAULTS_FIRST
  const threads = new Set()
  process.on('worker', worker => {
    const { threadId } = worker
    threads.add(threadId)
    worker.once('exit', () => threads.delete(threadId))
  })
  process.on('SIGUSR2', () => channel.postMessage([...threads][0]))
  process.on('message', () => {
    const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
    process.send({ timers })
  })
  process.channel?.unref()
}
