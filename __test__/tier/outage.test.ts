// Redis is killed and started again, time after time, under a load of reads, with an origin that is
// well or sick meanwhile: hot keys are answered, by nothing that is older than it may be.
import { setImmediate as turn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import type { Redis } from 'ioredis'
import type { Cancel } from '../../src/base/timers.ts'
import { Cache, type CacheOptions, json } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { redis as tier } from '../../src/tier/redis/index.ts'
import { installed, type Served } from '../router/support.ts'
import { connect, type Library, libraries } from './invalidation.ts'
import { type ServerKind, servers } from './servers.ts'

const check = installed('redis-server') ? test.serial : test.serial.skip

const TTL = 200
const GRACE = 1_000
/** How long Redis is waited for: for so long a value may be on its way, and be no older by it. */
const TIMEOUT = 300
const HOT = Array.from({ length: 20 }, (_, i) => `hot ${i}`)
/** Reads of hot keys, all at once, and of cold ones beside them. */
const HOT_READS = 60
const COLD_READS = 4

interface Value {
  key: string
  at: number
}

/** A clock that goes with the system's while a test pumps it, and knows how many wait for it. */
class CountingClock extends ManualClock {
  waiting = 0
  #last = performance.now()

  override after(ms: number, call: () => void): Cancel {
    this.waiting++
    let over = false
    const end = () => {
      if (!over) this.waiting--
      over = true
    }
    const cancel = super.after(ms, () => {
      end()
      call()
    })
    return () => {
      end()
      cancel()
    }
  }

  /** One turn of the event loop. */
  async pump(): Promise<void> {
    await turn()
    const passed = Math.floor(performance.now() - this.#last)
    this.#last += passed
    if (passed > 0) this.advance(passed)
  }

  async pumpUntil(what: () => boolean): Promise<void> {
    while (!what()) await this.pump()
  }
}

/** A cache over a server under load, and what is known of what it may answer. */
class Load {
  readonly clock = new CountingClock()
  readonly cache: Cache<string, Value>
  /** Whether changes elsewhere are heard of. */
  covered = true
  /** Whether Redis is asked. */
  asked = true
  /** Whether the origin fails. */
  sick = false
  /** When the last load of each key began. */
  readonly loaded = new Map<string, number>()
  reads = 0
  stale = 0
  refused = 0
  readonly #t: ExecutionContext
  #cold = 0

  constructor(t: ExecutionContext, client: object, onTierLoss: 'drop' | 'stale') {
    this.#t = t
    const options: CacheOptions<Value, string> = {
      name: `outage ${Math.random()}`,
      max: 1000,
      codec: json<Value>(),
      clock: this.clock,
      ttl: TTL,
      staleIfError: GRACE,
      retryAfter: 20,
      uncoveredTtl: TTL / 2,
      onTierLoss,
      tier: tier(client, {
        timeout: TIMEOUT,
        grace: GRACE,
        breaker: { failures: 3, halfOpenAfter: 50 },
        invalidation: { heartbeat: 100, bound: 300 },
      }),
      loader: async key => {
        const begun = this.clock.now
        await turn()
        if (this.sick) throw new Error('the origin is sick')
        this.loaded.set(key, begun)
        return { key, at: this.clock.now }
      },
    }
    this.cache = new Cache<string, Value>(options)
    this.cache.on('tier', ({ state }) => {
      if (state !== 'failed') this.covered = state === 'regained'
    })
    this.cache.on('breaker', ({ state }) => {
      this.asked = state === 'closed'
    })
  }

  /** Reads for so long, at least until something is so. */
  async run(ms: number, what = () => true): Promise<void> {
    const end = this.clock.now + ms
    while (this.clock.now < end || !what()) {
      const begun = this.clock.now
      const keys = Array.from({ length: HOT_READS }, (_, i) => HOT[i % HOT.length]!)
      for (let i = 0; i < COLD_READS; i++) keys.push(`cold ${this.#cold++ % 5_000}`)
      let left = keys.length
      for (const key of keys) {
        void this.#read(key, begun).finally(() => left--)
      }
      await this.clock.pumpUntil(() => left === 0)
    }
  }

  async #read(key: string, begun: number): Promise<void> {
    const t = this.#t
    this.reads++
    try {
      const value = (await this.cache.fetch(key)) as Value
      // Compared by hand: an assertion of each of so many reads takes longer than the read.
      if (value.key !== key) t.fail(`${value.key} in place of ${key}`)
      const age = begun - value.at
      if (age > TTL) this.stale++
      if (age > TTL + GRACE + TIMEOUT) t.fail(`${key} is ${age} ms old`)
    } catch (error) {
      if (!this.sick) throw error
      this.refused++
      // A cold key may have been evicted.
      const good = key.startsWith('hot') ? this.loaded.get(key) : undefined
      const age = this.clock.now - (good ?? Number.NEGATIVE_INFINITY)
      if (age < GRACE) t.fail(`${key} was loaded ${age} ms ago: ${error}`)
    }
  }
}

async function outages(
  t: ExecutionContext,
  library: Library,
  onTierLoss: 'drop' | 'stale',
  { start }: ServerKind,
) {
  let server: Served = await start(t)
  const { port } = server
  const { client } = await connect(t, library, port)
  const before = listeners(client)
  const load = new Load(t, client, onTierLoss)
  const { clock } = load
  let ready = false
  void load.cache.ready.then(() => (ready = true))
  await clock.pumpUntil(() => ready)
  await load.run(300)
  for (const sick of onTierLoss === 'stale' ? [false, true] : [false, false]) {
    const stopped = server.stop('SIGKILL')
    await load.run(300, () => !load.asked && !load.covered)
    await stopped
    load.sick = sick
    const { stale } = load
    await load.run(GRACE / 2)
    if (sick) t.true(load.stale > stale, 'what is stale is better than an error')
    load.sick = false
    server = await start(t, '--port', String(port))
    await load.run(300, () => load.asked && load.covered)
  }
  t.true(load.reads > 1_000)
  const written = load.loaded.size
  t.true(written >= HOT.length)
  // For longer than anything may be stale there is nothing to answer with.
  await load.run(100)
  load.sick = true
  if (onTierLoss === 'stale') {
    await load.run(2 * (TTL + GRACE + TIMEOUT))
    t.true(load.refused > 0)
  }
  await load.cache.close()
  // What nobody waits for ends by its own time limit.
  clock.advance(10_000)
  t.is(clock.waiting, 0)
  t.deepEqual(listeners(client), before)
}

/** How many listen to a client, by event. */
function listeners(client: object): Record<string, number> {
  const emitter = client as Redis
  const names = emitter.eventNames().map(name => [String(name), emitter.listenerCount(name)])
  return Object.fromEntries(names.filter(([, count]) => count !== 0).sort())
}

for (const kind of servers) {
  for (const library of libraries) {
    for (const onTierLoss of ['stale', 'drop'] as const) {
      check(
        `hot keys are read while ${kind.title} comes and goes: ${library}, ${onTierLoss}`,
        async t => {
          t.timeout(120_000)
          await outages(t, library, onTierLoss, kind)
        },
      )
    }
  }
}
