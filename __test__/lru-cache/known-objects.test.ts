// Keys of large caches: packed while callers build them anew, in a Map while they ask with the same
// objects. The clock that tells one from the other is the test's.
import { setImmediate as turn } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { LargeKeys } from '../../src/lru-cache/keys/large.ts'
import { MapKeys } from '../../src/lru-cache/keys/map.ts'
import { Newness } from '../../src/lru-cache/keys/newness.ts'
import { moveOut } from '../../src/lru-cache/keys/packing.ts'
import { Slots } from '../../src/lru-cache/slots.ts'
import { seeded } from './support/programs.ts'

type Key = string | number | object

/** A clock by which the third of four lookups takes longer, while objects are new. */
class Clock {
  areNew = true
  /** Milliseconds from one reading to the next. */
  step = 40e-6
  #calls = 0
  #time = 0

  readonly now = (): number => {
    const first = this.#calls++ % 8 === 5
    this.#time += this.step + (first && this.areNew ? this.step / 4 : 0)
    return this.#time
  }
}

/** An index, and a Map that says what has to be in it. */
class Pair {
  readonly clock = new Clock()
  readonly slots: Slots
  readonly keys: LargeKeys<Key>
  readonly model = new Map<Key, number>()

  constructor(given: Key[], begins: 'packed' | 'map' = 'packed', room = given.length) {
    this.slots = new Slots(1, room + 1)
    const first = new MapKeys<Key>()
    for (const key of given) {
      const slot = this.slots.take()
      first.add(key, slot)
      this.model.set(key, slot)
    }
    const keys = begins === 'map' ? first : moveOut(first, this.slots, room + 1)!
    this.keys = new LargeKeys(keys, this.slots, this.clock.now)
  }

  put(key: Key): void {
    if (this.keys.find(key) !== 0) return
    const slot = this.slots.take()
    if (slot === 0) return
    this.keys.add(key, slot)
    this.model.set(key, slot)
  }

  delete(key: Key): void {
    const slot = this.keys.find(key)
    if (slot === 0) return
    this.keys.remove(slot)
    this.slots.release(slot)
    this.model.delete(key)
  }

  clear(): void {
    this.keys.clear()
    this.slots.clear()
    this.model.clear()
  }

  /** Finds keys until the index is in a state. */
  until(state: string, keys: readonly Key[]): void {
    this.clock.areNew = state === 'packed' || state === 'packing'
    for (let finds = 0; this.keys.state !== state; finds++) {
      if (finds === 2e7) throw new Error(`not ${state}, but ${this.keys.state}`)
      const key = keys[finds % keys.length]!
      const slot = this.keys.find(key)
      if (slot !== (this.model.get(key) ?? 0)) throw new Error(`${String(key)} is at ${slot}`)
    }
  }

  check(t: ExecutionContext): void {
    const wrong = [...this.model].filter(
      ([key, slot]) =>
        this.keys.find(key) !== slot ||
        !this.keys.holds(slot) ||
        !Object.is(this.keys.keyOf(slot), key),
    )
    t.deepEqual(wrong, [])
    t.is(this.keys.find('never'), 0)
  }
}

const texts = Array.from({ length: 3000 }, (_, i) => `user:${i}`)
const long = Array.from({ length: 3000 }, (_, i) => `user:${i}:with:a:profile:of:version:10`)
const rare = Array.from({ length: 200 }, (_, i) => ({ i }))
const mixed: Key[] = [...texts.slice(0, 2000), ...rare, ...Array.from({ length: 800 }, (_, i) => i)]

for (const [name, keys] of Object.entries({
  'short strings': texts,
  'long strings': long,
  mixed,
})) {
  test(`${name} are found in each state, and after each change`, t => {
    const pair = new Pair(keys)
    for (const state of ['moving', 'map', 'packed', 'moving', 'map', 'packed']) {
      pair.until(state, keys)
      pair.check(t)
    }
  })
}

test('keys come and go in all states as in a Map', t => {
  const pair = new Pair(mixed)
  const next = seeded(Number(process.env.BREAKWATER_SEED ?? Date.now() % 2 ** 31))
  const other = [...mixed, ...Array.from({ length: 1000 }, (_, i) => `other:${i}`)]
  const seen = new Set<string>()
  for (let i = 0; i < 3_000_000; i++) {
    seen.add(pair.keys.state)
    if (i % 750_000 === 0) pair.clock.areNew = i % 1_500_000 !== 0
    const key = other[Math.floor(next() * other.length)]!
    const what = next()
    if (what < 0.02) pair.delete(key)
    else if (what < 0.1) pair.put(key)
    else if (pair.keys.find(key) !== (pair.model.get(key) ?? 0)) return t.fail(`step ${i}`)
    if (i % 50_000 === 0) pair.check(t)
    if (i === 2_000_000) pair.clear()
  }
  pair.check(t)
  t.deepEqual(seen, new Set(['packing', 'packed', 'moving', 'map']))
})

test('a Map stays while it is filled with new objects, and while they are known', t => {
  const many = Array.from({ length: 250_000 }, (_, i) => `user:${i}`)
  const pair = new Pair(many.slice(0, 1000), 'map', many.length)
  for (const key of many) pair.put(key)
  t.is(pair.keys.state, 'map')
  pair.clock.areNew = false
  for (let finds = 0; finds < 1_000_000; finds++) pair.keys.find(many[finds % many.length]!)
  t.is(pair.keys.state, 'map')
  pair.check(t)
})

test('a Map is left for new objects, whether they are found or not', t => {
  const found = new Pair(texts, 'map')
  found.until('packed', texts)
  found.check(t)
  const missed = new Pair(texts, 'map')
  missed.until('packed', long)
  missed.check(t)
})

test('a Map is packed a few keys at a time, while others come and go', t => {
  const pair = new Pair(texts.slice(0, 2500), 'map', texts.length)
  pair.until('packing', texts)
  let finds = 0
  for (; pair.keys.state === 'packing'; finds++) {
    const key = texts[(finds * 7) % texts.length]!
    if (pair.keys.find(key) !== (pair.model.get(key) ?? 0)) return t.fail(key)
    if (finds % 3 === 0) pair.delete(key)
    if (finds % 5 === 0) pair.put(texts[(finds * 11) % texts.length]!)
  }
  t.true(finds > 100)
  pair.check(t)
})

test('an index that is cleared while its keys are packed is as good as new', t => {
  const pair = new Pair(texts, 'map')
  pair.until('packing', texts)
  pair.clear()
  for (const key of texts) pair.put(key)
  pair.check(t)
  t.is(pair.keys.state, 'packed')
})

test('the hash of a key is the same in all states', t => {
  const pair = new Pair(texts)
  const hashes = () => [...pair.model.values()].map(slot => pair.keys.hash(slot))
  const packed = hashes()
  for (const state of ['moving', 'map', 'packed']) {
    pair.until(state, texts)
    t.deepEqual(hashes(), packed)
  }
})

test('each change takes more evidence than the one before', t => {
  const pair = new Pair(texts)
  const finds = (state: string) => {
    let count = 0
    pair.clock.areNew = state === 'packed'
    for (; pair.keys.state !== state; count++) pair.keys.find(texts[count % texts.length]!)
    return count
  }
  const changes = ['moving', 'map', 'packed'].flatMap(() => {
    const moved = finds('moving')
    finds('map')
    return [[moved, finds('packed')]]
  })
  for (let i = 1; i < changes.length; i++) {
    for (const way of [0, 1]) t.true(changes[i]![way]! > 3 * changes[i - 1]![way]!)
  }
})

test('objects that are partly new, and a clock that is too coarse, change nothing', t => {
  const pair = new Pair(texts)
  for (let finds = 0; finds < 1_000_000; finds++) {
    // By turns: never a window of one kind.
    pair.clock.areNew = finds % 2000 < 1000
    pair.keys.find(texts[finds % texts.length]!)
  }
  t.is(pair.keys.state, 'packed')
  pair.clock.areNew = false
  pair.clock.step = 0
  for (let finds = 0; finds < 1_000_000; finds++) pair.keys.find(texts[finds % texts.length]!)
  t.is(pair.keys.state, 'packed')
})

test('a cache of very many keys keeps them packed, and packs them when there are too many', t => {
  const many = Array.from({ length: 300_000 }, (_, i) => `user:${i}`)
  const large = new Pair(many)
  large.clock.areNew = false
  for (let finds = 0; finds < 2_000_000; finds++) large.keys.find(many[finds % many.length]!)
  t.is(large.keys.state, 'packed')
  const pair = new Pair(texts)
  pair.until('map', texts)
  pair.slots.reshape(pair.slots.shift, many.length)
  for (const key of many) pair.put(key)
  for (let finds = 0; finds < 1000; finds++) pair.keys.find(many[finds]!)
  t.is(pair.keys.state, 'packed')
  pair.check(t)
})

test('numbers are not looked at: they stay packed', t => {
  const numbers = Array.from({ length: 3000 }, (_, i) => i)
  const pair = new Pair(numbers)
  pair.clock.areNew = false
  for (let finds = 0; finds < 1_000_000; finds++) pair.keys.find(finds % 3000)
  t.is(pair.keys.state, 'packed')
})

test('objects that were keys are collected, in whichever state they left', async t => {
  const pair = new Pair(texts)
  const refs: WeakRef<object>[] = []
  const come = () => {
    const key = { n: refs.length }
    pair.keys.find(key)
    const slot = pair.slots.take()
    pair.keys.add(key, slot)
    refs.push(new WeakRef(key))
    return slot
  }
  const leave = (slot: number) => {
    pair.keys.remove(slot)
    pair.slots.release(slot)
  }
  for (const state of ['packed', 'moving', 'map', 'packed']) {
    const slot = come()
    pair.until(state, texts)
    leave(slot)
    leave(come())
    pair.check(t)
  }
  for (let i = 0; i < 50 && refs.some(ref => ref.deref() !== undefined); i++) {
    await turn()
    globalThis.gc?.()
  }
  t.true(refs.every(ref => ref.deref() === undefined))
})

test('real time tells strings that were looked up before from strings that were not', t => {
  const newness = new Newness(() => performance.now())
  const say = (make: (i: number) => string) => {
    const verdicts: string[] = []
    for (let i = 0; i < 2 ** 14; i++) {
      const verdict = newness.look(make(i))
      if (verdict !== undefined) verdicts.push(verdict)
    }
    return verdicts
  }
  for (const text of texts) newness.meet(text)
  const known = say(i => texts[i % texts.length]!)
  const fresh = say(i => `tenant:0123456789:service:accounts:user:${i}`)
  const share = (all: string[], verdict: string) =>
    all.filter(one => one === verdict).length / all.length
  // By how much is the machine's; which way is not.
  t.true(share(known, 'known') > share(fresh, 'known'))
  t.true(share(fresh, 'new') > share(known, 'new'))
})
