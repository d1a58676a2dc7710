// Flights keep their promises in generated programs: see model.ts. The same programs run each time;
// BREAKWATER_FLIGHTS says for how long others are tried (`10m`), which BREAKWATER_SEED repeats.
import test from 'ava'
import { milliseconds } from '../../src/base/units.ts'
import { random as generator } from '../helpers/random.ts'
import { Batch, type Setting } from './model.ts'

/** Programs that run at once. */
const KEYS = 500
const ROUNDS = 14
/** Of the programs that always run. */
const SEED = 467_637

const settings: Setting[] = [1, 2, 3].flatMap(instances =>
  [false, true].flatMap(tagged =>
    (['share', 'next'] as const).flatMap(leaderError =>
      [false, true].flatMap(stale =>
        [false, true].map(tier => ({ instances, tagged, leaderError, stale, tier })),
      ),
    ),
  ),
)

test('every caller is answered within its bounds, no load is one too many, nothing stale is kept', async t => {
  const asked = process.env.BREAKWATER_FLIGHTS
  const given = process.env.BREAKWATER_SEED
  const time = asked === undefined ? 0 : milliseconds('BREAKWATER_FLIGHTS', asked)
  t.timeout(time + 300_000)
  const seed = Number(given ?? (asked === undefined ? SEED : Date.now() % 1_000_000))
  const end = performance.now() + time
  let programs = 0
  for (let round = 0; performance.now() < end || round === 0; round++) {
    for (const [i, setting] of settings.entries()) {
      const random = generator(seed + round * settings.length + i)
      try {
        await new Batch(setting, KEYS, random).run(ROUNDS)
      } catch (error) {
        t.log(`BREAKWATER_SEED=${seed + round * settings.length}`)
        throw error
      }
      programs += KEYS
    }
  }
  t.log(`${programs} programs from seed ${seed}`)
  t.pass()
})
