/**
 * CPU of the server an operation, from /proc, under redis-benchmark: the node against redis-server,
 * and in front of it against twemproxy. Rounds of all sides alternate; the medians are compared.
 * Then what the store is spared of hot reads, reads of a store that is far away, how late a timer is on
 * a loaded thread, what several stores cost instead of one, how a hot key is spread over them, and what
 * users and their rules cost.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../scripts/free-port.mjs'
import { cpu } from './lib/cpu.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { distant } from './router/distant.ts'
import { hot } from './router/hot.ts'
import { policy } from './router/policy.ts'
import { spread } from './router/spread.ts'
import { severalStores } from './router/stores.ts'
import { timer } from './router/timer.ts'

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
/** Different keys; their values have 64 bytes. */
const KEYS = 10_000
/** What is remembered stays: a hit that has run out is a miss. */
const LASTING = ['--route', '*,ttl=1h'] as const
/** Clients that reconnect. */
const RECONNECTS = 5000

const LOADS = [
  { name: '50 clients', clients: 50, pipeline: 1, requests: 40_000 },
  { name: 'pipeline 16', clients: 50, pipeline: 16, requests: 320_000 },
  { name: '1,000 clients', clients: 1000, pipeline: 1, requests: 40_000 },
] as const
type Load = (typeof LOADS)[number]

/** A server that is measured. */
interface Side {
  name: string
  port: number
  pid: number
  secure: boolean
}

/** What each is compared with: the peer that it would replace. */
const PEERS: Record<string, string> = {
  node: 'redis-server',
  'node, cached hits': 'redis-server',
  'node, forwarded misses': 'twemproxy',
  'node, TLS': 'redis-server, TLS',
  'node, cached hits, TLS': 'redis-server, TLS',
}

/** Runs it and returns its figures. */
export async function router(options: { rounds: number }): Promise<Row[]> {
  const lab = new Lab()
  try {
    const { sides, stores } = await lab.open()
    const rows: Row[] = []
    for (const load of LOADS) {
      const figures = new Map(sides.map(side => [side, [] as number[]]))
      for (let round = 0; round < options.rounds; round++) {
        for (const side of sides) figures.get(side)!.push(await lab.cost(side, load))
      }
      for (const [{ name }, list] of figures) {
        const row = { bench: 'router', what: load.name, entries: KEYS, unit: 'us' }
        rows.push({ ...row, side: name, value: median(list) })
      }
    }
    for (const row of rows) {
      const peer = rows.find(({ what, side }) => what === row.what && side === PEERS[row.side])
      if (peer !== undefined) row.ratio = peer.value / row.value
    }
    show(rows, sides)
    rows.push(...(await reconnecting(lab, stores)))
    lab.close()
    return [
      ...rows,
      ...(await hot()),
      ...(await distant()),
      ...(await timer()),
      ...(await severalStores(options)),
      ...(await spread()),
      ...(await policy(options)),
    ]
  } finally {
    lab.close()
  }
}

function show(rows: Row[], sides: Side[]): void {
  console.log('\nrouter: CPU of the server an operation, us, GET of 64 bytes; peer/ours')
  const cell = (side: string, load: Load) => {
    const row = rows.find(({ what, side: other }) => what === load.name && side === other)
    return row === undefined ? '' : `${row.value.toFixed(2)} ${times(row.ratio).padStart(6)}`
  }
  table([
    ['', ...LOADS.map(({ name }) => name)],
    ...sides.map(({ name }) => [name, ...LOADS.map(load => cell(name, load))]),
  ])
}

/** CPU of a store whose clients reconnect by TLS, directly and through a node. */
async function reconnecting(lab: Lab, stores: Stores): Promise<Row[]> {
  const { store, direct, through } = stores
  const spent: number[] = []
  for (const side of [direct, through]) {
    const before = cpu(store)
    await lab.run(side, ['-k', '0', '-c', '50', '-n', `${RECONNECTS}`, 'get', 'key:000000000001'])
    spent.push((cpu(store) - before) / 1000)
  }
  const [alone, behind] = spent as [number, number]
  console.log(
    `\nrouter: CPU of the store while ${RECONNECTS} clients reconnect by TLS: ` +
      `${alone.toFixed(0)} ms directly, ${behind.toFixed(0)} ms behind a node`,
  )
  const row = { bench: 'router', what: 'clients reconnect by TLS', entries: KEYS, unit: 'ms' }
  return [
    { ...row, side: 'store, directly', value: alone },
    { ...row, side: 'store, behind a node', value: behind, ratio: alone / Math.max(behind, 1) },
  ]
}

/** The store that is reached both ways. */
interface Stores {
  store: number
  direct: Side
  through: Side
}

/** All servers, and the folder of their files. */
class Lab {
  readonly #dir = mkdtempSync(join(tmpdir(), 'breakwater-router-'))
  readonly #processes: ChildProcess[] = []
  readonly #cert = join(this.#dir, 'cert.pem')
  readonly #key = join(this.#dir, 'key.pem')

  async open(): Promise<{ sides: Side[]; stores: Stores }> {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const out = ['-keyout', this.#key, '-out', this.#cert, '-days', '2', '-subj', '/CN=localhost']
    const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    execFileSync('openssl', ['req', '-x509', ...key, ...out, ...names], { stdio: 'ignore' })
    const [plain, tls] = [await freePort(), await freePort()]
    const files = ['--tls-cert-file', this.#cert, '--tls-key-file', this.#key]
    const secure = ['--tls-port', `${tls}`, ...files, '--tls-auth-clients', 'no']
    const own = ['--port', `${plain}`, '--save', '', '--dir', this.#dir, '--maxclients', '12000']
    const ready = /Ready to accept/
    const ca = ['--tls-ca-cert-file', this.#cert]
    const { pid } = await this.#start('redis-server', [...own, ...secure, ...ca], ready)
    const redis: Side = { name: 'redis-server', port: plain, pid, secure: false }
    const sides = [
      redis,
      await this.#node('node'),
      await this.#node('node, cached hits', '--store', `redis://127.0.0.1:${plain}`, ...LASTING),
      ...(await this.#twemproxy(plain)),
      await this.#node(
        'node, forwarded misses',
        ...['--store', `redis://127.0.0.1:${plain}`, '--route', '*,mode=off'],
      ),
      { ...redis, name: 'redis-server, TLS', port: tls, secure: true },
      await this.#node('node, TLS', ...this.#files()),
      await this.#node(
        'node, cached hits, TLS',
        ...['--store', `redis://127.0.0.1:${plain}`, ...LASTING, ...this.#files()],
      ),
    ]
    const fill = [
      '-c',
      '50',
      '-P',
      '32',
      '-n',
      `${KEYS * 12}`,
      '-r',
      `${KEYS}`,
      '-d',
      '64',
      '-t',
      'set',
    ]
    const warm = ['-c', '50', '-P', '32', '-n', `${KEYS * 12}`, '-r', `${KEYS}`, '-t', 'get']
    for (const side of sides) await this.run(side, fill)
    for (const side of sides) await this.run(side, warm)
    const direct = sides.find(({ name }) => name === 'redis-server, TLS')!
    const through = sides.find(({ name }) => name === 'node, cached hits, TLS')!
    return { sides, stores: { store: pid, direct, through } }
  }

  /** Microseconds of a server's CPU for each request. */
  async cost(side: Side, { clients, pipeline, requests }: Load): Promise<number> {
    const before = cpu(side.pid)
    const load = ['-c', `${clients}`, '-P', `${pipeline}`, '-n', `${requests}`]
    await this.run(side, [...load, '-r', `${KEYS}`, '-t', 'get'])
    return (cpu(side.pid) - before) / requests
  }

  /** Runs redis-benchmark to its end. */
  async run({ port, secure }: Side, args: string[]): Promise<void> {
    const tls = secure ? ['--tls', '--cacert', this.#cert] : []
    const load = spawn('redis-benchmark', ['-p', `${port}`, ...tls, '-q', ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let errors = ''
    load.stderr.on('data', text => {
      errors += text
    })
    const [code] = await once(load, 'close')
    if (code !== 0) throw new Error(`redis-benchmark ended with ${code}: ${errors}`)
  }

  close(): void {
    for (const process of this.#processes) process.kill('SIGKILL')
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #files(): string[] {
    return ['--tls-cert', this.#cert, '--tls-key', this.#key]
  }

  async #node(name: string, ...flags: string[]): Promise<Side> {
    const own = [CLI, 'serve', '--port', '0', '--threads', '1', '--max-bytes', '256mb', ...flags]
    const started = await this.#start(process.execPath, own, /listens on \S+:(\d+)/)
    const secure = flags.includes('--tls-cert')
    return { name, port: Number(started.match[1]), pid: started.pid, secure }
  }

  /** Debian's nutcracker, if it is installed. */
  async #twemproxy(store: number): Promise<Side[]> {
    try {
      execFileSync('nutcracker', ['--version'], { stdio: 'ignore' })
    } catch {
      console.warn('nutcracker is not installed: twemproxy is not measured')
      return []
    }
    const [port, file] = [await freePort(), join(this.#dir, 'nutcracker.yml')]
    const lines = ['pool:', `  listen: 127.0.0.1:${port}`, '  redis: true', '  servers:']
    writeFileSync(file, `${[...lines, `   - 127.0.0.1:${store}:1`].join('\n')}\n`)
    const stats = await freePort()
    const child = spawn('nutcracker', ['-c', file, '-s', `${stats}`], { stdio: 'ignore' })
    this.#processes.push(child)
    // It says nothing: it is ready when it accepts.
    while (!(await accepts(port))) await sleep(20)
    return [{ name: 'twemproxy', port, pid: child.pid!, secure: false }]
  }

  async #start(program: string, args: string[], ready: RegExp) {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#processes.push(child)
    let text = ''
    const match = await new Promise<RegExpExecArray>((resolve, reject) => {
      const hear = (chunk: Buffer) => {
        text += chunk
        const match = ready.exec(text)
        if (match !== null) resolve(match)
      }
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`${program} ended with ${code}: ${text}`)))
    })
    return { match, pid: child.pid! }
  }
}

/** Whether somebody accepts at a port. */
function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
