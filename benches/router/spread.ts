/**
 * One key has 30 % of the reads of a ring of five stores, and turns hot while clients read: how much the
 * busiest store has to do, compared with the mean of all, from two seconds after that on.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Child } from '../lib/child.ts'
import { random } from '../lib/data.ts'
import { type RedisServer, redisServer } from '../lib/redis-server.ts'
import { type Row, table } from '../lib/report.ts'
import { PROXY } from './distant.ts'
import { Client, fill, startNode } from './node.ts'

const STORES = 5
const KEYS = 20_000
const HOT = 7
const SHARE = 0.3
const CLIENTS = 50
/** Milliseconds that a key may need to be found hot, and of each look at the stores after that. */
const TURNING = 2000
const LOOK = 500
const LOOKS = 5
/** The most that a store may have to do, compared with the mean. */
const BAR = 1.3

const ROUTES = {
  'not remembered': '*,mode=off',
  'not remembered, stores 1 ms away': '*,mode=off',
  'not remembered, 5 copies': '*,mode=off,copies=5,ttl=10s',
  'the hot key remembered': '*,mode=off',
} as const
/** The key that is hot, as its route names it. */
const REMEMBERED = `key:${String(HOT).padStart(12, '0')}*,mode=on,ttl=10s`

export async function spread(): Promise<Row[]> {
  const stores = await Promise.all(Array.from({ length: STORES }, () => redisServer()))
  const proxies = stores.map(() => new Child(PROXY))
  const rows: Row[] = []
  try {
    const asked = proxies.map((proxy, at) => proxy.ask<number>({ to: stores[at]!.port }))
    const [near, far] = [stores.map(({ port }) => port), await Promise.all(asked)]
    for (const [side, route] of Object.entries(ROUTES)) {
      const routes = ['--route', route]
      if (side === 'the hot key remembered') routes.push('--route', REMEMBERED)
      for (const pipeline of [1, 16]) {
        const ports = side.endsWith('away') ? far : near
        const looks = await busiest(stores, ports, routes, pipeline)
        const worst = Math.max(...looks)
        const value = looks.toSorted((one, other) => one - other)[Math.floor(LOOKS / 2)]!
        const row = { bench: 'router', entries: KEYS, unit: 'x the mean', side }
        const what = `busiest of ${STORES} stores, one key with 30 % of the reads, pipeline ${pipeline}`
        rows.push({ ...row, what, value, ratio: BAR / value })
        rows.push({ ...row, what: `${what}, worst ${LOOK} ms`, value: worst, ratio: BAR / worst })
      }
    }
  } finally {
    await Promise.all(proxies.map(proxy => proxy.end()))
    await Promise.all(stores.map(store => store.stop()))
  }
  console.log(
    `\nrouter: a key with 30 % of the reads of a ring of ${STORES}: commands of the busiest store, ` +
      `times the mean of all, from ${TURNING / 1000} s after it turned hot (at most ${BAR}x); the worst ${LOOK} ms`,
  )
  const cell = (side: string, pipeline: number) => {
    const of = rows.filter(
      row => row.side === side && /pipeline \d+/.exec(row.what)![0] === `pipeline ${pipeline}`,
    )
    return of.map(({ value }) => value.toFixed(2)).join(', worst ')
  }
  table([
    ['', 'no pipeline', 'pipeline 16'],
    ...Object.keys(ROUTES).map(side => [side, cell(side, 1), cell(side, 16)]),
  ])
  return rows
}

/** What the busiest store does in each look, compared with the mean; the node reaches them at `ports`. */
async function busiest(stores: RedisServer[], ports: number[], routes: string[], pipeline: number) {
  const flags = ports.flatMap((port, at) => [
    '--store',
    `redis://127.0.0.1:${port},name=store-${at}`,
  ])
  const node = await startNode(...flags, ...routes)
  await fill(node.port, KEYS)
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Client.open(node.port)))
  const direct = await Promise.all(stores.map(({ port }) => Client.open(port)))
  const counts = () =>
    Promise.all(direct.map(client => client.info('stats', /total_commands_processed:(\d+)/)))
  let [share, ends] = [0, false]
  const load = Promise.all(
    clients.map(async (client, at) => {
      const next = random(at + 1)
      const draw = () => next() / 2 ** 32
      const ids = new Uint32Array(pipeline)
      while (!ends) {
        for (let n = 0; n < pipeline; n++) {
          ids[n] = draw() < share ? HOT : Math.floor(draw() * KEYS)
        }
        await client.gets(ids)
      }
    }),
  )
  try {
    await sleep(LOOK)
    share = SHARE
    await sleep(TURNING)
    const looks: number[] = []
    let before = await counts()
    for (let n = 0; n < LOOKS; n++) {
      await sleep(LOOK)
      const now = await counts()
      const done = now.map((count, store) => count - before[store]!)
      looks.push((Math.max(...done) * STORES) / done.reduce((sum, count) => sum + count, 0))
      before = now
    }
    return looks
  } finally {
    ends = true
    await load
    for (const client of [...clients, ...direct]) client.close()
    await node.stop()
  }
}
