// What the tests of the invalidation channel share: servers, clients of both libraries, and a cache's
// side of the channel that keeps what it is told.
import { execFile, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import { freePort } from '../../scripts/free-port.mjs'
import type { Timers } from '../../src/base/timers.ts'
import type { CacheKey } from '../../src/base/types.ts'
import { ManualClock } from '../../src/testing.ts'
import type { TierHost } from '../../src/tier/contract.ts'
import { openChannel } from '../../src/tier/redis/channel/channel.ts'
import type { Channel } from '../../src/tier/redis/channel/contract.ts'
import {
  checkInvalidation,
  type InvalidationOptions,
} from '../../src/tier/redis/channel/options.ts'
import { clientOf } from '../../src/tier/redis/clients/known.ts'
import { folderOf } from '../helpers/folders.ts'
import { countedTimers } from '../helpers/timers.ts'
import { redis, type Served } from '../router/support.ts'

/** The libraries. */
export const libraries = ['ioredis', 'node-redis'] as const
export type Library = (typeof libraries)[number]

/** A client of a test's own, and how to send by it. */
export interface Connected {
  client: object
  send(...args: string[]): Promise<unknown>
}

/** Sends by a client of either library. */
export function sends(client: object): (...args: string[]) => Promise<unknown> {
  if (client instanceof Redis || client instanceof Cluster) {
    return (...args) => (client as Redis).call(...(args as [string]))
  }
  const node = client as ReturnType<typeof createClient> & { masters?: unknown }
  if (!node.masters) return (...args) => node.sendCommand(args)
  const cluster = client as ReturnType<typeof createCluster>
  return (...args) => cluster.sendCommand(args[1], false, args)
}

/** As long as a busy machine takes to connect where many tests begin at once. */
const patient = { connectTimeout: 120_000 }

/** Resolves when a client of ioredis is ready, whatever it has tried before. */
async function ready(client: Redis | Cluster): Promise<void> {
  if (client.status === 'ready') return
  await new Promise<void>(resolve => client.once('ready', () => resolve()))
}

/** A client of one server, until the test ends. */
export async function connect(
  t: ExecutionContext,
  library: Library,
  port: number,
): Promise<Connected> {
  if (library === 'ioredis') {
    const client = new Redis({ port, host: '127.0.0.1', ...patient })
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
    await ready(client)
    return { client, send: sends(client) }
  }
  const client = createClient({ socket: { port, host: '127.0.0.1' } })
  client.on('error', () => {})
  t.teardown(() => client.destroy())
  await client.connect()
  return { client, send: sends(client) }
}

/** A client of a cluster, until the test ends. */
export async function connectCluster(
  t: ExecutionContext,
  library: Library,
  nodes: readonly Served[],
): Promise<Connected> {
  if (library === 'ioredis') {
    const addresses = nodes.map(({ port }) => ({ port, host: '127.0.0.1' }))
    const options = { slotsRefreshTimeout: 30_000, redisOptions: patient }
    const client = new Cluster(addresses, options)
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
    await ready(client)
    return { client, send: sends(client) }
  }
  const client = createCluster({
    rootNodes: nodes.map(({ port }) => ({ socket: { port, host: '127.0.0.1' } })),
  })
  client.on('error', () => {})
  t.teardown(() => client.destroy())
  await client.connect()
  return { client, send: sends(client) }
}

/** A server for a cluster. */
const clusterNode = (t: ExecutionContext): Promise<Served> =>
  redis(t, '--cluster-enabled', 'yes', '--cluster-node-timeout', '2000')

/** Three masters without replicas, until the test ends. */
export async function cluster(t: ExecutionContext): Promise<Served[]> {
  const nodes = await Promise.all([0, 1, 2].map(() => clusterNode(t)))
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  const args = ['--cluster', 'create', ...addresses, '--cluster-replicas', '0', '--cluster-yes']
  await cli(...args)
  for (const node of nodes) await until(node, 'info', 'cluster_state:ok')
  return nodes
}

/** Moves some slots to a new master, until the test ends. */
export async function grow(t: ExecutionContext, nodes: readonly Served[]): Promise<Served> {
  const node = await clusterNode(t)
  const [address, known] = [node, nodes[0]!].map(({ port }) => `127.0.0.1:${port}`)
  await cli('--cluster', 'add-node', address!, known!)
  for (const { port } of nodes) await until(node, 'nodes', `:${port}@`)
  for (const other of nodes) await until(other, 'nodes', `:${node.port}@`)
  // Until all agree which slots are whose.
  for (let agreed = false; !agreed; ) {
    agreed = await cli('--cluster', 'check', known!).then(
      () => true,
      () => false,
    )
  }
  const idOf = ({ port }: Served) => cli('-p', `${port}`, 'cluster', 'myid')
  const [from, to] = await Promise.all([nodes[0]!, node].map(idOf))
  const move = ['--cluster-from', from!, '--cluster-to', to!, '--cluster-slots', '1000']
  await cli('--cluster', 'reshard', known!, ...move, '--cluster-yes')
  for (const other of nodes) await until(other, 'slots', `${node.port}`)
  for (const other of [...nodes, node]) await until(other, 'info', 'cluster_state:ok')
  return node
}

/** Asks a node of a cluster until it says so. */
async function until({ port }: Served, question: string, answer: string): Promise<void> {
  while (!(await cli('-p', `${port}`, 'cluster', question)).includes(answer));
}

/** What `redis-cli` prints. */
async function cli(...args: string[]): Promise<string> {
  return (await promisify(execFile)('redis-cli', args)).stdout.trim()
}

/** What a cache was told. */
export type Told = 'lost' | 'regained' | 'cleared' | 'failed' | `key ${string}` | `tag ${string}`

/** A cache's side of a channel. */
export class Side {
  readonly told: Told[] = []
  readonly clock = new ManualClock()
  readonly timers = countedTimers(this.clock)
  readonly errors: unknown[] = []
  channel!: Channel
  #waiting: (() => void)[] = []
  #heed = () => {}

  /** One that is closed with the test, when it has tried to connect. */
  static async open(
    t: ExecutionContext,
    user: Connected,
    options: InvalidationOptions,
    timers?: Timers,
  ): Promise<Side> {
    const side = Side.start(user, options, timers)
    t.teardown(() => side.channel.close())
    await side.channel.ready
    return side
  }

  /** One that connects. */
  static start({ client }: Connected, options: InvalidationOptions, timers?: Timers): Side {
    const side = new Side()
    const prefix = 't:c:'
    const host = side.host(timers ?? side.timers)
    side.channel = openChannel(clientOf(client), checkInvalidation(options), host, {
      prefixes: [`${prefix}v:`, `${prefix}g:`],
      marks: `${prefix}m:`,
      bus: `${prefix}bus`,
      read(stored) {
        const text = String(stored)
        if (text.startsWith(`${prefix}v:`)) return { key: text.slice(prefix.length + 2) }
        return text === `${prefix}g:` ? 'everything' : { tag: text.slice(prefix.length + 2) }
      },
    })
    return side
  }

  host(timers: Timers): TierHost {
    const hear = (told: Told) => {
      this.told.push(told)
      for (const check of this.#waiting.splice(0)) check()
      this.#heed()
    }
    const each = (kind: 'key' | 'tag') => (list: readonly CacheKey[]) => {
      for (const item of list) hear(`${kind} ${String(item)}`)
    }
    return {
      name: 'c',
      timers,
      changed: each('key'),
      doubted: each('key'),
      tagged: each('tag'),
      cleared: () => hear('cleared'),
      lost: () => hear('lost'),
      regained: () => hear('regained'),
      failed: (_, error) => {
        this.errors.push(error)
        hear('failed')
      },
      breaker: () => {},
    }
  }

  /** Resolves when it has been told this, now or before; forgets what came up to that. */
  async hears(told: Told): Promise<Told[]> {
    for (;;) {
      const at = this.told.indexOf(told)
      if (at >= 0) return this.told.splice(0, at + 1)
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  /** Calls `f` whenever it has been told something. */
  heeds(f: () => void): void {
    this.#heed = f
  }

  /** Lets it try again, and resolves when it hears again. */
  async recovers(): Promise<void> {
    this.clock.advance(2000)
    await this.hears('regained')
  }

  /** Writes as the tier does: by the channel's writer. */
  write(key: string, value = 'x'): Promise<unknown> {
    const writer = this.channel.writer()
    if (writer === undefined) throw new Error('there is no writer')
    return sends(writer)('SET', `t:c:v:${key}`, value)
  }
}

/** The ids of connections: of those that hear, those that are tracked, those that published last. */
export async function connections(
  send: Connected['send'],
): Promise<{ hearing: string[]; tracked: string[]; publishing: string[]; all: number }> {
  const lines = String(await send('CLIENT', 'LIST'))
    .trim()
    .split('\n')
  const ids = (flag: string) =>
    lines.filter(line => line.match(/ flags=(\S+)/)?.[1]?.includes(flag)).map(idOf)
  const publishing = lines.filter(line => line.includes(' cmd=publish')).map(idOf)
  return { hearing: ids('P'), tracked: ids('t'), publishing, all: lines.length }
}

function idOf(line: string): string {
  return line.match(/^id=(\d+)/)?.[1] as string
}

/** A client of a master that a sentinel knows, until the test ends. */
export async function connectSentinel(
  t: ExecutionContext,
  library: Library,
  master: Served,
): Promise<Connected> {
  const watched = join(folderOf(t, 'sentinel'), 'sentinel.conf')
  const port = await freePort()
  writeFileSync(watched, `port ${port}\nsentinel monitor m 127.0.0.1 ${master.port} 1\n`)
  const sentinel = spawn('redis-server', [watched, '--sentinel'])
  t.teardown(() => sentinel.kill('SIGKILL'))
  for await (const text of sentinel.stdout) if (/\+monitor/.test(String(text))) break
  const address = { host: '127.0.0.1', port }
  if (library === 'ioredis') {
    const client = new Redis({ sentinels: [address], name: 'm', ...patient })
    client.on('error', () => {})
    t.teardown(() => client.disconnect())
    await ready(client)
    return { client, send: sends(client) }
  }
  const client = createSentinel({ name: 'm', sentinelRootNodes: [address] })
  client.on('error', () => {})
  t.teardown(() => client.destroy())
  await client.connect()
  return { client, send: (...args) => client.sendCommand(false, args) }
}
