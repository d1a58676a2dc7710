/**
 * Hot reads: how many requests reach the store behind a node whose clients ask for 100,000 keys by
 * Zipf 0.99, with room for a tenth of them and for all.
 */
import { zipf } from '../lib/data.ts'
import { redisServer } from '../lib/redis-server.ts'
import { type Row, table } from '../lib/report.ts'
import { Client, fill, startNode } from './node.ts'

const KEYS = 100_000
/** Reads that warm the node, and those that are counted after them. */
const WARM = 300_000
const READS = 300_000
const CLIENTS = 8
/** Reads of a client that are under way together. */
const PIPELINE = 50
/** The least that must not reach the store, with room for a tenth and for all. */
const BARS = { 'a tenth': 0.7, all: 0.9 } as const

export async function hot(): Promise<Row[]> {
  const store = await redisServer()
  const rows: Row[] = []
  try {
    await fill(store.port, KEYS)
    // What all replies take together, a tenth of which is the room of the other side.
    const [whole, bytes] = await saved(
      store.port,
      '1gb',
      Uint32Array.from({ length: KEYS }, (_, id) => id),
    )
    const [tenth] = await saved(store.port, `${Math.ceil(bytes / 10)}`)
    for (const [side, figures] of [
      ['a tenth', tenth],
      ['all', whole],
    ] as const) {
      for (const [what, value] of Object.entries(figures)) {
        const row = { bench: 'router', entries: KEYS, unit: '%', side: `room for ${side}` }
        rows.push({
          ...row,
          what: `hot reads: ${what}`,
          value: value * 100,
          ratio: value / BARS[side],
        })
      }
    }
  } finally {
    await store.stop()
  }
  console.log(
    '\nrouter: hot reads, Zipf 0.99 over 100,000 keys: share that does not reach the store, %',
  )
  table([
    ['', 'reads', 'all commands'],
    ...['room for a tenth', 'room for all'].map(side => [
      side,
      ...rows.filter(row => row.side === side).map(row => row.value.toFixed(1)),
    ]),
  ])
  return rows
}

/** What share of the reads, and of all commands, the store is spared; bytes that the node has then. */
async function saved(store: number, maxBytes: string, first?: Uint32Array) {
  const url = `redis://127.0.0.1:${store}`
  const node = await startNode('--store', url, '--max-bytes', maxBytes, '--route', '*,ttl=1h')
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Client.open(node.port)))
  const direct = await Client.open(store)
  try {
    if (first !== undefined) await read(clients, first)
    await read(clients, zipf(KEYS, WARM, 1))
    const counts = async () => [
      await direct.info('commandstats', /cmdstat_get:calls=(\d+)/),
      await direct.info('stats', /total_commands_processed:(\d+)/),
    ]
    const [gets, commands] = (await counts()) as [number, number]
    await read(clients, zipf(KEYS, READS, 2))
    const [getsNow, commandsNow] = (await counts()) as [number, number]
    const bytes = await clients[0]!.info('cache', /cache_bytes:(\d+)/)
    return [
      // The questions themselves are commands: two.
      {
        reads: 1 - (getsNow - gets) / READS,
        'all commands': 1 - (commandsNow - commands - 2) / READS,
      },
      bytes,
    ] as const
  } finally {
    for (const client of [...clients, direct]) client.close()
    await node.stop()
  }
}

/** Has the clients read these keys, all at once, some of each at a time. */
async function read(clients: Client[], ids: Uint32Array): Promise<void> {
  let next = 0
  await Promise.all(
    clients.map(async client => {
      while (next < ids.length) {
        const from = next
        next += PIPELINE
        await client.gets(ids.subarray(from, next))
      }
    }),
  )
}
