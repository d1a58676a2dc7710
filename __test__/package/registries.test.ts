// Copies of the package that live side by side on one thread: they share caches by name, and each has
// its own errors, listeners and loads. A copy that is dropped is let go, with all that it opened.
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import test from 'ava'
import { type Package, registry } from '../helpers/registry.ts'
import { start } from '../helpers/worker.ts'

const collect = globalThis.gc as () => void

async function until(what: () => boolean): Promise<void> {
  while (!what()) {
    // What a weak reference gave is held until the turn ends.
    await sleep(5)
    collect()
    await sleep(5)
  }
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

function thrown(f: () => unknown): Error {
  try {
    f()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

let names = 0
const unused = () => `registries ${names++}`

test.serial('each of two copies throws its own errors, whichever was loaded last', async t => {
  const copies = [registry().breakwater, registry().breakwater]
  const caches = copies.map(({ Cache }) => new Cache<string, string>({ max: 10 }))
  for (let turn = 0; turn < 3; turn++) {
    for (const [i, { InvalidKeyError, SnapshotIoError, CacheClosedError }] of copies.entries()) {
      const cache = caches[i] as (typeof caches)[0]
      t.is(thrown(() => cache.get({} as never)).constructor, InvalidKeyError)
      const saved = await rejection(cache.save('/dev/null/nowhere'))
      t.is(saved.constructor, SnapshotIoError)
      const closed = new (copies[i] as Package).Cache({ max: 1 })
      closed.close()
      t.is(thrown(() => closed.get('a')).constructor, CacheClosedError)
    }
  }
})

test.serial('removals are told to the listeners of each copy, by its own delivery', async t => {
  const [one, other] = [registry().breakwater, registry().breakwater]
  const name = unused()
  const here = new one.Cache<string, string>({ name, max: 10 })
  const there = new other.Cache<string, string>({ name, max: 10 })
  const told: string[] = []
  const context = new AsyncLocalStorage<string>()
  here.onRemoval(key => told.push(`here ${key} ${context.getStore()}`))
  there.onRemoval(key => told.push(`there ${key} ${context.getStore()}`))
  context.run('a request', () => here.set('a', '1').delete('a'))
  t.deepEqual(told, ['here a undefined'], 'who removes hears of it at once')
  await until(() => told.length === 2)
  context.run('a request', () => there.set('b', '1').delete('b'))
  t.is(told[2], 'there b undefined')
  await until(() => told.length === 4)
  t.deepEqual(told.sort(), [
    'here a undefined',
    'here b undefined',
    'there a undefined',
    'there b undefined',
  ])
})

test.serial('numbers of caches of one copy mean nothing to another', t => {
  const [one, other] = [registry().breakwater, registry().breakwater]
  const [a, b] = [one, other].map(({ Cache }) => new Cache<string, unknown>({ max: 10 }))
  a?.set('key', 'of one').set('bytes', Buffer.from('one'))
  b?.set('key', 'of the other').set('bytes', Buffer.from('other'))
  t.is(a?.get('key'), 'of one')
  t.is(b?.get('key'), 'of the other')
  t.deepEqual([String(a?.get('bytes')), String(b?.get('bytes'))], ['one', 'other'])
  t.is(other.Cache.attach<string, unknown>(a?.handle as never).get('key'), 'of one')
})

test.serial(
  'a load of one copy answers those who wait in another, and in another thread',
  async t => {
    t.timeout(120_000)
    const [one, other] = [registry().breakwater, registry().breakwater]
    const name = unused()
    let land = (_value: string) => {}
    const leader = new one.Cache<string, string>({ name, max: 10 })
    const loaded = leader.fetch('key', {
      loader: () => new Promise<string>(resolve => (land = resolve)),
    })
    const waits = new other.Cache<string, string>({ name, max: 10 }).fetch('key', {
      loader: () => 'of the one who waits',
    })
    const worker = start(({ breakwater, data, port }) => {
      const cache = new breakwater.Cache<string, string>({ name: data })
      const waits = cache.fetch('key', { loader: () => 'of the worker' })
      port.postMessage('waits')
      return waits
    }, name)
    const end = once(worker, 'exit')
    await once(worker, 'message')
    const answer = once(worker, 'message')
    land('loaded')
    t.deepEqual(await Promise.all([loaded, waits]), ['loaded', 'loaded'])
    t.deepEqual((await answer)[0], { value: 'loaded' })
    await end
  },
)

/** A copy that opened caches of all kinds, listens, has loaded and failed, and closed nothing. */
async function used(name: string): Promise<WeakRef<object>[]> {
  const { breakwater } = registry()
  const { Cache, heap } = breakwater
  const clock = { ttl: '1h', staleIfError: '1h' } as const
  const cache = new Cache<string, string>({ name, max: 100, ...clock, loader: key => key })
  cache.onRemoval(() => {})
  cache.on('hit', () => {})
  cache.on('evict', () => {})
  await cache.fetch('a')
  cache.delete('a')
  const objects = new Cache<string, object>({ max: 2, codec: heap<object>() })
  for (const key of ['a', 'b', 'c']) objects.set(key, {})
  const large = new Cache<string, Buffer>({ max: 10, codec: breakwater.bytes() })
  large.set('a', Buffer.alloc(200_000)).get('a')
  await rejection(cache.save('/dev/null/nowhere'))
  thrown(() => cache.get({} as never))
  return [Cache, cache, objects, large].map(held => new WeakRef<object>(held))
}

test.serial('a hundred copies that are dropped are let go, with their caches', async t => {
  t.timeout(240_000)
  await used(unused())
  collect()
  const before = process.memoryUsage().arrayBuffers
  const first = names
  const held: WeakRef<object>[] = []
  for (let i = 0; i < 100; i++) held.push(...(await used(unused())))
  // The last of them may still lie on the stack.
  const left = () => held.slice(0, -8).filter(ref => ref.deref() !== undefined).length
  await until(() => left() === 0)
  await until(() => process.memoryUsage().arrayBuffers - before < 1024 * 1024)
  const { Cache } = registry().breakwater
  for (let i = first; i < names - 2; i++) {
    await until(() => {
      try {
        Cache.open(`registries ${i}`).close()
        return false
      } catch (error) {
        return (error as { code?: string }).code === 'ERR_NO_SUCH_CACHE'
      }
    })
  }
  t.pass()
})

test.serial('a copy that somebody waits for is held until it has answered', async t => {
  t.timeout(120_000)
  const name = unused()
  const worker = start(({ breakwater, data, port }) => {
    const cache = new breakwater.Cache<string, string>({ name: data, max: 10 })
    let land = (_value: string) => {}
    const loaded = cache.fetch('key', {
      loader: () => new Promise<string>(resolve => (land = resolve)),
    })
    port.once('message', () => land('of the worker'))
    port.postMessage('leads')
    return loaded
  }, name)
  const end = once(worker, 'exit')
  await once(worker, 'message')
  const waits = (() => {
    const { Cache } = registry().breakwater
    return new Cache<string, string>({ name, max: 10 }).fetch('key', { loader: () => 'ours' })
  })()
  for (let i = 0; i < 20; i++) {
    collect()
    await new Promise(setImmediate)
  }
  worker.postMessage('land')
  t.is(await waits, 'of the worker')
  await end
})

test.serial('a file is written and read for a copy that nobody holds', async t => {
  t.timeout(120_000)
  const path = `/tmp/registries-${process.pid}`
  t.teardown(async () => (await import('node:fs/promises')).rm(path, { force: true }))
  const write = () => {
    const { Cache } = registry().breakwater
    const cache = new Cache<string, string>({ max: 1000 })
    for (let i = 0; i < 1000; i++) cache.set(`${i}`, 'value')
    return cache.save(path)
  }
  const fail = () => new (registry().breakwater.Cache)({ max: 1 }).load('/dev/null/nowhere')
  const [saved, failed] = [write(), rejection(fail())]
  collect()
  t.is(await saved, 1000)
  t.like(await failed, { code: 'ERR_SNAPSHOT_IO' })
})
