// The race of every cache-aside program: a load reads the old value, somebody writes the new one and
// tells the cache, and only then the load comes to its end. Every order of the steps is forced.
import test from 'ava'
import { Cache, type SetOptions } from '../../src/index.ts'
import { inOrders, type Step } from '../helpers/orders.ts'

/** How a writer tells the cache that a key has another value now. */
interface Way {
  /** What a load and a `set` say of their value. */
  options: (version: number) => SetOptions | undefined
  tell: (cache: Cache<string, number>, key: string, value: number) => unknown
  /** Whether it leaves its own value, which may be that of the writer who wrote first. */
  leaves?: boolean
}

const plain = () => undefined
const tagged = () => ({ tags: ['both', 'one'] })
const versioned = (version: number) => ({ version })

const ways: Record<string, Way> = {
  delete: { options: plain, tell: (cache, key) => cache.delete(key) },
  set: { options: plain, tell: (cache, key, value) => cache.set(key, value), leaves: true },
  'set of a version': {
    options: versioned,
    tell: (cache, key, value) => cache.set(key, value, versioned(value)),
  },
  tag: { options: tagged, tell: cache => cache.invalidateTag('one') },
  'tag, softly': { options: tagged, tell: cache => cache.invalidateTag('one', { stale: true }) },
  deleteMany: { options: plain, tell: (cache, key) => cache.deleteMany(['other', key]) },
  setMany: {
    options: plain,
    tell: (cache, key, value) => cache.setMany([[key, value]]),
    leaves: true,
  },
  clear: { options: plain, tell: cache => cache.clear() },
  invalidate: { options: plain, tell: (cache, key) => cache.invalidate(key) },
  put: { options: plain, tell: (cache, key, value) => cache.put(key, value), leaves: true },
}

/** Asks for the value of a key, or loads it by hand. */
type Ask = (load: () => Promise<number>, version: number) => unknown

/** A reader whose load does nothing before it is told to. */
class Reader {
  #land: ((value: number) => void) | undefined
  #read = 0

  ask(ask: Ask, version: number): void {
    this.#land = undefined
    ask(() => new Promise(resolve => (this.#land = resolve)), version)
  }

  /** The origin answers, and the answer is on its way. */
  read(value: number): void {
    this.#read = value
  }

  async land(): Promise<void> {
    this.#land?.(this.#read)
    // More turns than any load takes from its loader to the cache.
    for (let turn = 0; turn < 16; turn++) await undefined
  }
}

const readers = { first: ['ask', 'read', 'land'], second: ['ask', 'read', 'land'] }
const oneWriter = { ...readers, writer: ['write', 'tell'] }
const twoWriters = { ...oneWriter, other: ['write', 'tell'] }

/** Goes through the steps of one order; the values that were kept too long, if any. */
async function violation(
  steps: readonly Step[],
  ask: Ask,
  tell: (value: number) => unknown,
  kept: () => number | undefined,
  leaves: boolean,
): Promise<string | undefined> {
  const reading: Record<string, Reader> = { first: new Reader(), second: new Reader() }
  const written: Record<string, number> = {}
  let origin = 0
  /** No older value may be found. */
  let oldest = 0
  for (const [actor, step] of steps) {
    if (step === 'ask') reading[actor]!.ask(ask, origin)
    else if (step === 'read') reading[actor]!.read(origin)
    else if (step === 'land') await reading[actor]!.land()
    else if (step === 'write') written[actor] = ++origin
    else {
      const telling = tell(written[actor]!)
      if (telling instanceof Promise) await telling
      // A writer that comes late with what it wrote early is not the cache's to find out.
      oldest = leaves ? written[actor]! : Math.max(oldest, written[actor]!)
    }
    const found = kept()
    if (found !== undefined && found < oldest) {
      const order = steps.map(([actor, step]) => `${actor} ${step}`).join(', ')
      return `${found} after ${actor} ${step}, when ${oldest} was told: ${order}`
    }
  }
  return undefined
}

/** Counts the orders, and throws at the first one in which an old value is kept. */
async function checkOrders(way: Way, actors: Record<string, string[]>): Promise<number> {
  const cache = new Cache<string, number>({ max: 1_000, codec: 'number' })
  let orders = 0
  for (const steps of inOrders(actors)) {
    const key = `key ${orders++}`
    const ask: Ask = (load, version) => cache.getOrSet(key, load, way.options(version))
    const tell = (value: number) => way.tell(cache, key, value)
    const found = await violation(steps, ask, tell, () => cache.get(key), way.leaves === true)
    if (found !== undefined) throw new Error(found)
  }
  await cache.close()
  return orders
}

for (const name of ['delete', 'set', 'set of a version', 'tag']) {
  test(`two loads and two writers by ${name}: an old value is kept in no order of steps`, async t => {
    t.is(await checkOrders(ways[name]!, twoWriters), 25_200)
  })
}

for (const [name, way] of Object.entries(ways)) {
  test(`two loads and a writer by ${name}: an old value is kept in no order of steps`, async t => {
    t.is(await checkOrders(way, oneWriter), 560)
  })
}

test('a program that looks, loads and stores keeps old values in many of these orders', async t => {
  const cache = new Cache<string, number>({ max: 1_000, codec: 'number' })
  let orders = 0
  let wrong = 0
  for (const steps of inOrders(oneWriter)) {
    const key = `key ${orders++}`
    const ask: Ask = async load => {
      if (cache.get(key) === undefined) cache.set(key, await load())
    }
    const tell = () => cache.delete(key)
    if ((await violation(steps, ask, tell, () => cache.get(key), false)) !== undefined) wrong++
  }
  t.true(wrong > 50, `${wrong} of ${orders}`)
  await cache.close()
})
