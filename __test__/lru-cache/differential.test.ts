// Random programs on lru-cache and on the drop-in: whatever can be seen must be the same.
import { isDeepStrictEqual } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { type Any, implementations, type LRUCacheClass } from './support/implementations.ts'
import { compare, inOwnTime, report, shrink } from './support/lockstep.ts'
import { choices, type Program, seeded, Writer } from './support/programs.ts'

const SEED = Number(process.env.BREAKWATER_SEED ?? Date.now() % 2 ** 31)
/** How many times as many programs as usual. */
const ROUNDS = Number(process.env.BREAKWATER_ROUNDS ?? 1)

async function check(t: ExecutionContext, seed: number, program: Program, flights: boolean) {
  if ((await compare(program, flights)) === undefined) return true
  const short = await shrink(program, flights)
  t.fail(`seed ${seed}\n${report(short, await compare(short, flights))}`)
  return false
}

test.serial('programs that call and wait for nothing', async t => {
  await inOwnTime(async () => {
    for (let i = 0; i < 4000 * ROUNDS; i++) {
      const seed = SEED + i
      const program = new Writer(seed).program(10 + (i % 90), false)
      if (!(await check(t, seed, program, false))) return
    }
    t.pass()
  })
})

test.serial('programs with fetches in flight', async t => {
  await inOwnTime(async () => {
    for (let i = 0; i < 1500 * ROUNDS; i++) {
      const seed = SEED + i
      const program = new Writer(seed).program(10 + (i % 50), true)
      if (!(await check(t, seed, program, true))) return
    }
    t.pass()
  })
})

test.serial('programs that give options what nobody means', async t => {
  await inOwnTime(async () => {
    for (let i = 0; i < 4000 * ROUNDS; i++) {
      const seed = SEED + i
      const flights = i % 3 === 0
      const program = new Writer(seed, true).program(10 + (i % 60), flights)
      if (!(await check(t, seed, program, flights))) return
    }
    t.pass()
  })
})

test.serial('every pair of options', async t => {
  const names = Object.keys(choices)
  await inOwnTime(async () => {
    for (const [i, one] of names.entries()) {
      for (const [j, other] of names.slice(0, i).entries()) {
        const flights = /fetch/i.test(one + other)
        for (let k = 0; k < 4 * ROUNDS; k++) {
          const seed = SEED + 1000 * i + 10 * j + k
          const program = new Writer(seed).program(40, flights, [one, other])
          if (!(await check(t, seed, program, flights))) return
        }
      }
    }
    t.pass()
  })
})

/** A large cache whose clock moves with its steps. */
class Large {
  readonly cache: InstanceType<LRUCacheClass>
  readonly told: unknown[] = []
  #steps = 0

  constructor(LRUCache: LRUCacheClass, { hooks, ...options }: { hooks?: boolean }) {
    const tell = (value: unknown, key: unknown, reason: unknown) => {
      this.told.push(value, key, reason)
    }
    const perf = { now: () => 1 + Math.floor(this.#steps / 1000) }
    const told = hooks ? { dispose: tell, disposeAfter: tell, onInsert: tell } : {}
    this.cache = new LRUCache({ max: 70_000, perf, ...options, ...told })
  }

  /** What can be seen of a step, as one value. */
  run(name: 'set' | 'get' | 'delete' | 'pop' | 'clear', key: Any, value: number): unknown {
    this.#steps++
    const result = name === 'set' ? this.cache.set(key, value).size : this.cache[name](key as never)
    return `${result} ${this.cache.size} ${this.cache.calculatedSize}`
  }
}

/** Keys by their numbers: each kind passes through other parts of an index. */
const kinds: Record<string, (n: number) => Any> = {
  integers: n => n,
  'scattered integers': n => Math.imul(n, 0x9e3779b1),
  floats: n => n + 0.5,
  'short strings': n => `k${n}`,
  'decimal strings': n => String(n),
  'long strings': n => `${'long'.repeat(20)}${n}`,
  'wide strings': n => `ключ ${n}`,
  'strings and numbers': n => (n % 2 === 0 ? n : String(n - 1)),
  'all kinds': n => [n, `s${n}`, `щ${n}`, `${'l'.repeat(70)}${n}`, BigInt(n)][n % 5]!,
}

/** What a large cache is built with, and what its entries are stored with. */
const shapes: Record<string, object> = {
  'a plain cache': {},
  'a cache with ttl': { ttl: 30, ttlResolution: 0 },
  'a cache with sizes': { maxSize: 300_000, sizeCalculation: (value: number) => 1 + (value % 9) },
  'a cache with hooks': { hooks: true },
}

for (const [kind, keyOf] of Object.entries(kinds)) {
  for (const [shape, options] of Object.entries(shapes)) {
    if (shape !== 'a plain cache' && kind !== 'short strings' && kind !== 'all kinds') continue
    test.serial(`${shape}, of 70,000 entries whose keys are ${kind}`, t => {
      const pair = implementations.map(([, Class]) => new Large(Class, options))
      const [theirs, ours] = pair as [Large, Large]
      let differences = 0
      const random = seeded(SEED)
      for (let i = 0; i < 200_000 * ROUNDS; i++) {
        // Filled, emptied half way, and filled again.
        const filling = i % 100_000 < 80_000
        const n = filling ? i % 100_000 : Math.floor(random() * 90_000)
        const what = random()
        const step = i === 100_000 ? 'clear' : what < (filling ? 0.9 : 0.4) ? 'set' : undefined
        const name = step ?? (what < 0.95 ? 'get' : what < 0.99 ? 'delete' : 'pop')
        // Each gets a key of its own: neither profits from what the other knows of it.
        if (theirs.run(name, keyOf(n), i) !== ours.run(name, keyOf(n), i)) differences++
      }
      t.is(differences, 0, `seed ${SEED}`)
      t.true(isDeepStrictEqual([...theirs.cache], [...ours.cache]), `seed ${SEED}`)
      t.true(isDeepStrictEqual([...theirs.cache.rkeys()], [...ours.cache.rkeys()]), `seed ${SEED}`)
      t.true(isDeepStrictEqual(theirs.told, ours.told), `seed ${SEED}`)
    })
  }
}
