/**
 * A store a millisecond away: how long reads take directly, and through a node beside the clients.
 * The distance is a proxy that holds what is sent to the store for a millisecond. Rounds of both sides
 * alternate: as many requests a second on both, and then clients that ask as fast as they are answered, of
 * which those of a node ask several times as much of the same machine.
 */
import { createConnection, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
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
/** Requests a second, all clients together, where both sides have as many. */
const RATE = 2000
/** The longest that a round may take, in milliseconds: a busy machine reads less. */
const ROUND = 4000
/** About a tenth of the keys. */
const ROOM = '2mb'
/** Milliseconds to the store. */
const DISTANCE = 1
const LOADS = { [`${RATE} requests a second`]: RATE, 'as fast as they can': undefined }
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
    // The node is warm before the first round.
    await latencies(node.port, zipf(KEYS, READS * 4, 1))
    for (const [load, rate] of Object.entries(LOADS)) {
      const spent: Record<string, number[]> = { directly: [], 'through a node': [] }
      for (let round = 1; round <= ROUNDS; round++) {
        for (const [side, port] of Object.entries(sides)) {
          spent[side]!.push(...(await latencies(port, zipf(KEYS, READS, round + 1), rate)))
        }
      }
      rows.push(...compared(load, spent))
    }
    await node.stop()
  } finally {
    await proxy.end()
    await store.stop()
  }
  console.log(
    '\nrouter: a store 1 ms away, Zipf 0.99 over 100,000 keys, room for a tenth: ms a read',
  )
  for (const load of Object.keys(LOADS)) {
    const ofLoad = rows.filter(({ what }) => what.endsWith(load))
    table([
      [load, ...Object.keys(SHARES)],
      ...['directly', 'through a node'].map(side => [
        side,
        ...ofLoad.filter(row => row.side === side).map(row => row.value.toFixed(3)),
      ]),
    ])
  }
  return rows
}

/** The quantiles of both sides under a load. */
function compared(load: string, spent: Record<string, number[]>): Row[] {
  return Object.entries(SHARES).flatMap(([name, share]) => {
    const what = `store 1 ms away: ${name} of all reads, ${load}`
    const row = { bench: 'router', what, entries: KEYS, unit: 'ms' }
    const direct = quantile(spent.directly!, share)
    const through = quantile(spent['through a node']!, share)
    return [
      { ...row, side: 'directly', value: direct },
      { ...row, side: 'through a node', value: through, ratio: direct / through },
    ]
  })
}

/** Milliseconds of each read, so many a second or one behind the other. */
async function latencies(port: number, ids: Uint32Array, rate?: number): Promise<number[]> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Client.open(port)))
  const times: number[] = []
  let next = 0
  const began = performance.now()
  const until = began + ROUND
  await Promise.all(
    clients.map(async client => {
      while (next < ids.length && performance.now() < until) {
        const at = next++
        const wait = rate === undefined ? 0 : began + (at / rate) * 1000 - performance.now()
        if (wait > 0) await sleep(wait)
        const from = performance.now()
        await client.gets(ids.subarray(at, at + 1))
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
