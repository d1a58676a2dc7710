/** How long after a write in one process another hears that the key changed, over Redis on loopback. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { timersOf } from '../src/base/timers.ts'
import type { TierHost } from '../src/tier/contract.ts'
import { openChannel } from '../src/tier/redis/channel/channel.ts'
import type { Channel } from '../src/tier/redis/channel/contract.ts'
import { checkInvalidation } from '../src/tier/redis/channel/options.ts'
import { clientOf } from '../src/tier/redis/clients/known.ts'
import { answer, Child } from './lib/child.ts'
import { redisServer } from './lib/redis-server.ts'
import { median, type Row, table } from './lib/report.ts'

const LIBRARIES = ['ioredis', 'node-redis'] as const
const MODES = ['tracking', 'bus'] as const
/** Milliseconds between writes: more than anything takes. */
const PACE = 2

interface Setting {
  library: (typeof LIBRARIES)[number]
  mode: (typeof MODES)[number]
  port: number
}

/** Runs it and returns its figures. */
export async function tier(options: { writes: number }): Promise<Row[]> {
  const server = await redisServer()
  const rows: Row[] = []
  try {
    for (const library of LIBRARIES) {
      for (const mode of MODES) {
        const delays = await measure({ library, mode, port: server.port }, options.writes)
        delays.sort((a, b) => a - b)
        const figures = {
          median: median(delays),
          p99: delays[Math.floor(delays.length * 0.99)] as number,
          max: delays.at(-1) as number,
        }
        const row = { bench: 'tier', entries: options.writes, side: `${mode}, ${library}` }
        for (const [what, value] of Object.entries(figures)) {
          rows.push({ ...row, what: `write to changed(), ${what}`, value, unit: 'ms' })
        }
      }
    }
  } finally {
    await server.stop()
  }
  console.log(`\ntier: a write in one process until another is told, ${options.writes} writes, ms`)
  const sides = [...new Set(rows.map(({ side }) => side))]
  const line = (side: string) =>
    rows.filter(row => row.side === side).map(({ value }) => value.toFixed(3))
  table([['', 'median', 'p99', 'max'], ...sides.map(side => [side, ...line(side)])])
  return rows
}

/** Milliseconds from each write to the other process's hearing of it. */
async function measure(setting: Setting, writes: number): Promise<number[]> {
  const hearer = new Child(new URL(import.meta.url))
  const own = await open(setting, () => {})
  try {
    await hearer.ask(setting)
    const begun: bigint[] = []
    const warm = Math.ceil(writes / 10)
    for (let at = -warm; at < writes; at++) {
      if (at >= 0) begun.push(process.hrtime.bigint())
      await own.write(String(at))
      await sleep(PACE)
    }
    const heard = await hearer.ask<Map<string, bigint>>({})
    return begun.map((time, at) => {
      const then = heard.get(String(at))
      if (then === undefined) throw new Error(`write ${at} was not heard of`)
      return Number(then - time) / 1e6
    })
  } finally {
    await own.close()
    await hearer.end()
  }
}

/** A channel, and how to write beside it. */
async function open({ library, mode, port }: Setting, changed: TierHost['changed']) {
  const [client, close] = await connected(library, port)
  const host: TierHost = {
    name: 'bench',
    timers: timersOf(undefined),
    changed,
    doubted: changed,
    tagged: () => {},
    cleared: () => {},
    lost: () => console.error('lost'),
    regained: () => {},
    failed: (_, error) => console.error(error),
    breaker: () => {},
  }
  const channel: Channel = openChannel(clientOf(client), checkInvalidation({ mode }), host, {
    prefixes: ['b:'],
    marks: 'm:',
    bus: 'bus',
    read: stored => ({ key: stored.toString('utf8', 2) }),
  })
  await channel.ready
  return {
    async write(key: string) {
      const by = channel.writer() ?? client
      await ('call' in by
        ? (by as Redis).call('SET', `b:${key}`, 'value')
        : (by as typeof client & { sendCommand(words: string[]): unknown }).sendCommand([
            'SET',
            `b:${key}`,
            'value',
          ]))
      if (!channel.tracks) channel.publish({ keys: [key] })
    },
    async close() {
      await channel.close()
      close()
    },
  }
}

async function connected(library: Setting['library'], port: number) {
  if (library === 'ioredis') {
    const client = new Redis({ port, host: '127.0.0.1' })
    return [client, () => client.disconnect()] as const
  }
  const client = createClient({ socket: { port, host: '127.0.0.1' } })
  await client.connect()
  return [client, () => client.destroy()] as const
}

if (process.send) {
  const heard = new Map<string, bigint>()
  answer<Partial<Setting>>(async setting => {
    if (setting.port === undefined) return heard
    await open(setting as Setting, keys => {
      const now = process.hrtime.bigint()
      for (const key of keys) heard.set(String(key), now)
    })
    process.once('disconnect', () => process.exit())
    return 'ready'
  })
}
