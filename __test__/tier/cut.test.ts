// A process whose connections to Redis are cut while another one writes: it serves what it had for no
// longer than the bound, whether it is told of the end of the connections or they fall silent.
import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Cache, type CacheOptions, json } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { redis as tier } from '../../src/tier/redis/index.ts'
import { installed } from '../router/support.ts'
import { connect, type Library, libraries } from './invalidation.ts'
import { servers } from './servers.ts'

const check = installed('redis-server') ? test : test.skip

const BOUND = 300
const UNCOVERED = 200

interface Value {
  n: number
}

/** Passes on what goes between clients and a server, until it is cut. */
class Line {
  readonly #sockets = new Set<Socket>()
  #isCut = false
  port = 0

  static async open(t: ExecutionContext, to: number): Promise<Line> {
    const line = new Line()
    const server = createServer(near => {
      if (line.#isCut) {
        near.destroy()
        return
      }
      const far = dial(to, '127.0.0.1')
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        line.#sockets.add(from)
        from.on('error', () => {})
        from.on('close', () => into.destroy())
        from.pipe(into)
      }
    }).listen(0, '127.0.0.1')
    t.teardown(() => {
      line.cut('closed')
      server.close()
    })
    await once(server, 'listening')
    line.port = (server.address() as AddressInfo).port
    return line
  }

  cut(how: 'closed' | 'silent'): void {
    this.#isCut = true
    for (const socket of this.#sockets) {
      if (how === 'closed') socket.destroy()
      else socket.unpipe().pause()
    }
  }

  mend(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
    this.#isCut = false
  }
}

async function until(what: () => boolean): Promise<void> {
  for (const end = Date.now() + 120_000; !what(); await turn()) {
    if (Date.now() > end) throw new Error('it did not come to be so')
  }
}

/** A cache of its own process, for all that Redis knows. */
async function open(
  t: ExecutionContext,
  library: Library,
  port: number,
  mode: 'tracking' | 'bus',
  options: Partial<CacheOptions<Value, string>> = {},
) {
  const { client } = await connect(t, library, port)
  const inner = tier(client, {
    // By the system's clock, as long as a busy machine takes: a write that is given up may not be there.
    timeout: options.clock === undefined ? 60_000 : 1_000,
    invalidation: { mode, heartbeat: 100, bound: BOUND },
  })
  const cache = new Cache<string, Value>({
    name: `cut ${Math.random()}`,
    max: 100,
    ttl: '1h',
    codec: json<Value>(),
    uncoveredTtl: UNCOVERED,
    tier: { open: host => inner.open({ ...host, name: 'cut' }) },
    ...options,
  })
  t.teardown(() => cache.close())
  await cache.ready
  return cache
}

for (const { title, start: serverOf } of servers) {
  for (const library of libraries) {
    for (const mode of ['tracking', 'bus'] as const) {
      for (const how of ['silent', 'closed'] as const) {
        check(
          `nothing stale is served beyond the bound: ${how}, ${mode}, ${library}, ${title}`,
          async t => {
            const { port } = await serverOf(t)
            const line = await Line.open(t, port)
            const writer = await open(t, library, port, mode)
            const clock = new ManualClock()
            // What both would load.
            let n = 1
            const reader = await open(t, library, line.port, mode, {
              clock,
              loader: () => ({ n }),
            })
            const states: string[] = []
            reader.on('tier', ({ state }) => states.push(state))
            await writer.put('a', { n: 1 })
            // What is read before the news of it came is forgotten when they come.
            await until(() => {
              void reader.fetch('a')
              return reader.get('a')?.n === 1
            })
            for (let i = 0; i < 50; i++) await turn()
            t.deepEqual(await reader.fetch('a'), { n: 1 })

            line.cut(how)
            n = 2
            await writer.put('a', { n })
            const cut = clock.now
            while (clock.now < cut + BOUND) {
              clock.advance(10)
              await turn()
            }
            t.is(reader.get('a'), undefined, 'it may have changed unheard')
            t.true(states.includes('lost'))

            // From here on it does without, and keeps what it loads for a short while alone.
            let value: Value | undefined
            void reader.fetch('a').then(found => (value = found))
            await until(() => {
              if (value === undefined) clock.advance(10)
              return value !== undefined
            })
            t.deepEqual(value, { n: 2 })
            t.true((reader.ttl('a') ?? 0) <= UNCOVERED)

            // The clock goes with the system's now: there are answers to wait for.
            line.mend()
            const start = performance.now() - clock.now
            const pass = () => {
              const passed = Math.floor(performance.now() - start - clock.now)
              if (passed > 0) clock.advance(passed)
            }
            await until(() => {
              pass()
              return states.includes('regained')
            })
            await until(() => {
              pass()
              void reader.fetch('a')
              return (reader.ttl('a') ?? 0) > UNCOVERED
            })
            t.deepEqual(reader.get('a'), { n: 2 })
          },
        )
      }
    }
  }
}
