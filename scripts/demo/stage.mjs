// What the demo is played on: stores, nodes and a fleet, each a process, all of which end with it.
import { fork, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { freePort } from '../free-port.mjs'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const FLEET = fileURLToPath(new URL('fleet.mjs', import.meta.url))
const STORES = 3
const NODES = 2
/** The bytes of a value. */
const VALUE = 200
/** How long a process may take to end in order, in milliseconds. */
const END_WITHIN = 2000

/** All processes of the demo. */
export class Stage {
  stores = []
  nodes = []
  isClosed = false
  #say
  #children = new Set()
  #fleet
  #folder = mkdtempSync(join(tmpdir(), 'breakwater-demo-'))
  #token = randomBytes(16).toString('hex')

  constructor(size, say) {
    this.size = size
    this.#say = say
    // Whatever ends this process ends the others.
    process.once('exit', () => this.#killAll())
  }

  /** Starts all of it. */
  async open() {
    writeFileSync(join(this.#folder, 'token'), this.#token, { mode: 0o600 })
    this.stores = await Promise.all(Array.from({ length: STORES }, () => this.#store()))
    this.nodes = await Promise.all(Array.from({ length: NODES }, () => this.#node()))
    this.#fleet = fork(FLEET, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#watch(this.#fleet)
    await this.fill()
  }

  /** Each store has every key: so it is the same data, whoever says where a key lives. */
  async fill(stores = this.stores) {
    const value = 'x'.repeat(VALUE)
    for (const { direct } of stores) {
      const pipeline = direct.pipeline()
      for (let at = 0; at < this.size.keys; at++) pipeline.set(`user:${at}`, value)
      await pipeline.set('front-page', value).exec()
    }
  }

  /** Where clients connect: to each of the stores, or to one of the nodes. */
  ways() {
    return {
      without: this.stores.map(({ port }) => port),
      with: this.nodes.map(({ port }) => port),
    }
  }

  /** Has the fleet do something; what it measured. */
  async fleet(order) {
    this.#fleet.send(order)
    const [told] = await once(this.#fleet, 'message')
    if (told.error !== undefined) throw new Error(told.error)
    return told
  }

  /** Plays the same without the nodes and with them. `measured` is what the stores did meanwhile. */
  async both(play) {
    const results = {}
    for (const [way, ports] of Object.entries(this.ways())) {
      await this.fleet({ do: 'leave' })
      await this.forget()
      results[way] = await play({ way, ports, isDirect: way === 'without' })
    }
    await this.fleet({ do: 'leave' })
    return results
  }

  /** Has both nodes forget what they have read. */
  async forget() {
    for (const node of this.nodes) await this.#ask(node, 'POST', '/flush')
  }

  /** What the stores do while something goes on: reads, connections and CPU time, of each and in all. */
  async storesDuring(play) {
    const before = await this.#counts()
    const result = await play()
    const after = await this.#counts()
    const grown = name => after.map((counts, at) => counts[name] - before[at][name])
    const all = name => grown(name).reduce((sum, count) => sum + count, 0)
    const reads = grown('reads')
    return {
      ...result,
      reads: all('reads'),
      most: Math.max(...reads),
      connections: all('connections'),
      cpu: all('cpu'),
    }
  }

  async #counts() {
    return Promise.all(
      this.stores.map(async ({ direct }) => {
        if (direct.status !== 'ready') return { reads: 0, connections: 0, cpu: 0 }
        const text = await direct.info()
        const found = pattern => Number(pattern.exec(text)?.[1] ?? 0)
        const stats = await direct.info('commandstats')
        return {
          reads: Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0),
          connections: found(/total_connections_received:(\d+)/),
          cpu: 1000 * (found(/used_cpu_user:([\d.]+)/) + found(/used_cpu_sys:([\d.]+)/)),
        }
      }),
    )
  }

  /** Kills a store. */
  async kill(at) {
    const store = this.stores[at]
    store.direct.disconnect()
    await ended(store.child, 'SIGKILL')
  }

  /** Starts it again, as it was filled; done when both nodes are connected to it. */
  async revive(at) {
    this.stores[at] = await this.#store(this.stores[at].port)
    await this.fill([this.stores[at]])
    for (const node of this.nodes) {
      while (!(await this.#ask(node, 'GET', '/status')).stats.upstream.every(isUp)) await sleep(50)
    }
  }

  /** Goes on until it is ended. */
  async run(words) {
    this.#say(words)
    const { clients, keys } = this.size
    const traffic = { clients: Math.min(clients, 50), keys, hot: 0.2, writes: 0.05, pace: 20 }
    while (!this.isClosed) {
      await this.fleet({ do: 'read', ports: this.ways().with, seconds: 5, ...traffic })
    }
  }

  async #store(given) {
    const port = given ?? (await freePort())
    const options = [
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--dir',
      this.#folder,
    ]
    const child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#watch(child)
    await said(child, /Ready to accept connections/)
    const direct = new Redis({ port, maxRetriesPerRequest: 0, retryStrategy: () => 100 })
    direct.on('error', () => {})
    await once(direct, 'ready')
    return { port, child, direct }
  }

  async #node() {
    const [port, adminPort] = [await freePort(), await freePort()]
    const admin = `127.0.0.1:${adminPort}`
    const stores = this.stores.flatMap(({ port }) => ['--store', `redis://127.0.0.1:${port}`])
    const flags = [
      ...['--port', `${port}`, '--threads', '1', '--max-bytes', '64mb', ...stores],
      ...['--route', 'user:*,ttl=1m,staleIfError=10m', '--route', '*,ttl=1m,staleIfError=10m'],
      ...['--admin', admin, '--admin-token-file', join(this.#folder, 'token')],
    ]
    const child = spawn(process.execPath, [CLI, 'serve', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    // That stores die is part of the play.
    createInterface({ input: child.stderr }).on('line', line => {
      if (!/ is down$/.test(line)) console.error(line)
    })
    this.#watch(child)
    await said(child, /listens on/)
    return { port, admin, child, dashboard: `http://${admin}/#token=${this.#token}` }
  }

  async #ask({ admin }, method, path) {
    const headers = { authorization: `Bearer ${this.#token}` }
    const reply = await fetch(`http://${admin}${path}`, { method, headers })
    if (!reply.ok) throw new Error(`a node answers ${path} with ${reply.status}`)
    return reply.json()
  }

  #watch(child) {
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    child.once('error', () => {})
  }

  #killAll() {
    for (const child of this.#children) child.kill('SIGKILL')
  }

  /** Ends all of it. */
  async close() {
    if (this.isClosed) return
    this.isClosed = true
    for (const { direct } of this.stores) direct.disconnect()
    await Promise.all([...this.#children].map(child => ended(child, 'SIGTERM')))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Ends a process; done when it has. */
async function ended(child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), END_WITHIN)
  await exited
  clearTimeout(timer)
}

/** Whether a store serves. */
const isUp = ({ state }) => state === 'up'

/** Done when a process has said so. */
function said(child, words) {
  let text = ''
  return new Promise((resolve, reject) => {
    child.stdout.on('data', chunk => {
      text += chunk
      if (words.test(text)) resolve()
    })
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`${child.spawnfile} ended with ${code}: ${text}`)))
  })
}
