// A store with one value, which it is slow to give. It shares with its starter how many ask for the
// value at once, the most that ever did, and how often it was asked for.
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'

const [NOW, MOST, ALL] = [0, 1, 2]
const seen = new Int32Array(workerData)

async function answer(name) {
  if (name === 'hello') return '%0\r\n'
  if (name === 'pttl') return ':-1\r\n'
  if (name !== 'get') return '+OK\r\n'
  seen[MOST] = Math.max(seen[MOST], Atomics.add(seen, NOW, 1) + 1)
  Atomics.add(seen, ALL, 1)
  await sleep(5)
  Atomics.sub(seen, NOW, 1)
  return '$5\r\nvalue\r\n'
}

/** Where the request ends that text begins with, -1 if it is not all there; its words are short. */
function end(text) {
  const words = Number(/^\*(\d+)\r\n/.exec(text)?.[1] ?? 0)
  let at = text.indexOf('\r\n') + 2
  for (let line = 0; line < words * 2 && at > 1; line++) at = text.indexOf('\r\n', at) + 2
  return words > 0 && at > 1 ? at : -1
}

const server = createServer(socket => {
  let [text, last] = ['', Promise.resolve()]
  socket.on('error', () => {})
  socket.on('data', chunk => {
    text += chunk
    for (let at = end(text); at > 0; at = end(text)) {
      const name = text.split('\r\n')[2].toLowerCase()
      text = text.slice(at)
      // Replies leave in the order of their requests.
      last = last.then(async () => void socket.write(await answer(name)))
    }
  })
})
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
