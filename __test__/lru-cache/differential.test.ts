// Random programs on lru-cache and on the drop-in: whatever can be seen must be the same.
import { isDeepStrictEqual } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { type Any, implementations } from './support/implementations.ts'
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

for (const [kind, keyOf] of Object.entries(kinds)) {
  test.serial(`a cache of 70,000 entries whose keys are ${kind}`, t => {
    const random = seeded(SEED)
    const [theirs, ours] = implementations.map(
      ([, Class]) => new Class<Any, number>({ max: 70_000 }),
    )
    let differences = 0
    for (let i = 0; i < 200_000 * ROUNDS; i++) {
      // The key is built anew for each: no implementation profits from what another knows of it.
      const n = i < 80_000 ? i : Math.floor(random() * 90_000)
      const what = random()
      if (what < (i < 80_000 ? 0.9 : 0.4)) {
        theirs!.set(keyOf(n), i)
        ours!.set(keyOf(n), i)
      } else if (what < 0.95) {
        if (theirs!.get(keyOf(n)) !== ours!.get(keyOf(n))) differences++
      } else if (what < 0.99) {
        if (theirs!.delete(keyOf(n)) !== ours!.delete(keyOf(n))) differences++
      } else if (theirs!.pop() !== ours!.pop()) differences++
      if (i === 100_000) {
        theirs!.clear()
        ours!.clear()
      }
      if (theirs!.size !== ours!.size) differences++
    }
    t.is(differences, 0, `seed ${SEED}`)
    t.true(isDeepStrictEqual([...theirs!], [...ours!]), `seed ${SEED}`)
    t.true(isDeepStrictEqual([...theirs!.rkeys()], [...ours!.rkeys()]), `seed ${SEED}`)
  })
}
