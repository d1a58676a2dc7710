// Flights in a storm: threads join, land, fail, give away, take over, leave, close and are terminated
// at random, and whoever waits hears of it.
import { once } from 'node:events'
import test from 'ava'
import { codingNamed } from '../../src/codec/codecs.ts'
import { binding } from '../../src/native/native.ts'
import { type Inside, start } from '../helpers/worker.ts'

interface Storm {
  options: object
  seed: number
  steps: number
  gate: Int32Array
  threads: number
}

/** A thread in the storm. It ends by itself when it neither leads nor waits any more. */
async function weather({ native: { binding, flyers }, data, port }: Inside<Storm>) {
  const LEAD = 8
  const ALONE = 9
  const ALONE_HERE = 0
  const OVERTAKEN = 10
  const { gate, options, steps, threads } = data
  const heard = { values: 0, turns: 0, wrong: [] as string[] }
  /** The flights that this thread waits for, and by which lease it leads which flight. */
  let waits = new Set<number>()
  let leads = new Map<number, number>()
  let at = 0

  let state = data.seed
  const below = (n: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * n)
  }
  const anyOf = <T>(all: Iterable<T>) => {
    const list = [...all]
    return list[below(list.length)] as T
  }

  const open = () => {
    const before = at
    const instance = binding.open(options)
    const [ownWaits, ownLeads] = [new Set<number>(), new Map<number, number>()]
    const fly = (flight: number, kind: number, value: unknown) => {
      if (kind === ALONE) return
      if (kind === OVERTAKEN) {
        const lease = [...ownLeads.keys()].find(lease => ownLeads.get(lease) === flight)
        if (lease === undefined || ownWaits.has(flight)) heard.wrong.push(`overtaken: ${flight}`)
        else ownLeads.delete(lease)
        ownWaits.add(flight)
        return
      }
      ownWaits.delete(flight)
      if (kind === LEAD) {
        // It may have led the flight already, and hear of both at once that another one did meanwhile.
        const before = [...ownLeads.keys()].find(lease => ownLeads.get(lease) === flight)
        if (before !== undefined) ownLeads.delete(before)
        ownLeads.set(value as number, flight)
      }
      heard[kind === LEAD ? 'turns' : 'values']++
    }
    flyers.set(instance.number, new WeakRef(fly))
    Object.assign(globalThis, { held: [instance, fly] })
    at = instance.number
    waits = ownWaits
    leads = ownLeads
    if (before !== 0) binding.close(before)
  }

  const key = () => `key ${below(4)}`
  const join = () => {
    const number = binding.join(at, key(), below(3))
    if (number > 0) leads.set(number, number)
    else if (number < 0 && ![...leads.values()].includes(-number)) waits.add(-number)
  }
  const end = () => {
    const [lease, flight] = anyOf(leads)
    leads.delete(lease)
    const how = below(5)
    if (how === 0) binding.land(at, lease, 'value', undefined, undefined)
    else if (how === 1) binding.give(at, lease, 'value')
    else if (how === 2 && !binding.fail(at, lease, 'failed')) waits.add(flight)
    else if (how === 3 && !binding.leave(at, flight)) leads.set(lease, flight)
    else if (how === 4 && binding.handOver(at, flight, lease) !== ALONE_HERE) waits.add(flight)
  }
  const linger = () => {
    const [lease, flight] = anyOf(leads)
    if (binding.overdue(at, flight) === ALONE_HERE) return
    leads.delete(lease)
    waits.add(flight)
  }
  const leave = () => {
    const flight = anyOf(waits)
    waits.delete(flight)
    binding.leave(at, flight)
  }
  const act = () => {
    const what = below(100)
    if (what < 40 && leads.size < 2) join()
    else if (what < 50 && leads.size > 0) end()
    else if (what < 60 && waits.size > 0) leave()
    else if (what < 68 && waits.size > 0) binding.overdue(at, anyOf(waits))
    else if (what < 70 && leads.size > 0) linger()
    else if (what < 73) binding.set(at, key(), 'written', 1)
    else if (what < 76) binding.delete(at, key())
    else if (what < 77) open()
  }

  open()
  // All begin at once.
  if (Atomics.add(gate, 0, 1) === threads - 1) Atomics.notify(gate, 0)
  for (let n = Atomics.load(gate, 0); n < threads; n = Atomics.load(gate, 0)) {
    Atomics.wait(gate, 0, n)
  }
  for (let step = 0; step < steps; step++) {
    act()
    // Lets others have the processor in the middle, also where there are few.
    if (below(2) === 0) Atomics.wait(gate, 1, 0, 0.05)
    if (below(3) === 0) await new Promise(resolve => setImmediate(resolve))
    if (step === steps >> 1) port.postMessage('half')
  }
  // What comes now is ended at once, until nothing comes any more.
  while (waits.size > 0 || leads.size > 0) {
    for (const lease of leads.keys()) binding.give(at, lease, 'last')
    leads.clear()
    await new Promise(resolve => setImmediate(resolve))
  }
  binding.close(at)
  return heard
}

test('in a storm all who wait hear what came of it, whoever is terminated', async t => {
  t.timeout(120_000)
  const { id, accepts } = codingNamed('string')!
  const bounds = { max: 100, policy: 'lru', jitter: 0, near: 0, grace: 0 }
  for (let round = 0; round < 2; round++) {
    const name = `storm ${round}`
    const options = { ...bounds, name, codec: 'string', codecId: id, accepts }
    const cache = binding.open(options)
    const gate = new Int32Array(new SharedArrayBuffer(8))
    const threads = 6
    const workers = Array.from({ length: threads }, (_, i) =>
      start(weather, { options, seed: 100 * round + i, steps: 2_500, gate, threads }),
    )
    const dying = workers.splice(0, 2)
    const deaths = dying.map(async worker => {
      await once(worker, 'message')
      await worker.terminate()
    })
    const lives = workers.map(async worker => {
      const end = once(worker, 'exit')
      await once(worker, 'message')
      const [{ value }] = await once(worker, 'message')
      await end
      t.deepEqual(value.wrong, [])
      t.true(value.values > 0 && value.turns > 0)
    })
    await Promise.all([...deaths, ...lives])
    // Nobody has left a flight behind.
    for (let i = 0; i < 4; i++) t.true(binding.join(cache.number, `key ${i}`, 2) > 0)
    binding.close(cache.number)
  }
})
