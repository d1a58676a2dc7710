// Loaded before a program and its workers: at SIGUSR2 the first of its threads ends, or the process of a
// worker itself, in the way that the environment variable CRASH says; by `fault` a thread tells of one.
import { BroadcastChannel, isMainThread, parentPort, threadId } from 'node:worker_threads'
import { atSignal } from './at-signal.mjs'

const channel = new BroadcastChannel('crash')
channel.unref()

atSignal(([first]) => {
  if (process.env.CRASH === 'terminate') first?.terminate()
  else channel.postMessage(first?.threadId)
})

if (!isMainThread) channel.onmessage = ({ data }) => data === threadId && crash('a thread')
else if (process.send !== undefined) process.on('SIGUSR2', () => crash('a process'))

function crash(what) {
  if (process.env.CRASH === 'exit') process.exit(3)
  // As a thread tells of a bug that has cost a client its connection.
  if (process.env.CRASH === 'fault') {
    return parentPort.postMessage({ kind: 'fault', fault: { cost: 0, why: 'a bug on purpose' } })
  }
  const fail = () => {
    throw new Error(`${what} fails on purpose`)
  }
  if (process.env.CRASH === 'reject') Promise.reject(new Error('a promise fails on purpose'))
  else setImmediate(fail)
}
