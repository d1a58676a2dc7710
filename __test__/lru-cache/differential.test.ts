// Random programs on lru-cache and on the drop-in: whatever can be seen must be the same.
import test, { type ExecutionContext } from 'ava'
import { compare, inOwnTime, report, shrink } from './support/lockstep.ts'
import { choices, type Program, Writer } from './support/programs.ts'

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
