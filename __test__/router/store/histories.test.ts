// Recorded histories: clients of two nodes over one store, while connections of the nodes are cut, their
// threads ended and nodes killed. Each key holds the highest number that was written to it. Some clients
// track, and keep what they have read until they are told.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { freePort } from '../../../scripts/free-port.mjs'
import { random } from '../../helpers/random.ts'
import { Raw, redis, type Served, serveMortal } from '../support.ts'
import { Keeper, MANNERS, type Manner } from './keeper.ts'
import { hasRedis, replicaOf } from './support.ts'

const SEED = Number(process.env.BREAKWATER_SEED ?? Date.now() % 2 ** 31)
const OPERATIONS = Number(process.env.BREAKWATER_OPERATIONS ?? 6_000)
const KEYS = 4
const TTL = 1_000
/** How often a node is killed. */
const KILLS = Math.ceil(OPERATIONS / 50_000)

/** A write of a higher number wins, also one that arrives late: a write that failed may be done yet. */
const WRITE = `
  if tonumber(redis.call('get', KEYS[1]) or '0') < tonumber(ARGV[1]) then
    redis.call('set', KEYS[1], ARGV[1])
  end
  return 'OK'`

/** One operation, from its call to its return in the order of the test's process. */
interface Operation {
  key: string
  node: number
  client: number
  /** What was read, or is written. */
  value: number
  writes: boolean
  /** How its client tracks, if it was read from what that keeps. */
  kept?: Manner
  call: number
  called: number
  /** Missing if it failed: it may be done, or not. */
  returned?: number
  end?: number
}

/** When nodes were disturbed, in the time of the test's process. */
type Disturbances = number[]
/** How long after a disturbance the store is not relied on to tell of changes at once. */
const RECOVERY = 500

/** The highest of each key among operations as they end. */
class Highest {
  readonly #of = new Map<string, number>()

  get(key: string): number {
    return this.#of.get(key) ?? 0
  }

  add(key: string, value: number): void {
    if (value > this.get(key)) this.#of.set(key, value)
  }
}

async function start(
  t: ExecutionContext,
  store: Served,
  replicas: Served[],
  port: number,
): Promise<Served> {
  const routes = ['--route', 'c:*,readConcern=consistent']
  routes.push('--route', `b:*,ttl=${TTL}ms,jitter=0,refreshAhead=0.2`)
  for (const { port } of replicas) routes.push('--store-replica', `redis://127.0.0.1:${port}`)
  if (replicas.length > 0) routes.push('--read-from', 'preferReplica')
  const url = `redis://127.0.0.1:${store.port}`
  return serveMortal(t, '--port', `${port}`, '--store', url, '--threads', '2', ...routes)
}

function connect(t: ExecutionContext, port: number): Redis {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    retryStrategy: () => 20,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: 10_000,
  })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return client
}

const recorded = hasRedis ? test : test.skip

for (const count of [0, 2]) {
  const from = count === 0 ? '' : `, read from ${count} replicas`
  recorded(`no read through two nodes gives what is older than it may be${from}`, t =>
    record(t, count),
  )
}

async function record(t: ExecutionContext, count: number): Promise<void> {
  t.timeout(Math.max(240_000, OPERATIONS * 5))
  t.log(`seed ${SEED}`)
  const draw = random(SEED)
  const store = await redis(t, '--repl-diskless-sync-delay', '0')
  const replicas = await Promise.all(Array.from({ length: count }, () => replicaOf(t, store)))
  const ports = [await freePort(), await freePort()]
  const nodes = await Promise.all(ports.map(port => start(t, store, replicas, port)))
  const direct = await Raw.open(t, store.port)
  const clients = ports.flatMap((port, node) =>
    Array.from({ length: 5 }, () => ({ node, redis: connect(t, port) })),
  )
  const history: Operation[] = []
  const disturbances: Disturbances = []
  /** When each node is there again that was killed: its clients wait for that, however long it takes. */
  const there: Promise<unknown>[] = nodes.map(() => Promise.resolve())
  let [order, number, failed] = [0, 0, 0]

  /** One client's operations, one or a few at a time. */
  async function work(client: number): Promise<void> {
    const { node, redis } = clients[client]!
    while (history.length < OPERATIONS) {
      const batch = Array.from({ length: draw() < 0.3 ? 3 : 1 }, async () => {
        const key = keyOf()
        const writes = draw() < 0.15
        const value = writes ? ++number : 0
        const call = ++order
        const called = performance.now()
        const operation: Operation = { key, node, client, value, writes, call, called }
        history.push(operation)
        try {
          if (writes) await redis.eval(WRITE, 1, key, value)
          else operation.value = Number((await redis.get(key)) ?? 0)
          operation.returned = ++order
          operation.end = performance.now()
        } catch (error) {
          failed++
          if (/timed out/.test(String(error))) t.fail(`${key} of node ${node}: never answered`)
          await Promise.all([sleep(5), there[node]])
        }
      })
      await Promise.all(batch)
    }
  }

  /** What a client that tracks reads, from what it keeps or by asking. */
  async function keep(keeper: Keeper, node: number, client: number): Promise<void> {
    const { manner } = keeper
    while (history.length < OPERATIONS) {
      const key = keyOf()
      const value = keeper.kept(key)
      const [call, called] = [++order, performance.now()]
      const operation: Operation = { key, node, client, value: 0, writes: false, call, called }
      if (value !== undefined) operation.kept = manner
      history.push(operation)
      const given = value ?? (await keeper.ask(key))
      if (given === undefined) {
        failed++
        await Promise.all([sleep(5), there[node]])
        continue
      }
      Object.assign(operation, { value: given, returned: ++order, end: performance.now() })
      // Others read as well, and what it is told arrives.
      if (value !== undefined) await sleep(1)
    }
  }

  const keyOf = () => `${draw() < 0.3 ? 'c' : 'b'}:${Math.floor(draw() * KEYS)}`

  /** Cuts connections of the nodes, all or one, ends threads, and kills a node now and then. */
  async function disturb(): Promise<void> {
    let kills = 0
    for (let next = 200; history.length < OPERATIONS; next += gap()) {
      while (history.length < Math.min(next, OPERATIONS)) await sleep(1)
      disturbances.push(performance.now())
      if (history.length > ((kills + 0.5) * OPERATIONS) / KILLS) {
        const node = kills++ % 2
        nodes[node]!.process.kill('SIGKILL')
        const started = start(t, store, replicas, ports[node]!)
        there[node] = started
        nodes[node] = await started
      } else if (replicas.length > 0 && draw() < 0.2) {
        await replicas[0]!.stop('SIGKILL')
        replicas[0] = await replicaOf(t, store, replicas[0]!.port)
      } else {
        await upset()
      }
      disturbances.push(performance.now())
    }
  }

  async function upset(): Promise<void> {
    const chance = draw()
    if (chance < 0.3)
      return void (await direct.send('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
    if (chance < 0.6) return void nodes[Math.floor(draw() * 2)]!.process.kill('SIGUSR2')
    const list = await direct.send('CLIENT', 'LIST')
    const ids = [...list.matchAll(/^(?:\$\d+\r\n)?id=(\d+) .* name=breakwater /gm)]
    const id = ids[Math.floor(draw() * ids.length)]?.[1]
    if (id !== undefined) await direct.send('CLIENT', 'KILL', 'ID', id)
  }

  /** How many operations pass before the next disturbance: mostly few, now and then very many. */
  function gap(): number {
    return 300 + (OPERATIONS > 50_000 ? Math.floor(draw() ** 4 * 20_000) : 0)
  }

  const keepers = ports.flatMap((port, node) =>
    MANNERS.map(manner => ({ node, keeper: new Keeper(t, port, manner) })),
  )
  const keeping = keepers.map(({ node, keeper }, at) => keep(keeper, node, clients.length + at))
  await Promise.all([disturb(), ...clients.map((_, client) => work(client)), ...keeping])
  t.log(`${history.length} operations, ${failed} failed, ${disturbances.length / 2} disturbances`)
  t.true(failed < history.length / 2)
  check(t, history, disturbances)
  // Nothing that a client keeps is wrong for good.
  for (const name of ['b', 'c']) {
    for (let n = 0; n < KEYS; n++) {
      const key = `${name}:${n}`
      const last = Number((await direct.send('GET', key)).split('\r\n')[1] ?? 0)
      const wrong = () => keepers.some(({ keeper }) => (keeper.kept(key) ?? last) !== last)
      while (wrong()) await sleep(5)
    }
  }
}

/** The events of a history, in their order. */
function eventsOf(history: Operation[]): { operation: Operation; ends: boolean }[] {
  const events: { operation: Operation; ends: boolean }[] = []
  for (const operation of history) {
    events[operation.call] = { operation, ends: false }
    if (operation.returned !== undefined) events[operation.returned] = { operation, ends: true }
  }
  return events.filter(event => event !== undefined)
}

/** When each number of a key, or a higher one, was first known to be written. */
class Known {
  readonly #all: { value: number; at: number }[] = []

  add(value: number, at: number): void {
    if (value > (this.#all.at(-1)?.value ?? 0)) this.#all.push({ value, at })
  }

  /** When a number higher than this one was known. */
  higher(value: number): number | undefined {
    let [from, to] = [0, this.#all.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (this.#all[middle]!.value > value) to = middle
      else from = middle + 1
    }
    return this.#all[from]?.at
  }
}

/** Goes through the history in its order. */
function check(t: ExecutionContext, history: Operation[], disturbances: Disturbances): void {
  const [written, read, called] = [new Highest(), new Highest(), new Highest()]
  const byNode = [new Highest(), new Highest()]
  const own = new Map<number, Highest>()
  const least = new Map<Operation, number>()
  const times = new Map<string, Known>()
  const ages: Ages = { calm: [], upset: [], kept: [], keptByPrefix: [] }
  const late: Operation[] = []
  const last = lastOf(disturbances)
  for (const { operation, ends } of eventsOf(history)) {
    const { key, node, client, value, writes } = operation
    const mine = own.get(client) ?? new Highest()
    own.set(client, mine)
    const strict = key.startsWith('c:')
    if (!ends) {
      if (writes) called.add(key, value)
      // Consistent: all that ended. Balanced: what was written through this node, and by itself.
      const floors = strict
        ? [written.get(key), read.get(key)]
        : [byNode[node]!.get(key), mine.get(key)]
      least.set(operation, Math.max(...floors))
      continue
    }
    const known = times.get(key) ?? new Known()
    times.set(key, known)
    if (writes) {
      for (const highest of [written, byNode[node]!, mine]) highest.add(key, value)
      known.add(value, operation.end!)
      continue
    }
    const floor = least.get(operation)!
    least.delete(operation)
    // Who keeps a copy is told of a change, which takes its time.
    if ((value < floor && !operation.kept) || value > called.get(key)) {
      t.fail(`seed ${SEED}: ${key} gave ${value}, which is not from ${floor} to ${called.get(key)}`)
      return
    }
    if (!operation.kept) read.add(key, value)
    // How long ago it was known that a higher number is there, when the read was called.
    const since = known.higher(value)
    if (since === undefined || since >= operation.called) continue
    if (operation.kept) {
      const byPrefix = operation.kept === 'BCAST'
      ages[byPrefix ? 'keptByPrefix' : 'kept'].push(operation.called - since)
      if (operation.called - since > TTL + 50) late.push({ ...operation, end: since })
      continue
    }
    const calm = since - last(operation.end!) > RECOVERY
    ages[calm ? 'calm' : 'upset'].push(operation.called - since)
  }
  report(t, ages)
  const oldest = highest([...ages.calm, ...ages.upset])
  // The node measures from before it asked the store: a machine that stalls makes it no longer.
  t.true(oldest <= TTL + 50, `a reply was ${oldest} ms old`)
  for (const { node, called, end } of late) {
    // News of a change come no faster than anything else: what was under way then took as long.
    const since = end!
    const slowest = history.reduce((most, of) => {
      const meets = of.node === node && of.called <= called && (of.end ?? called) >= since
      return meets ? Math.max(most, (of.end ?? called) - of.called) : most
    }, 0)
    const age = called - since
    t.true(age <= TTL + 50 + slowest, `what was kept was ${age} ms old, ${slowest} ms the slowest`)
  }
}

/**
 * How old the replies were that were not the newest, in milliseconds, where nothing had been disturbed and
 * else; and what clients that track kept.
 */
interface Ages {
  calm: number[]
  upset: number[]
  kept: number[]
  keptByPrefix: number[]
}

function report(t: ExecutionContext, ages: Ages): void {
  for (const name of ['calm', 'upset', 'kept', 'keptByPrefix'] as const) {
    const all = ages[name]
    const late = all.filter(age => age > 20).length
    const oldest = highest(all).toFixed(1)
    t.log(
      `${name}: ${all.length} replies were behind a write, the oldest ${oldest} ms, ${late} above 20`,
    )
  }
}

function highest(all: number[]): number {
  return all.reduce((most, age) => Math.max(most, age), 0)
}

/** When the last disturbance before a time was, for times that mostly rise. */
function lastOf(disturbances: Disturbances): (before: number) => number {
  return before => {
    let [from, to] = [0, disturbances.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (disturbances[middle]! > before) to = middle
      else from = middle + 1
    }
    return disturbances[from - 1] ?? Number.NEGATIVE_INFINITY
  }
}
