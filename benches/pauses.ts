/**
 * What a large cache does to the process around it: a million objects of about 100 bytes that come
 * and go, and the longest delay that the event loop and the collector impose meanwhile. Each side
 * runs in a process of its own.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { answer, Child } from './lib/child.ts'
import { watchCollector } from './lib/collector.ts'
import { key, random, short, type User, user } from './lib/data.ts'
import { median, type Row, table, times } from './lib/report.ts'
import { build, OURS, PEER } from './lib/sides.ts'

interface Figures {
  /** The longest delay of the event loop, in milliseconds. */
  longest: number
  /** The delay that all but one of a thousand stay below, in milliseconds. */
  p999: number
  /** The longest pause of the collector, in milliseconds. */
  collector: number
  /** All full collections and scavenges together, in milliseconds. */
  collecting: number
  /** Objects stored a second, in thousands. */
  rate: number
}

type Request = { side: string; entries: number }

/** Runs it and returns its figures. */
export async function pauses(options: { entries: number; rounds: number }): Promise<Row[]> {
  const sides = [OURS, PEER, 'Map']
  const runs = new Map<string, Figures[]>(sides.map(side => [side, []]))
  for (let round = 0; round < options.rounds; round++) {
    for (const side of sides) {
      const child = new Child(new URL(import.meta.url))
      const request: Request = { side, entries: options.entries }
      runs.get(side)?.push(await child.ask<Figures>(request))
      await child.end()
    }
  }
  const figure = (side: string, name: keyof Figures) =>
    median((runs.get(side) ?? []).map(run => run[name]))
  console.log(`\npauses: ${short(options.entries)} objects under churn, ms`)
  table([
    ['', 'longest delay', 'ratio', 'p99.9', 'longest gc', 'all gc', 'k sets/s'],
    ...sides.map(side => [
      side,
      figure(side, 'longest').toFixed(1),
      times(side === OURS ? undefined : figure(side, 'longest') / figure(OURS, 'longest')),
      figure(side, 'p999').toFixed(1),
      figure(side, 'collector').toFixed(1),
      figure(side, 'collecting').toFixed(0),
      figure(side, 'rate').toFixed(0),
    ]),
  ])
  return sides.flatMap(side =>
    (['longest', 'p999', 'collector', 'collecting'] as const).map(name => {
      const value = figure(side, name)
      const row = { bench: 'pauses', what: name, entries: options.entries, side, value, unit: 'ms' }
      return side === OURS ? row : { ...row, ratio: value / figure(OURS, name) }
    }),
  )
}

/** Fills the cache, then replaces all of it twice, a few objects in each turn of the loop. */
async function run({ side, entries }: Request): Promise<Figures> {
  const cache = build<User>(side, { max: entries, objects: true })
  let next = 0
  // A Map has no bound: the program must keep to one.
  const map = cache instanceof Map ? cache : undefined
  const store = () => {
    cache.set(key(next), user(next))
    if (map && next >= entries) map.delete(key(next - entries))
    next++
  }
  while (next < entries) store()
  global.gc?.()
  await turn()

  const collector = watchCollector()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const draw = random(3)
  const start = performance.now()
  while (next < 3 * entries) {
    for (let at = 0; at < 50; at++) {
      store()
      cache.get(key(next - 1 - (draw() % entries)))
    }
    await turn()
  }
  const seconds = (performance.now() - start) / 1000
  delay.disable()
  const { longest, total } = await collector()
  return {
    // The histogram holds the time between two ticks of 1 ms.
    longest: delay.max / 1e6 - 1,
    p999: delay.percentile(99.9) / 1e6 - 1,
    collector: longest,
    collecting: total,
    rate: (2 * entries) / seconds / 1000,
  }
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) answer<Request>(run)
