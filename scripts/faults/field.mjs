// What faults are played on: a store with a replica, a proxy before it, and a node that is a process.
import { execFileSync, spawn } from 'node:child_process'
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../free-port.mjs'
import { clockOf, setClock } from './clock.mjs'
import { Closings } from './partings.mjs'
import { SpoilingProxy } from './proxy.mjs'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const WITHIN = new URL('./within.mjs', import.meta.url).href
/** As the image and the unit in `deploy` have it: large buffers go back to the system. */
const ALLOCATOR = { MALLOC_MMAP_THRESHOLD_: '1048576', MALLOC_TRIM_THRESHOLD_: '1048576' }
const encoded = part => Buffer.from(part).toString('base64url')

export class Field {
  folder = mkdtempSync(join(tmpdir(), 'breakwater-faults-'))
  /** Whether its clock is going to be set: looking at that costs each reading of a clock. */
  setsClock = false
  /** What it has said of connections. */
  closings = new Closings()
  #keys = generateKeyPairSync('ed25519')
  #revoked = []
  #issued
  #changes = {}
  #mode
  #deadline
  /** The servers that run. */
  #servers = new Set()

  /**
   * @param mode - what the workers of the node are.
   * @param deadline - how long a request waits for the store, in milliseconds.
   * @param changes - what is configured otherwise.
   */
  constructor(mode, deadline, changes = {}) {
    this.#changes = changes
    this.#mode = mode
    this.#deadline = deadline
  }

  async open() {
    this.store = await this.#redis('store')
    this.proxy = new SpoilingProxy(this.store.port)
    this.storePort = await this.proxy.listen()
    const keys = this.#keys.publicKey.export({ format: 'pem', type: 'spki' })
    writeFileSync(join(this.folder, 'keys.pem'), keys)
    this.rotate()
    this.newToken()
    this.#configure()
    await this.#start()
  }

  /** Writes a new certificate; a reload takes it. */
  rotate() {
    const [cert, key] = ['cert.pem', 'key.pem'].map(name => join(this.folder, name))
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const out = ['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost']
    execFileSync('openssl', ['req', '-x509', ...ec, ...out], { stdio: 'ignore' })
  }

  /** Revokes the token that clients have; a reload has it count. */
  newToken() {
    if (this.#issued !== undefined) this.#revoked.push(this.#issued)
    this.#issued = randomUUID()
    writeFileSync(join(this.folder, 'revoked.txt'), this.#revoked.join('\n'))
    const exp = Math.floor(Date.now() / 1000) + 86_400
    const claims = { sub: 'bearer', jti: this.#issued, exp }
    const signed = [{ alg: 'EdDSA' }, claims].map(part => encoded(JSON.stringify(part))).join('.')
    this.token = `${signed}.${encoded(sign(null, Buffer.from(signed), this.#keys.privateKey))}`
  }

  /** Has the node reload, with changes or with what its files hold now. */
  async reload(changes = this.#changes) {
    this.#changes = changes
    this.#configure()
    const { status, body } = await this.#ask('POST', '/reload')
    if (status !== 200) throw new Error(`a reload was refused: ${body}`)
  }

  /** Sets the wall clock of the node so many seconds ahead, or back; done when it has seen that. */
  async setClock(seconds) {
    await sleep(setClock(this.#clock, seconds))
  }

  get #clock() {
    return join(this.folder, 'clock')
  }

  async restart() {
    const { status, body } = await this.#ask('POST', '/restart')
    if (status !== 200) throw new Error(`a restart was refused: ${body}`)
  }

  /** Where the node stands, and what it has counted. */
  async status() {
    return JSON.parse((await this.#ask('GET', '/status')).body)
  }

  /** Kills the store, and starts it again with what it had on disk. */
  async killStore() {
    await this.store.kill()
    await sleep(300)
    // What took its place in a failover has its data by another name.
    this.store = await this.#redis(this.store.name, this.store.port)
  }

  /** Has a replica take the place of the store. */
  async failover() {
    const replica = await this.#redis(`replica-${randomUUID()}`)
    replica.tell('REPLICAOF', '127.0.0.1', `${this.store.port}`)
    while (!/master_link_status:up/.test(replica.tell('INFO', 'replication'))) await sleep(20)
    // What was acknowledged is on the replica: the rest is what clients have to expect.
    this.store.tell('CLIENT', 'PAUSE', '10000', 'WRITE')
    while (!hasAll(this.store.tell('INFO', 'replication'))) await sleep(20)
    await this.store.kill()
    // Nobody comes back to what the old one has written.
    remove(this.store.dir)
    replica.tell('REPLICAOF', 'NO', 'ONE')
    this.store = replica
    this.proxy.target = replica.port
    this.proxy.cut()
  }

  /** A connection that shows a token, and what it is answered. */
  async enter(token) {
    const socket = createConnection({ port: this.port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.write(`AUTH bearer ${token}\r\n`)
    const [reply] = await once(socket, 'data')
    return { socket, reply: `${reply}` }
  }

  /** The processes of the node: the first, and its workers if they are processes. */
  async processes() {
    const { workers } = await this.status()
    return { first: this.node.pid, workers: workers.processes }
  }

  /** Memory in KB, descriptors and timers of all its processes. */
  async taken() {
    const { first, workers } = await this.processes()
    const of = pid => ({
      memory: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]),
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
    })
    const all = [first, ...workers].map(of)
    this.node.send('timers')
    const [{ timers }] = await once(this.node, 'message')
    const sum = what => all.reduce((sum, each) => sum + each[what], 0)
    return { memory: sum('memory'), descriptors: sum('descriptors'), timers }
  }

  async close() {
    if (this.node?.exitCode === null) {
      const exited = once(this.node, 'exit')
      this.node.kill('SIGTERM')
      await exited
    }
    this.proxy?.close()
    // A replica among them, if a failover has come to nothing.
    await Promise.all(Array.from(this.#servers, server => server.kill()))
    remove(this.folder)
    return this.node?.exitCode
  }

  #configure() {
    const at = name => join(this.folder, name)
    const config = {
      mode: this.#mode,
      workers: 2,
      store: `redis://127.0.0.1:${this.storePort}`,
      storeTimeout: this.#deadline,
      maxBytes: '32mb',
      routes: ['*,ttl=5s,jitter=0.2'],
      users: [{ name: 'default', permissions: ['all'] }],
      tokens: { keys: [at('keys.pem')], revoked: at('revoked.txt'), acl: '~* &* +@all' },
      tls: { cert: at('cert.pem'), key: at('key.pem') },
      // As long as a reply may take: a worker that ends waits for it.
      drain: { over: 0, within: this.#deadline },
      listen: { port: 0, tlsPort: 0 },
      admin: { listen: `unix:${at('admin.sock')}` },
      logFormat: 'json',
      logConnections: true,
      ...this.#changes,
    }
    writeFileSync(at('config.json'), JSON.stringify(config))
  }

  async #start() {
    const args = ['--import', WITHIN, CLI, 'serve', '--config', join(this.folder, 'config.json')]
    const stdio = ['ignore', 'pipe', 'pipe', 'ipc']
    const clock = this.setsClock ? clockOf(this.#clock) : {}
    const env = { ...process.env, ...ALLOCATOR, ...clock, FAULTS_FIRST: '1' }
    this.node = spawn(process.execPath, args, { stdio, env })
    this.said = ''
    const ports = new Promise(resolve => this.#listen(resolve))
    const ended = once(this.node, 'exit').then(() => {
      throw new Error(`the node did not start: ${this.said}`)
    })
    const [port, tlsPort] = await Promise.race([ports, ended])
    ended.catch(() => {})
    Object.assign(this, { port, tlsPort })
  }

  /** Hears what the node says: `listens` the ports where it does. */
  #listen(listens) {
    for (const stream of [this.node.stdout, this.node.stderr]) {
      createInterface({ input: stream }).on('line', line => {
        const event = line.startsWith('{') ? JSON.parse(line) : {}
        if (this.closings.take(event)) return
        this.said = `${this.said}${line}\n`.slice(-100_000)
        if (event.event !== 'listening') return
        listens(event.addresses.map(address => Number(/:(\d+)\b/.exec(address)[1])))
      })
    }
  }

  #ask(method, path) {
    return new Promise((resolve, reject) => {
      const options = { socketPath: join(this.folder, 'admin.sock'), method, path, agent: false }
      const asked = request(options, response => {
        let body = ''
        response.on('data', chunk => (body += chunk))
        response.on('end', () => resolve({ status: response.statusCode, body }))
      })
      asked.on('error', reject)
      asked.end()
    })
  }

  /** A server that has written, to the system at least, what it has acknowledged. */
  async #redis(name, port) {
    const at = port ?? (await freePort())
    const dir = port ? this.store.dir : mkdtempSync(join(this.folder, 'redis-'))
    const disk = ['--appendonly', 'yes', '--appenddirname', name, '--dir', dir]
    const plain = [
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--repl-diskless-sync-delay',
      '0',
      '--appendfsync',
      'no',
    ]
    const args = ['--port', `${at}`, ...plain, ...disk]
    const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    server.stdout.on('data', chunk => (text = (text + chunk).slice(-10_000)))
    while (!/Ready to accept connections/.test(text)) {
      if (server.exitCode !== null) throw new Error(`redis-server: ${text}`)
      await sleep(20)
    }
    const kill = async () => {
      this.#servers.delete(own)
      const exited = once(server, 'exit')
      if (server.kill('SIGKILL')) await exited
    }
    const tell = (...words) =>
      execFileSync('redis-cli', ['-p', `${at}`, ...words], { encoding: 'utf8' })
    const own = { port: at, dir, name, kill, tell, signal: s => server.kill(s) }
    this.#servers.add(own)
    return own
  }
}

/** Removes a folder, also if a process that was killed still writes into it. */
function remove(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
}

/** Whether the replica of a server has all that it has. */
function hasAll(info) {
  const offset = /master_repl_offset:(\d+)/.exec(info)?.[1]
  return offset !== undefined && offset === /^slave0:.*offset=(\d+)/m.exec(info)?.[1]
}
