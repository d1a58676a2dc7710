/**
 * Several stores instead of one: how many connections a node has to them, what an operation costs over
 * a cluster and over a ring, and what is lost and found again when a store of a ring is lost and comes
 * back.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Ring } from '../../dist/routing/index.js'
import { freePort } from '../../scripts/free-port.mjs'
import { cpu } from '../lib/cpu.ts'
import { zipf } from '../lib/data.ts'
import { type RedisServer, redisServer } from '../lib/redis-server.ts'
import { median, type Row, table, times } from '../lib/report.ts'
import { Client, fill, key, LENGTH, startNode } from './node.ts'

const ROW = { bench: 'router' } as const
const url = ({ port }: RedisServer) => `redis://127.0.0.1:${port}`
const start = (count: number) => Promise.all(Array.from({ length: count }, () => redisServer()))

export async function severalStores(options: { rounds: number }): Promise<Row[]> {
  return [...(await connections()), ...(await costs(options)), ...(await lossAndReturn())]
}

/** Stores, threads and clients whose connections are counted, and what each client asks for. */
const CROWD = { stores: 20, threads: 4, clients: 1000, reads: 20 }
const CROWD_KEYS = 5_000

/** Connections to twenty stores, before and after all clients have come anew. */
async function connections(): Promise<Row[]> {
  const servers = await start(CROWD.stores)
  const flags = servers.flatMap(server => ['--store', url(server)])
  const node = await startNode(...flags, '--threads', `${CROWD.threads}`)
  const direct = await Promise.all(servers.map(({ port }) => Client.open(port)))
  const total = async () => {
    const field = /total_connections_received:(\d+)/
    const each = await Promise.all(direct.map(client => client.info('stats', field)))
    // The one that asks is one of them.
    return each.reduce((sum, count) => sum + count - 1, 0)
  }
  try {
    await fill(node.port, CROWD_KEYS)
    await crowd(node.port)
    const before = await total()
    await crowd(node.port)
    const opened = (await total()) - before
    const bar = CROWD.stores * CROWD.threads
    const { stores: count, threads, clients } = CROWD
    console.log(
      `\nrouter: ${clients} clients, ${threads} threads, ${count} stores: ${before} connections ` +
        `(at most ${bar}), ${opened} more when all clients have come anew`,
    )
    const row = { ...ROW, what: 'connections to 20 stores', entries: CROWD_KEYS, unit: '' }
    return [
      { ...row, side: '1,000 clients', value: before, ratio: bar / before },
      { ...row, side: 'opened when all come anew', value: opened },
    ]
  } finally {
    for (const client of direct) client.close()
    await node.stop()
    await Promise.all(servers.map(server => server.stop()))
  }
}

/** All clients come, write, read, and go. */
async function crowd(port: number): Promise<void> {
  const clients = await Promise.all(Array.from({ length: CROWD.clients }, () => Client.open(port)))
  await Promise.all(
    clients.map(async (client, n) => {
      const own = Uint32Array.from(
        { length: CROWD.reads },
        (_, at) => (n * CROWD.reads + at) % CROWD_KEYS,
      )
      await client.gets(own)
      for (const id of own) {
        await client.ask(`SET ${key(id)} ${'v'.repeat(LENGTH)}`, text => text === '+OK\r\n')
      }
      await client.gets(own)
    }),
  )
  for (const client of clients) client.close()
}

const KEYS = 10_000
const LOADS = [
  { name: '50 clients', flags: ['-c', '50'], requests: 60_000 },
  { name: 'pipeline 16', flags: ['-c', '50', '-P', '16'], requests: 400_000 },
  { name: '500 clients', flags: ['-c', '500'], requests: 60_000 },
] as const
/** The most that an operation may cost over several stores, compared with one. */
const BAR = 1.15

/** CPU of a node an operation, over one store, a cluster of three and a ring of five. */
async function costs({ rounds }: { rounds: number }): Promise<Row[]> {
  const [one, five, three] = [await start(1), await start(5), await cluster(3)]
  const places = three.map(({ port }) => `127.0.0.1:${port}`)
  const behind = {
    'one store': ['--store', url(one[0]!)],
    'cluster of three': ['--store', `redis-cluster://${places.join(',')}`],
    'ring of five': five.flatMap(server => ['--store', url(server)]),
  }
  const nodes: { name: string; what: string; port: number; pid: number; stop(): Promise<void> }[] =
    []
  const rows: Row[] = []
  try {
    for (const [name, flags] of Object.entries(behind)) {
      const misses = await startNode(...flags, '--route', '*,mode=off')
      nodes.push({ name, what: 'forwarded misses', ...misses })
      // What is remembered stays: a hit that has run out is a miss.
      const hits = await startNode(...flags, '--route', '*,ttl=1h')
      nodes.push({ name, what: 'cached hits', ...hits })
      await fill(misses.port, KEYS)
    }
    for (const { port } of nodes) await load(port, ['-c', '50', '-P', '32', '-n', `${KEYS * 12}`])
    for (const { name: load_, flags, requests } of LOADS) {
      const spent = new Map(nodes.map(node => [node, [] as number[]]))
      for (let round = 0; round < rounds; round++) {
        for (const node of nodes) {
          const before = cpu(node.pid)
          await load(node.port, [...flags, '-n', `${requests}`])
          spent.get(node)!.push((cpu(node.pid) - before) / requests)
        }
      }
      for (const { name, what } of nodes) {
        const of = (side: string) =>
          median(spent.get(nodes.find(node => node.name === side && node.what === what)!)!)
        const [value, base] = [of(name), of('one store')]
        const row = { ...ROW, what: `${what}, ${load_}`, entries: KEYS, side: name, unit: 'us' }
        rows.push({ ...row, value, ratio: base / value })
      }
    }
  } finally {
    for (const node of nodes) await node.stop()
    await Promise.all([...one, ...five, ...three].map(server => server.stop()))
  }
  console.log(
    `\nrouter: CPU of a node an operation, us, and over several stores compared with one (at most ${BAR}x)`,
  )
  const whats = ['forwarded misses', 'cached hits']
  const cell = (side: string, what: string) => {
    const row = rows.find(row => row.side === side && row.what === what)!
    return `${row.value.toFixed(2)} ${times(1 / row.ratio!).padStart(5)}`
  }
  const columns = whats.flatMap(what => LOADS.map(({ name }) => `${what}, ${name}`))
  table([
    ['', ...Object.keys(behind)],
    ...columns.map(what => [what, ...Object.keys(behind).map(side => cell(side, what))]),
  ])
  return rows
}

/** A cluster of so many masters that knows itself. */
async function cluster(count: number): Promise<RedisServer[]> {
  const own = async () => {
    const port = ['--cluster-port', `${await freePort()}`]
    return redisServer('--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', ...port)
  }
  const servers: RedisServer[] = []
  for (let at = 0; at < count; at++) servers.push(await own())
  const places = servers.map(({ port }) => `127.0.0.1:${port}`)
  const create = ['--cluster', 'create', ...places, '--cluster-yes']
  const [code] = await once(spawn('redis-cli', create, { stdio: 'ignore' }), 'exit')
  if (code !== 0) throw new Error(`redis-cli --cluster create ended with ${code}`)
  for (const { port } of servers) {
    const client = await Client.open(port)
    while (!(await client.text('CLUSTER INFO')).includes('cluster_state:ok')) await sleep(20)
    client.close()
  }
  return servers
}

async function load(port: number, flags: string[]): Promise<void> {
  const all = ['-p', `${port}`, '-q', '-t', 'get', '-r', `${KEYS}`, ...flags]
  const [code] = await once(spawn('redis-benchmark', all, { stdio: 'ignore' }), 'exit')
  if (code !== 0) throw new Error(`redis-benchmark ended with ${code}`)
}

/** Keys of the ring, and reads after which the hit ratio is looked at. */
const RING_KEYS = 20_000
const STEP = 5_000
/** Steps until the hit ratio is what it stays at, and at most after a change. */
const WARM = 20
const MOST = 40

interface Found {
  moved: { reads: number; hits: number }
  others: { reads: number; hits: number }
}

/**
 * A ring of five of which one is lost, the next standing in, and comes back with nothing: clients read
 * by Zipf 0.99, and store what they do not find.
 */
async function lossAndReturn(): Promise<Row[]> {
  const servers = await start(5)
  const names = servers.map((_, at) => `store-${at}`)
  const flags = servers.flatMap((server, at) => ['--store', `${url(server)},name=${names[at]}`])
  const node = await startNode(...flags, '--when-down', 'next', '--route', '*,ttl=1h')
  const client = await Client.open(node.port)
  const ring = new Ring(names, { hashTags: true })
  const moves = Uint8Array.from({ length: RING_KEYS }, (_, id) =>
    ring.locate(key(id)) === names[0] ? 1 : 0,
  )
  const share = moves.reduce((sum, moved) => sum + moved, 0) / RING_KEYS
  const ids = zipf(RING_KEYS, STEP * (WARM + 2 * MOST), 3)
  let at = 0
  const step = async (count = STEP): Promise<Found> => {
    const found = { moved: { reads: 0, hits: 0 }, others: { reads: 0, hits: 0 } }
    for (const end = at + count; at < end; at++) {
      const id = ids[at % ids.length]!
      const of = moves[id] === 1 ? found.moved : found.others
      of.reads++
      const reply = await client.ask(`GET ${key(id)}`, text =>
        /^(\$-1|-.*|\$\d+\r\n.+)\r\n$/.test(text),
      )
      if (reply.startsWith(`$${LENGTH}`)) of.hits++
      else await client.ask(`SET ${key(id)} ${'v'.repeat(LENGTH)}`, text => text.endsWith('\r\n'))
    }
    return found
  }
  const ratio = ({ reads, hits }: { reads: number; hits: number }) => hits / Math.max(reads, 1)
  const rows: Row[] = []
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`
  const lines = [
    ['', 'before', 'moved: first step', 'reads until 90 %', 'others: before', 'worst step'],
  ]
  let back: RedisServer | undefined
  try {
    let last: Found | undefined
    for (let n = 0; n < WARM; n++) last = await step()
    const changes = {
      'a store is lost': () => servers[0]!.stop(),
      'it is back, empty': async () => {
        back = await redisServer('--port', `${servers[0]!.port}`)
        const direct = await Client.open(back.port)
        // Until the node has seen it.
        while ((await direct.info('keyspace', /keys=(\d+)/)) === 0) await step(10)
        direct.close()
      },
    }
    for (const [name, change] of Object.entries(changes)) {
      const [before, others] = [ratio(last!.moved), ratio(last!.others)]
      await change()
      let [first, worst, reads] = [-1, 1, 0]
      for (let n = 0; n < MOST; n++) {
        last = await step()
        reads += STEP
        if (first < 0) first = ratio(last.moved)
        worst = Math.min(worst, ratio(last.others))
        if (ratio(last.moved) >= 0.9 * before) break
      }
      lines.push([
        name,
        percent(before),
        percent(first),
        `${reads}`,
        percent(others),
        percent(worst),
      ])
      const row = { ...ROW, what: `ring of five: ${name}`, entries: RING_KEYS }
      rows.push({ ...row, side: 'share that moves', value: share * 100, unit: '%' })
      rows.push({ ...row, side: 'until 90 % of its hit ratio', value: reads, unit: 'reads' })
      rows.push({ ...row, side: 'others, worst step', value: worst * 100, unit: '%' })
    }
  } finally {
    client.close()
    await node.stop()
    await Promise.all([...servers.slice(1), ...(back ? [back] : [])].map(server => server.stop()))
  }
  console.log(
    `\nrouter: a ring of five loses a store and gets it back: ${percent(share)} of the keys move; hit ` +
      `ratios by steps of ${STEP} reads`,
  )
  table(lines)
  return rows
}
