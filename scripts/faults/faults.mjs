// The faults, each of which is played for so many milliseconds while clients ask. What one leaves behind it
// mends in the end. `quiet` ones disturb nobody: no client gets an error or loses its connection. Those that
// `drain` disturb nobody but by closing connections, over which all is answered that was received.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { canSetClocks } from './clock.mjs'

/** How long something lasts that is done again and again. */
async function repeat(ms, pause, act) {
  for (const end = performance.now() + ms; performance.now() < end; ) {
    await act()
    await sleep(pause)
  }
}

/** Waits until something holds. */
async function until(holds) {
  for (const end = performance.now() + 30_000; !(await holds()); await sleep(10)) {
    if (performance.now() > end) throw new Error('it did not come to be so within 30 s')
  }
}

/** Whether others serve in the place of a process. */
const isReplaced = ({ processes, wanted }, pid) =>
  processes.length === wanted && !processes.includes(pid)

/** Connections that belong to no client of the load, open while something is done. */
async function withSockets(port, count, opened, act) {
  const sockets = Array.from({ length: count }, () => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.once('connect', () => opened(socket))
    return socket
  })
  try {
    await act()
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

/** Spoils what the store says. */
const spoilt = way => async (field, ms) => {
  field.proxy.spoil(way)
  await sleep(ms)
  field.proxy.spoil('none')
  // What was garbled may still be on its way.
  if (way === 'garbage') field.proxy.cut()
}

export const CLOCK = 'clock set back and forth'

/** Those that cannot be played here, and why. */
export const missing = canSetClocks ? {} : { [CLOCK]: 'libfaketime is not installed' }

export const faults = {
  'store killed': field => field.killStore(),
  async 'store paused'(field, ms) {
    field.store.signal('SIGSTOP')
    await sleep(ms)
    field.store.signal('SIGCONT')
  },
  'store slow': spoilt('slow'),
  'store cuts half its replies': spoilt('halves'),
  'store says garbage': spoilt('garbage'),
  'store fails over': field => field.failover(),
  async 'worker fails by an exception'(field) {
    const { first, workers } = await field.processes()
    process.kill(workers[0] ?? first, 'SIGUSR2')
    await sleep(100)
  },
  async 'workers killed'(field) {
    // Threads cannot be killed from outside.
    for (const pid of (await field.processes()).workers) {
      process.kill(pid, 'SIGKILL')
      await until(async () => isReplaced((await field.status()).workers, pid))
    }
  },
  async 'token revoked'(field) {
    const stolen = field.token
    const thief = await field.enter(stolen)
    field.newToken()
    await field.reload()
    await until(() => thief.socket.closed)
    const again = await field.enter(stolen)
    again.socket.destroy()
    if (!/^-WRONGPASS/.test(again.reply)) throw new Error(`a revoked token gave ${again.reply}`)
  },
  'reload again and again': {
    quiet: true,
    async play(field, ms) {
      let at = 0
      await repeat(ms, Math.min(1000, ms / 4), () =>
        field.reload({ maxClients: 5000 + (at++ % 2), routes: [`*,ttl=${3 + (at % 3)}s`] }),
      )
      await field.reload({})
    },
  },
  'twenty reloads': {
    quiet: true,
    async play(field) {
      for (let at = 1; at <= 20; at++) {
        field.rotate()
        await field.reload({
          maxClients: 5000 + at,
          maxBytes: `${16 + at}mb`,
          slowReaderTimeout: at * 1e4,
        })
      }
      await field.reload({})
    },
  },
  'certificates rotated': {
    quiet: true,
    async play(field) {
      field.rotate()
      await field.reload()
    },
  },
  'rolling restart': { drains: true, play: field => field.restart() },
  'memory at the bound': {
    quiet: true,
    async play(field, ms) {
      await field.reload({ maxBytes: '2mb' })
      let at = 0
      const fill = socket => {
        socket.resume()
        const timer = setInterval(() => {
          const key = `big:${at++ % 200}`
          socket.write(`SET ${key} ${'x'.repeat(50_000)}\r\nGET ${key}\r\n`)
        }, 5)
        socket.once('close', () => clearInterval(timer))
      }
      await withSockets(field.port, 4, fill, () => sleep(ms))
      await field.reload({})
    },
  },
  'readers that never read': {
    quiet: true,
    async play(field, ms) {
      const greedy = socket => {
        socket.pause()
        for (let i = 0; i < 50; i++) socket.write('GET d:0\r\n'.repeat(20))
      }
      await withSockets(field.port, 20, greedy, () => sleep(ms))
    },
  },
  'clients say garbage': {
    quiet: true,
    async play(field, ms) {
      await repeat(ms, 20, () =>
        withSockets(
          field.port,
          5,
          socket => socket.end(randomBytes(2000)),
          () => sleep(20),
        ),
      )
    },
  },
  /** Tokens count for a day: an hour disturbs nobody. */
  [CLOCK]: {
    quiet: true,
    async play(field) {
      for (const hours of [1, -1, 0]) await field.setClock(hours * 3600)
    },
  },
  async 'no descriptors left'(field, ms) {
    const { first, workers } = await field.processes()
    const limit = (pid, most) => execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${most}:`])
    for (const pid of [first, ...workers]) {
      // A new one has the lowest number that is free: two of them are left.
      const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number))
      let free = 0
      while (taken.has(free)) free++
      limit(pid, free + 2)
    }
    const failing = async () => {
      // It is replaced once there are some again.
      process.kill(workers[0] ?? first, 'SIGUSR2')
      await sleep(ms)
    }
    await withSockets(field.port, 100, () => {}, failing)
    for (const pid of [first, ...workers]) if (existsSync(`/proc/${pid}`)) limit(pid, 4096)
    await until(async () => (await field.status()).workers.serving === 2)
  },
}
