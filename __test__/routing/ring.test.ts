// Where a ring puts keys: the same place in every process and language, and few keys move.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type InvalidOptionError, isBreakwaterError } from '../../src/index.ts'
import { hash, hashHigh, hashLow } from '../../src/routing/hash.ts'
import { Ring, type RingNodeInput, type RingOptions } from '../../src/routing/index.ts'
import { random } from '../helpers/random.ts'
import { placed, xxh64 } from './reference.ts'

const hashOf = (text: string): bigint => {
  hash(text)
  return (BigInt(hashHigh()) << 32n) | BigInt(hashLow())
}

/** Texts of every length up to 100, with characters of one to four bytes. */
function texts(t: ExecutionContext, count: number): string[] {
  const below = numbers(t)
  const kinds = ['a', 'ß', '漢', '😀', '\ud800', '\0']
  const character = () =>
    below(10) === 0 ? (kinds[below(kinds.length)] as string) : String.fromCharCode(32 + below(95))
  return Array.from({ length: count }, (_, i) =>
    Array.from({ length: i % 101 }, character).join(''),
  )
}

/** Whole numbers below another, by a seed that the test tells. */
function numbers(t: ExecutionContext): (below: number) => number {
  const seed = Date.now() % 2 ** 31
  t.log(`seed ${seed}`)
  const next = random(seed)
  return below => Math.floor(next() * below)
}

test('the hash is XXH64 with seed 0', t => {
  // From the specification's own test program, and from the field.
  t.is(hashOf(''), 0xef46db3751d8e999n)
  t.is(hashOf('a'), 0xd24ec4f1a98c6e5bn)
  t.is(hashOf('abc'), 0x44bc2cf5ad770999n)
  t.is(hashOf('Nobody inspects the spammish repetition'), 0xfbcea83c8a378bf1n)
  for (const text of texts(t, 5_000)) t.is(hashOf(text), xxh64(text), JSON.stringify(text))
})

test('a text of a megabyte is hashed whole, and what follows it as well', t => {
  const long = 'x'.repeat(1_000_003)
  t.is(hashOf(long), xxh64(long))
  t.is(hashOf(`${long}ß`), xxh64(`${long}ß`))
  t.is(hashOf('user:42'), xxh64('user:42'))
})

test('places are those of the vectors, for programs in other languages', t => {
  const path = fileURLToPath(new URL('vectors.json', import.meta.url))
  const vectors = JSON.parse(readFileSync(path, 'utf8')) as {
    hashes: [string, string][]
    rings: { nodes: RingNodeInput[]; options: RingOptions; keys: [string, string][] }[]
  }
  for (const [text, hex] of vectors.hashes) t.is(hashOf(text).toString(16), hex, text)
  for (const { nodes, options, keys } of vectors.rings) {
    const ring = new Ring(nodes, options)
    for (const [key, node] of keys) t.is(ring.locate(key), node, key)
  }
  t.true(vectors.rings.length > 3)
})

test('another process finds the same nodes', t => {
  const program = `
    import { Ring } from './src/routing/index.ts'
    const ring = new Ring([{ name: 'c', weight: 3 }, 'b', 'a'])
    console.log(JSON.stringify(Array.from({ length: 1000 }, (_, i) => ring.locate('key:' + i))))`
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const flags = ['--import=tsx', '--input-type=module', '--eval', program]
  const output = execFileSync(process.execPath, flags, { cwd: root, encoding: 'utf8' })
  const ring = new Ring(['a', 'b', { name: 'c', weight: 3 }])
  t.deepEqual(
    JSON.parse(output),
    Array.from({ length: 1_000 }, (_, i) => ring.locate(`key:${i}`)),
  )
})

test('a key belongs to the first point that is not before its hash', t => {
  const below = numbers(t)
  const keys = texts(t, 20)
  for (let round = 0; round < 20; round++) {
    const names = Array.from({ length: 1 + below(8) }, (_, i) => `node ${i} of ${round}`)
    const weights = names.map(() => 1 + below(4))
    const points = 1 + below(30)
    const nodes = names.map((name, i) => ({ name, weight: weights[i] as number }))
    const ring = new Ring(nodes, { points })
    const counts = new Map(nodes.map(({ name, weight }) => [name, weight * points]))
    for (const key of keys) t.is(ring.locate(key), placed(counts, key))
  }
})

test("points lie where Envoy's tests say", t => {
  // The ring of twelve points that Envoy's own tests of RING_HASH are about.
  const positions = [
    [94, 833437586790550860n],
    [92, 928266305478181108n],
    [90, 1033482794131418490n],
    [95, 3551244743356806947n],
    [93, 3851675632748031481n],
    [91, 5583722120771150861n],
    [91, 6311230543546372928n],
    [93, 7700377290971790572n],
    [95, 13144177310400110813n],
    [92, 13444792449719432967n],
    [94, 15516499411664133160n],
    [90, 16117243373044804889n],
  ] as const
  const hosts = [90, 91, 92, 93, 94, 95].map(port => `127.0.0.1:${port}`)
  const ring = new Ring(hosts, { envoy: { minimumSize: 12 } })
  for (const key of texts(t, 2_000)) {
    const at = xxh64(key)
    const [port] = positions.find(([, position]) => position >= at) ?? positions[0]
    t.is(ring.locate(key), `127.0.0.1:${port}`)
  }
})

test('weights are counted as Envoy counts them', t => {
  const cases: [number[], object, number[]][] = [
    [[1, 1, 1], { minimumSize: 1024 }, [342, 342, 342]],
    [[1, 2], { minimumSize: 10 }, [4, 8]],
    [[84, 16], { minimumSize: 3 }, [6, 1]],
    [[1, 1], { minimumSize: 1, maximumSize: 1 }, [1, 0]],
  ]
  const keys = texts(t, 300)
  for (const [weights, sizes, expected] of cases) {
    const nodes = weights.map((weight, i) => ({ name: `h${i}`, weight }))
    const ring = new Ring(nodes, { envoy: sizes })
    const counts = new Map(expected.map((count, i) => [`h${i}`, count]))
    // A point too many or too few puts some of the keys elsewhere.
    for (const key of keys) t.is(ring.locate(key), placed(counts, key))
  }
})

const keys = Array.from({ length: 1_000_000 }, (_, i) => `user:${i}`)

function sharesOf(ring: Ring): Map<string, number> {
  const shares = new Map<string, number>()
  for (const key of keys) {
    const node = ring.locate(key)
    shares.set(node, (shares.get(node) ?? 0) + 1 / keys.length)
  }
  return shares
}

test('a million keys are spread evenly, by the weights', t => {
  t.timeout(120_000)
  const nodes = ['a', 'b', 'c', { name: 'd', weight: 2 }, { name: 'e', weight: 0.5 }]
  const ring = new Ring(nodes)
  for (const [name, share] of sharesOf(ring)) {
    const weight = ring.nodes.find(node => node.name === name)?.weight as number
    // Four times the deviation of so many points.
    t.true(
      Math.abs(share / (weight / 5.5) - 1) < 4 / Math.sqrt(1_024 * weight),
      `${name}: ${share}`,
    )
    t.true(Math.abs((ring.shares().get(name) as number) / share - 1) < 0.02)
  }
})

test('of a million keys only those move that must', t => {
  t.timeout(120_000)
  const five = new Ring(['a', 'b', 'c', 'd', 'e'])
  for (const leaver of ['a', 'c', 'e']) {
    const four = five.without(leaver)
    let moved = 0
    for (const key of keys) {
      const [before, after] = [five.locate(key), four.locate(key)]
      if (before !== leaver) {
        if (before !== after) t.fail(`${key} of ${before} moved to ${after}`)
      } else moved++
    }
    const share = moved / keys.length
    t.true(Math.abs(share - 1 / 5) < 1 / 50, `${leaver} took ${share} with it`)
    t.true(Math.abs(five.diff(four).moved - share) < 0.002)
    t.true(Math.abs(four.diff(five).moved - share) < 0.002)
  }
})

test('who is down is replaced by the next on the ring', t => {
  const ring = new Ring(['a', 'b', 'c', 'd'])
  for (let i = 0; i < 2_000; i++) {
    const key = `k${i}`
    const order = ring.successors(key, 4)
    t.is(new Set(order).size, 4)
    t.is(ring.locate(key), order[0] as string)
    const down = new Set<string>()
    for (const node of order) {
      t.is(ring.locate(key, down), node)
      // Which is what a ring without those nodes says.
      const left = ring.nodes.filter(({ name }) => !down.has(name))
      if (i % 100 === 0) t.is(new Ring(left).locate(key), node)
      down.add(node)
    }
    t.is(ring.locate(key, down), order[0] as string, 'all are down')
    t.deepEqual(ring.successors(key, 2), order.slice(0, 2))
    t.deepEqual(ring.successors(key, 9), order)
  }
})

test('a hot key is spread over its first nodes, and each caller keeps its own', t => {
  const ring = new Ring(['a', 'b', 'c', 'd', 'e'])
  const callers = Array.from({ length: 3_000 }, (_, i) => `client ${i}`)
  const counts = new Map<string, number>()
  for (const caller of callers) {
    const node = ring.spread('hot', 3, caller)
    t.is(ring.spread('hot', 3, caller), node)
    counts.set(node, (counts.get(node) ?? 0) + 1)
  }
  t.deepEqual([...counts.keys()].sort(), ring.successors('hot', 3).sort())
  for (const count of counts.values()) t.true(count > 800 && count < 1_200, `${count}`)
})

test('hash tags keep keys together, as Redis Cluster does', t => {
  const ring = new Ring(['a', 'b', 'c', 'd', 'e'], { hashTags: true })
  const plain = new Ring(['a', 'b', 'c', 'd', 'e'])
  for (let i = 0; i < 500; i++) {
    const node = plain.locate(`${i}`)
    for (const key of [`{${i}}`, `user:{${i}}:cart`, `{${i}}{x}`, `x{${i}}}`, `a{${i}}b{c}`]) {
      t.is(ring.locate(key), node, key)
    }
    for (const key of [`{}${i}`, `{${i}`, `${i}}`, `}${i}{`, `{}{${i}}`]) {
      t.is(ring.locate(key), plain.locate(key), key)
    }
  }
})

test('with changes a weight, and the ring itself never changes', t => {
  const ring = new Ring(['a', 'b'], { points: 64 })
  const before = keys.slice(0, 1_000).map(key => ring.locate(key))
  const heavy = ring.with({ name: 'a', weight: 3 })
  t.deepEqual(heavy.nodes.map(({ name, weight }) => `${name} ${weight}`).sort(), ['a 3', 'b 1'])
  t.true(ring.diff(heavy).moves.every(({ from, to }) => from === 'b' && to === 'a'))
  t.deepEqual(
    keys.slice(0, 1_000).map(key => ring.locate(key)),
    before,
  )
  t.is(ring.diff(ring).moved, 0)
  t.throws(() => (ring.nodes as unknown as string[]).push('c'))
})

test('what cannot be is named', t => {
  const node = ['a'] as RingNodeInput[]
  const cases: [() => unknown, string][] = [
    [() => new Ring([]), 'nodes'],
    [() => new Ring('abc'), 'nodes'],
    [() => new Ring(undefined as never), 'nodes'],
    [() => new Ring(5 as never), 'nodes'],
    [() => new Ring(['a', 'b', 'a']), 'nodes'],
    [() => new Ring(['a', { name: 'a', weight: 2 }]), 'nodes'],
    [() => new Ring(['']), 'nodes[0].name'],
    [() => new Ring(['a', null as never]), 'nodes[1]'],
    [() => new Ring([{ name: 7 as never }]), 'nodes[0].name'],
    [() => new Ring([{ name: 'a', weigth: 2 } as never]), 'nodes[0].weigth'],
    ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e9, '2'].map(
      weight =>
        [() => new Ring([{ name: 'a', weight: weight as never }]), 'nodes[0].weight'] as [
          () => unknown,
          string,
        ],
    ),
    [() => new Ring(node, { points: 0 }), 'points'],
    [() => new Ring(node, { points: 1.5 }), 'points'],
    [() => new Ring(node, { points: 1e9 }), 'points'],
    [() => new Ring(node, { hashTags: 'yes' as never }), 'hashTags'],
    [() => new Ring(node, { point: 5 } as never), 'point'],
    [() => new Ring(node, null as never), 'options'],
    [() => new Ring(node, { envoy: true, points: 5 }), 'points'],
    [() => new Ring(node, { envoy: 7 as never }), 'envoy'],
    [() => new Ring(node, { envoy: { minimumSize: 0 } }), 'envoy.minimumSize'],
    [() => new Ring(node, { envoy: { maximumSize: 1e9 } }), 'envoy.maximumSize'],
    [() => new Ring(node, { envoy: { minimumSize: 9, maximumSize: 8 } }), 'envoy.minimumSize'],
    [() => new Ring(node).locate(5 as never), 'key'],
    [() => new Ring(node).successors('a', 0), 'count'],
    [() => new Ring(node).spread('a', 1, {} as never), 'by'],
    [() => new Ring(node).without('b'), 'node'],
    [() => new Ring(node).without('a'), 'nodes'],
    [() => new Ring(node).diff({} as never), 'next'],
  ]
  for (const [make, option] of cases) {
    const error = t.throws(make, undefined, option)
    t.true(isBreakwaterError(error), `${option}: ${error}`)
    t.is((error as InvalidOptionError).option, option)
  }
})
