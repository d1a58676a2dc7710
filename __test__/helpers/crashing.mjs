// Loaded before a program and its worker threads: at SIGUSR2 one of its threads ends, the first that
// began, in the way that the environment variable CRASH says.
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads'
import { atSignal } from './at-signal.mjs'

const channel = new BroadcastChannel('crash')
channel.unref()

atSignal(([first]) => {
  if (process.env.CRASH === 'terminate') first?.terminate()
  else channel.postMessage(first?.threadId)
})

if (!isMainThread) {
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
