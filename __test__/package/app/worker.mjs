// Reads what the main thread stored, and stores something for it.
import { parentPort, workerData } from 'node:worker_threads'
import { Cache } from 'breakwater'

const users = Cache.attach(workerData)
users.set('2', { name: 'Bob' })
parentPort.postMessage(users.get('1').name)
parentPort.on('message', rounds => {
  for (let n = 1; n <= rounds; n++) {
    for (let turn = 0; turn < 10_000; turn++) users.peek('1')
    users.set('round', { n })
  }
})
