// Caches so large that keys move off the heap: what their keys are like may change after that.
import test, { type ExecutionContext } from 'ava'
import { LRUCache as Theirs } from 'lru-cache'
import { LRUCache as Ours } from '../../src/lru-cache/index.ts'

type Key = string | number | object
type Some = Pick<Ours<Key, number>, 'set' | 'get' | 'delete' | 'clear'>

const objects = Array.from({ length: 80_000 }, (_, i) => ({ i }))

function alike(t: ExecutionContext, max: number, run: (cache: Some) => void): void {
  const ours = new Ours<Key, number>({ max })
  const theirs = new Theirs<Key, number>({ max })
  run(ours)
  run(theirs as unknown as Some)
  const differing = [...theirs.entries()].filter(([key, value]) => ours.peek(key) !== value)
  t.deepEqual(differing, [])
  const keys = [...ours.keys()]
  t.true([...theirs.keys()].every((key, i) => keys[i] === key))
  t.is(ours.size, theirs.size)
}

test('long strings come to a cache of short ones', t => {
  alike(t, 80_000, cache => {
    for (let i = 0; i < 70_000; i++) cache.set(`short:${i}`, i)
    for (let i = 0; i < 70_000; i++) {
      cache.set(`a key of some forty characters, number ${i}`, i)
      if (i % 3 === 0) cache.delete(`a key of some forty characters, number ${i >> 1}`)
      if (i % 5 === 0) cache.get(`short:${i}`)
    }
  })
})

test('objects come to a cache of strings, and strings to a cache of objects', t => {
  alike(t, 70_000, cache => {
    for (let i = 0; i < 70_000; i++) cache.set(`key:${i}`, i)
    for (let i = 0; i < 80_000; i++) cache.set(objects[i] as object, i)
    for (let i = 0; i < 80_000; i += 3) cache.delete(objects[i] as object)
    for (let i = 0; i < 50_000; i++) cache.set(`key:${i}`, i)
  })
})

test('a cache that was cleared is as good as new', t => {
  alike(t, 70_000, cache => {
    for (let i = 0; i < 90_000; i++) cache.set(i % 2 === 0 ? i : `${i}`, i)
    cache.clear()
    for (let i = 0; i < 90_000; i++) cache.set(i % 2 === 0 ? `${i}` : i, i)
  })
})

test('strings are asked for by the same objects again and again, then by new ones', t => {
  const keys = Array.from({ length: 75_000 }, (_, i) => `user:${i}:profile`)
  alike(t, 70_000, cache => {
    for (const [i, key] of keys.entries()) cache.set(key, i)
    for (let i = 0; i < 1_600_000; i++) {
      const at = (i * 7919) % keys.length
      if (cache.get(keys[at]!) === undefined && i % 5 === 0) cache.set(keys[at]!, at)
      if (i % 1009 === 0) cache.delete(keys[(i * 31) % keys.length]!)
    }
    for (let i = 0; i < 300_000; i++) {
      const at = (i * 104_729) % keys.length
      if (cache.get(`user:${at}:profile`) === undefined) cache.set(`user:${at}:profile`, at)
    }
  })
})
