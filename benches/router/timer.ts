/**
 * A timer of 1 ms on the thread of a node that is fully loaded: how late it is, beside a thread that
 * has nothing but such a timer, on the same machine at the same time.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createRouter, type Router } from '../../dist/router/index.js'
import { answer, Child } from '../lib/child.ts'
import { type Row, table } from '../lib/report.ts'

const SELF = new URL(import.meta.url)
const LOADS = [
  { name: '50 clients', clients: 50, requests: 400_000 },
  { name: '1,000 clients', clients: 1000, requests: 300_000 },
] as const
const SHARES = [0.5, 0.99, 0.999, 1] as const
const NAMES = ['p50', 'p99', 'p99.9', 'longest']
/** The most that the timer may be late at p99, in milliseconds. */
const BAR = 2

export async function timer(): Promise<Row[]> {
  const [loaded, idle] = [new Child(SELF), new Child(SELF)]
  const rows: Row[] = []
  const lines: string[][] = []
  try {
    const port = await loaded.ask<number>({ kind: 'listen' })
    for (const { name, clients, requests } of LOADS) {
      for (const child of [loaded, idle]) await child.ask({ kind: 'begin' })
      const load = ['-p', `${port}`, '-c', `${clients}`, '-n', `${requests}`, '-q', '-t', 'get']
      const [code] = await once(spawn('redis-benchmark', load, { stdio: 'ignore' }), 'exit')
      if (code !== 0) throw new Error(`redis-benchmark ended with ${code}`)
      for (const [side, child] of [
        ['a loaded node', loaded],
        ['a timer alone', idle],
      ] as const) {
        const late = await child.ask<number[]>({ kind: 'end' })
        lines.push([`${name}, ${side}`, ...late.map(ms => ms.toFixed(2))])
        late.forEach((value, at) => {
          const what = `timer of 1 ms, ${name}: ${NAMES[at]} late`
          const row = { bench: 'router', what, entries: 1, side, value, unit: 'ms' }
          rows.push(
            at === 1 && child === loaded ? { ...row, ratio: BAR / Math.max(value, 0.01) } : row,
          )
        })
      }
    }
  } finally {
    await Promise.all([loaded.end(), idle.end()])
  }
  console.log('\nrouter: how late a timer of 1 ms is on the thread of a node, ms')
  table([['', ...NAMES], ...lines])
  return rows
}

/** In the child: serves on its only thread, and has a timer there. */
if (process.argv[1] === fileURLToPath(SELF)) {
  let router: Router | undefined
  let late: number[] = []
  let going = false
  const set = () => {
    const due = performance.now() + 1
    setTimeout(() => {
      late.push(performance.now() - due)
      if (going) set()
    }, 1)
  }
  answer(async ({ kind }: { kind: 'listen' | 'begin' | 'end' }) => {
    if (kind === 'listen') {
      router = createRouter({ threads: 0, maxBytes: '64mb' })
      return (await router.listen({ port: 0 })).port
    }
    going = kind === 'begin'
    if (going) {
      late = []
      set()
      return true
    }
    const sorted = late.toSorted((a, b) => a - b)
    return SHARES.map(share => Math.max(0, sorted[Math.floor((sorted.length - 1) * share)]!))
  })
  process.on('disconnect', () => router?.close())
}
