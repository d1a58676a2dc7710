import { once } from 'node:events'
import test from 'ava'
import { bytes, Cache, json, type RemovalReason } from '../../src/index.ts'
import { ManualClock } from '../../src/testing.ts'
import { inWorker } from '../helpers/worker.ts'

type Seen = [key: string, value: unknown, reason: RemovalReason]

function watch<V>(cache: Cache<string, V>): Seen[] {
  const seen: Seen[] = []
  cache.onRemoval((key, value, reason) => seen.push([key, value, reason]))
  return seen
}

test('a listener is told who left and why, in order, by the end of the call', t => {
  const clock = new ManualClock()
  const cache = new Cache({ max: 3, policy: 'lru', clock })
  const seen = watch(cache)
  cache.set('a', '1').set('a', '2')
  t.deepEqual(seen.splice(0), [['a', '1', 'replaced']])
  cache.delete('a')
  t.deepEqual(seen.splice(0), [['a', '2', 'deleted']])
  cache.set('b', '1').set('c', '2').set('d', '3').set('e', '4')
  t.deepEqual(seen.splice(0), [['b', '1', 'evicted']])
  cache.expire('c', 8)
  clock.advance(8)
  t.deepEqual(seen.splice(0), [['c', '2', 'expired']])
  cache.clear()
  t.deepEqual(seen.map(String).sort(), ['d,3,cleared', 'e,4,cleared'])
})

test('an entry that a read finds expired is told of by that read', t => {
  const cache = new Cache({ max: 10 })
  const seen = watch(cache)
  cache.set('a', '1', { ttl: 1 })
  // Reads until it has expired: the clock is real here, since a manual one collects as it moves.
  while (cache.get('a') !== undefined);
  t.deepEqual(seen, [['a', '1', 'expired']])
})

test('calls on many keys and smaller bounds tell of each entry', t => {
  const cache = new Cache({ max: 10, policy: 'lru' })
  const seen = watch(cache)
  cache.setMany([
    ['a', '1'],
    ['b', '2'],
    ['c', '3'],
    ['a', '4'],
  ])
  cache.deleteMany(['b'])
  t.deepEqual(seen.splice(0), [
    ['a', '1', 'replaced'],
    ['b', '2', 'deleted'],
  ])
  cache.resize({ max: 1 })
  t.deepEqual(seen.splice(0), [['c', '3', 'evicted']])
})

test('values come decoded, whatever the codec', t => {
  const objects = new Cache({ max: 10, codec: json<{ n: number }>() })
  const seenObjects = watch(objects)
  objects.set('a', { n: 1 }).delete('a')
  t.deepEqual(seenObjects, [['a', { n: 1 }, 'deleted']])
  const blobs = new Cache({ max: 10, codec: bytes() })
  const seenBlobs = watch(blobs)
  blobs.set('a', Buffer.alloc(100_000, 7)).delete('a')
  t.deepEqual(seenBlobs, [['a', Buffer.alloc(100_000, 7), 'deleted']])
})

test('what a listener does to the cache is told of after what it is told of', t => {
  const cache = new Cache({ max: 10 })
  const seen: string[] = []
  cache.onRemoval((key, value, reason) => {
    seen.push(`${key} ${value} ${reason}`)
    if (Number(value) < 3) cache.set('a', `${Number(value) + 1}`).set('a', `${Number(value) + 2}`)
    seen.push('end')
  })
  cache.set('a', '1').delete('a')
  t.deepEqual(seen.slice(0, 4), ['a 1 deleted', 'end', 'a 2 replaced', 'end'])
  t.true(seen.every((line, i) => (line === 'end') === (i % 2 === 1)))
})

test('a listener that reads bytes does not disturb the read that it interrupts', t => {
  const cache = new Cache({ max: 10, codec: bytes() })
  const other = new Cache({ max: 10, codec: bytes() })
  for (const size of [10, 100_000]) {
    other.set('x', Buffer.alloc(size, 'x'))
    cache.set('kept', Buffer.alloc(size, 'k')).set('brief', Buffer.from('b'), { ttl: 1 })
    const stop = cache.onRemoval(() => other.get('x'))
    // The read of a key and the expiry of another can fall into one call only by maintenance.
    while (cache.has('brief')) t.true(cache.get('kept')?.equals(Buffer.alloc(size, 'k')))
    stop()
  }
})

test('the listeners of one cache and of another are told of their own', t => {
  const [first, second] = [new Cache({ max: 10 }), new Cache({ max: 10 })]
  const [seenFirst, seenSecond] = [watch(first), watch(second)]
  first.set('a', '1').delete('a')
  second.set('b', '2').delete('b')
  t.deepEqual(seenFirst, [['a', '1', 'deleted']])
  t.deepEqual(seenSecond, [['b', '2', 'deleted']])
})

test('a listener that was taken away hears no more, others do', t => {
  const cache = new Cache({ max: 10 })
  const seen: string[] = []
  const listener = () => seen.push('twice')
  const [stopFirst, stopSecond] = [cache.onRemoval(listener), cache.onRemoval(listener)]
  cache.set('a', '1').delete('a')
  stopFirst()
  stopFirst()
  cache.set('a', '1').delete('a')
  stopSecond()
  cache.set('a', '1').delete('a')
  t.is(seen.length, 3)
  cache.onRemoval(listener)
  cache.set('a', '1').delete('a')
  t.is(seen.length, 4)
})

test('what a listener throws stops neither the call nor other listeners', async t => {
  const cache = new Cache({ max: 10 })
  cache.onRemoval(() => {
    throw new Error('a listener failed')
  })
  const seen = watch(cache)
  // AVA listens to these as well, and would fail the test.
  const others = process.rawListeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const uncaught = once(process, 'uncaughtException')
  t.true(cache.set('a', '1').delete('a'))
  t.deepEqual(seen, [['a', '1', 'deleted']])
  const [error] = await uncaught
  for (const other of others) process.on('uncaughtException', other as () => void)
  t.is(error.message, 'a listener failed')
})

test('removals by another worker arrive, in order', async t => {
  const cache = new Cache({ name: 'removals-by-others', max: 1000 })
  const seen = watch(cache)
  cache.set('a', '0')
  await inWorker(({ breakwater }) => {
    const same = new breakwater.Cache({ name: 'removals-by-others' })
    for (let i = 1; i <= 200; i++) same.set('a', `${i}`)
    same.delete('a')
  })
  while (seen.length < 201) await new Promise(setImmediate)
  t.deepEqual(
    seen.map(([, value]) => value),
    Array.from({ length: 201 }, (_, i) => `${i}`),
  )
  t.is(seen.at(-1)?.[2], 'deleted')
})

test('removals beyond 64 MB that wait are counted, not kept', t => {
  const cache = new Cache({ max: 1000, codec: bytes() })
  let seen = 0
  cache.onRemoval(() => seen++)
  const value = Buffer.alloc(1024 * 1024)
  for (let i = 0; i < 100; i++) cache.set(`${i}`, value)
  cache.clear()
  const { removalsDropped } = cache.stats()
  t.is(seen + removalsDropped, 100)
  t.true(removalsDropped > 30 && removalsDropped < 40)
  cache.resetStats()
  t.is(cache.stats().removalsDropped, 0)
})
