// Does all that a cache can do, as fast as it can, until it is terminated. Runs the built package:
// a worker that has to compile its sources first takes a second to start.
import { parentPort as port } from 'node:worker_threads'
import { Cache } from 'breakwater'

const shared = new Cache({ name: 'stress' })
const own = new Cache({ max: 100 })
shared.onRemoval(() => {})
port.postMessage('busy')
for (let i = 0; ; i++) {
  const key = `key ${i % 5000}`
  shared.set(key, 'v'.repeat(i % 3000), { ttl: (i % 40) + 1, jitter: 0.1 })
  shared.get(key)
  own.set(key, 'v')
  if (i % 50 === 0) shared.deleteMany([key, 'nothing'])
  if (i % 100 === 0) shared.getMany([key, 'nothing'])
  if (i % 500 === 0) for (const _ of shared.keys()) break
  if (i % 5000 === 0) shared.clear()
}
