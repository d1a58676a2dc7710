/**
 * A store a millisecond away: how long reads take directly, and through a node beside the clients.
 * The distance is a proxy that holds what is sent to the store for a millisecond. Clients ask for one
 * key at a time; rounds of both sides alternate.
 */
import { createConnection, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { answer, Child } from '../lib/child.ts'
import { zipf } from '../lib/data.ts'
import { redisServer } from '../lib/redis-server.ts'
import { type Row, table } from '../lib/report.ts'
import { Client, fill, startNode } from './node.ts'

/** A child process of this holds what is sent to a store for a while; it answers with its port. */
export const PROXY = new URL(import.meta.url)
const KEYS = 100_000
const CLIENTS = 16
const READS = 8_000
const ROUNDS = 4
/** The longest that a round may take, in milliseconds: a busy machine reads less. */
const ROUND = 4000
/** About a tenth of the keys. */
const ROOM = '2mb'
/** Milliseconds to the store. */
const DISTANCE = 1
const SHARES = { p50: 0.5, p99: 0.99 } as const

export async function distant(): Promise<Row[]> {
  const store = await redisServer()
  const proxy = new Child(PROXY)
  const rows: Row[] = []
  try {
    await fill(store.port, KEYS)
    const far = await proxy.ask<number>({ to: store.port })
    const url = `redis://127.0.0.1:${far}`
    const node = await startNode('--store', url, '--max-bytes', ROOM, '--route', '*,ttl=1h')
    const sides = { directly: far, 'through a node': node.port }
    const spent: Record<string, number[]> = { directly: [], 'through a node': [] }
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [side, port] of Object.entries(sides)) {
        const times = await latencies(port, zipf(KEYS, round === 0 ? READS * 4 : READS, round + 1))
        // The first round warms the node.
        if (round > 0) spent[side]!.push(...times)
      }
    }
    await node.stop()
    for (const [what, share] of Object.entries(SHARES)) {
      const [direct, through] = ['directly', 'through a node'].map(side =>
        quantile(spent[side]!, share),
      )
      const row = {
        bench: 'router',
        what: `store 1 ms away: ${what} of all reads`,
        entries: KEYS,
        unit: 'ms',
      }
      rows.push({ ...row, side: 'directly', value: direct! })
      rows.push({ ...row, side: 'through a node', value: through!, ratio: direct! / through! })
    }
  } finally {
    await proxy.end()
    await store.stop()
  }
  console.log(
    '\nrouter: a store 1 ms away, Zipf 0.99 over 100,000 keys, room for a tenth: ms a read',
  )
  table([
    ['', ...Object.keys(SHARES)],
    ...['directly', 'through a node'].map(side => [
      side,
      ...rows.filter(row => row.side === side).map(row => row.value.toFixed(3)),
    ]),
  ])
  return rows
}

/** Milliseconds of each read. */
async function latencies(port: number, ids: Uint32Array): Promise<number[]> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Client.open(port)))
  const times: number[] = []
  let next = 0
  const until = performance.now() + ROUND
  await Promise.all(
    clients.map(async client => {
      while (next < ids.length && performance.now() < until) {
        const at = next++
        const one = ids.subarray(at, at + 1)
        const from = performance.now()
        await client.gets(one)
        times.push(performance.now() - from)
      }
    }),
  )
  for (const client of clients) client.close()
  return times
}

function quantile(list: number[], share: number): number {
  const sorted = list.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) * share)]!
}

/** In the child: passes on to a port, a little later; where. */
if (process.argv[1] === fileURLToPath(PROXY)) {
  answer(({ to }: { to: number }) => {
    const server = createServer({ noDelay: true }, near => {
      const far = createConnection({ port: to, host: '127.0.0.1', noDelay: true })
      later(near, far)
      far.pipe(near)
      for (const socket of [near, far]) {
        socket.on('error', () => {})
        socket.on('close', () => [near, far].forEach(each => void each.destroy()))
      }
    })
    // It lasts as long as who asked for it.
    server.unref()
    return new Promise(resolve => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
    })
  })
}

/** Writes what comes from one to the other, in order, after the distance. */
function later(from: Socket, to: Socket): void {
  const waiting: { due: number; chunk: Buffer }[] = []
  const look = () => {
    while (waiting.length > 0 && waiting[0]!.due <= performance.now())
      to.write(waiting.shift()!.chunk)
    // A timer is late by up to a millisecond: the last part of the way is looked at again and again.
    if (waiting.length > 0) setImmediate(look)
  }
  from.on('data', chunk => {
    waiting.push({ due: performance.now() + DISTANCE, chunk: chunk as Buffer })
    if (waiting.length === 1) setImmediate(look)
  })
}
