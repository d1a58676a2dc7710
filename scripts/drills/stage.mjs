// What drills share: a node, servers of Redis, clients, and an eye on the node's counts.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createAdmin } from 'breakwater/admin'
import { createRouter } from 'breakwater/router'
import { Redis } from 'ioredis'
import { freePort } from '../free-port.mjs'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const run = promisify(execFile)

/** How long a cure may take to be seen, in milliseconds. */
const WITHIN = 60_000

/** What a drill is played on; gone when it is closed. */
export class Stage {
  #name
  #ends = []
  #folder

  constructor(name) {
    this.#name = name
  }

  /** Tells one step. */
  say(what, words) {
    console.log(`${this.#name.padEnd(12)} ${what.padEnd(9)} ${words}`)
  }

  /** A folder for files. */
  get folder() {
    if (this.#folder === undefined) {
      const folder = mkdtempSync(join(tmpdir(), 'breakwater-drill-'))
      this.#folder = folder
      this.#ends.push(() => rmSync(folder, { recursive: true, force: true }))
    }
    return this.#folder
  }

  /** Leaves something to do at the end. */
  atEnd(end) {
    this.#ends.push(end)
  }

  /** Starts a redis-server; the same port has it started again there. */
  async redis(port) {
    const at = port ?? (await freePort())
    const options = ['--port', `${at}`, '--bind', '127.0.0.1', '--save', '', '--dir', this.folder]
    const server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.atEnd(() => server.kill('SIGKILL'))
    let text = ''
    server.stdout.on('data', chunk => (text += chunk))
    server.once('error', error => (text += error))
    await until(() => {
      if (/Error|Failed/i.test(text)) throw new Error(`redis-server: ${text}`)
      return /Ready to accept connections/.test(text)
    }, 'redis-server starts')
    const kill = async () => {
      const exited = once(server, 'exit')
      server.kill('SIGKILL')
      await exited
    }
    return { port: at, url: `redis://127.0.0.1:${at}`, kill }
  }

  /** Starts a node, which tells by `breakwater status` where it stands: in words, and as JSON. */
  async node(options) {
    const router = createRouter({ threads: 1, maxBytes: '32mb', ...options })
    const admin = createAdmin(router, { listen: `unix:${join(this.folder, 'admin.sock')}` })
    this.atEnd(() => router.close())
    this.atEnd(() => admin.close())
    const { port } = await router.listen({ port: 0 })
    const address = await admin.listen()
    const asked = (...flags) => run(process.execPath, [CLI, 'status', '--admin', address, ...flags])
    const words = async () => (await asked()).stdout
    const status = async () => JSON.parse((await asked('--json')).stdout)
    const reload = changes =>
      router.reload({ threads: 1, maxBytes: '32mb', ...options, ...changes })
    return { router, port, reload, words, status }
  }

  /** A client of a port. */
  client(port, options = {}) {
    const client = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: null, ...options })
    client.on('error', () => {})
    this.atEnd(() => client.disconnect())
    return client
  }

  async close() {
    for (const end of this.#ends.reverse()) await end()
  }
}

/** Waits until something holds. */
export async function until(holds, what) {
  const end = performance.now() + WITHIN
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`it did not come to be that ${what}`)
    await sleep(10)
  }
}

/** Fails unless something holds. */
export function check(holds, what) {
  if (!holds) throw new Error(`it is not so that ${what}`)
}
