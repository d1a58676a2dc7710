// How long it takes until a worker serves in the place of one that has failed: from the signal that kills it
// to the first reply that a new client gets. There is one worker, so that nobody else answers.
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A worker that fails so long after the last one is replaced at once, in milliseconds. */
const CALM = 10_500

/** So many times, one after the other, in milliseconds. */
export async function replacements(field, count) {
  const all = []
  for (let at = 0; at < count; at++) {
    if (at > 0) await sleep(CALM)
    all.push(await replacement(field))
  }
  return all
}

async function replacement(field) {
  const witness = await asked(field.port)
  const gone = once(witness, 'close')
  const { first, workers } = await field.processes()
  const start = performance.now()
  // Threads cannot be killed from outside: one fails by an exception.
  if (workers.length === 0) process.kill(first, 'SIGUSR2')
  else process.kill(workers[0], 'SIGKILL')
  await gone
  const next = await asked(field.port)
  const took = performance.now() - start
  next.destroy()
  return took
}

/** A client that has had a reply. */
async function asked(port) {
  const socket = createConnection({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  socket.write('PING\r\n')
  const [reply] = await once(socket, 'data')
  if (`${reply}` !== '+PONG\r\n') throw new Error(`PING gave ${reply}`)
  return socket
}

/** The one in the middle. */
export function medianOf(numbers) {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1]
}
