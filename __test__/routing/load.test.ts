// Choices by load: no node has much more to do than its share.
import test from 'ava'
import { type InvalidOptionError, isBreakwaterError } from '../../src/index.ts'
import { BoundedLoad, Ring, twoChoices } from '../../src/routing/index.ts'
import { random } from '../helpers/random.ts'

test('no node has more than its bound, whatever the keys', t => {
  const seed = Date.now() % 2 ** 31
  t.log(`seed ${seed}`)
  const next = random(seed)
  const nodes = ['a', 'b', { name: 'c', weight: 2 }, 'd']
  const balance = new BoundedLoad(new Ring(nodes), { bound: 1.2 })
  const weight = (name: string) => (name === 'c' ? 2 : 1)
  const taken: string[] = []
  for (let i = 0; i < 20_000; i++) {
    if (taken.length > 0 && next() < 0.45) {
      const [node] = taken.splice(Math.floor(next() * taken.length), 1)
      balance.release(node as string)
      continue
    }
    // Half of the work is for one key.
    const node = balance.take(next() < 0.5 ? 'hot' : `key:${Math.floor(next() * 1_000)}`)
    taken.push(node)
    const most = Math.ceil((1.2 * balance.total * weight(node)) / 5)
    t.true(balance.loadOf(node) <= most, `${node}: ${balance.loadOf(node)} of ${balance.total}`)
  }
  t.is(balance.total, taken.length)
  for (const node of taken) balance.release(node)
  for (const name of ['a', 'b', 'c', 'd']) t.is(balance.loadOf(name), 0)
})

test('a key goes to its own node while that has room, and then to the next', t => {
  const ring = new Ring(['a', 'b', 'c'])
  const balance = new BoundedLoad(ring, { bound: 1.5 })
  const order = ring.successors('key', 3)
  // Each may have ceil(1.5 × all / 3), the new one among all.
  t.deepEqual(
    Array.from({ length: 6 }, () => balance.take('key')),
    [0, 1, 0, 1, 0, 1].map(place => order[place] as string),
  )
})

test('who is down is left out; with all down or full the own node has to do it', t => {
  const ring = new Ring(['a', 'b', 'c'])
  const balance = new BoundedLoad(ring)
  const order = ring.successors('key', 3) as [string, string, string]
  t.is(balance.take('key', new Set([order[0]])), order[1])
  t.is(balance.take('key', new Set(order)), order[0])
})

test('of two by chance the one with less to do', t => {
  const loads = [5, 1, 3]
  const nodes = [0, 1, 2]
  const draws = (list: number[]) => () => list.shift() as number
  // First 0, then the next but one; then the next.
  t.is(
    twoChoices(nodes, n => loads[n] as number, draws([0, 0.9])),
    2,
  )
  t.is(
    twoChoices(nodes, n => loads[n] as number, draws([0, 0])),
    1,
  )
  t.is(
    twoChoices(['only'], () => 7),
    'only',
  )
  t.is(
    twoChoices([1, 2], () => 0, draws([0.9, 0])),
    2,
  )
})

test('two choices keep the longest queue short', t => {
  const next = random(7)
  const longest = (choose: (loads: number[]) => number) => {
    const loads = new Array(100).fill(0)
    for (let i = 0; i < 10_000; i++) loads[choose(loads)]++
    return Math.max(...loads) - 100
  }
  const nodes = Array.from({ length: 100 }, (_, i) => i)
  const two = longest(loads => twoChoices(nodes, n => loads[n] as number, next))
  const one = longest(() => Math.floor(next() * 100))
  t.true(two < 6 && one > 15, `${two} and ${one}`)
})

test('what cannot be is named', t => {
  const ring = new Ring(['a', 'b'])
  const cases: [() => unknown, string][] = [
    [() => new BoundedLoad(ring, { bound: 1 }), 'bound'],
    [() => new BoundedLoad(ring, { bound: Number.NaN }), 'bound'],
    [() => new BoundedLoad(ring, { bound: '2' as never }), 'bound'],
    [() => new BoundedLoad({} as never), 'ring'],
    [() => new BoundedLoad(ring).release('a'), 'node'],
    [() => new BoundedLoad(ring).release('x'), 'node'],
    [() => new BoundedLoad(ring).loadOf('x'), 'node'],
    [() => new BoundedLoad(ring).take(5 as never), 'key'],
    [() => twoChoices([], () => 1), 'nodes'],
    [() => twoChoices(undefined as never, () => 1), 'nodes'],
    [() => twoChoices(['a'], 5 as never), 'load'],
  ]
  for (const [make, option] of cases) {
    const error = t.throws(make, undefined, option)
    t.true(isBreakwaterError(error), `${option}: ${error}`)
    t.is((error as InvalidOptionError).option, option)
  }
})
