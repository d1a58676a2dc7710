// Flights keep their promises in generated programs: see model.ts. Other programs run each time, for a
// minute or for as long as BREAKWATER_FLIGHTS says (`10m`); BREAKWATER_SEED repeats a batch.
import test from 'ava'
import { milliseconds } from '../../src/base/units.ts'
import { random as generator } from '../helpers/random.ts'
import { Batch, type Setting } from './model.ts'

/** Programs that run at once. */
const KEYS = 500
const ROUNDS = 14

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
  const time = milliseconds('BREAKWATER_FLIGHTS', process.env.BREAKWATER_FLIGHTS ?? '1m')
  t.timeout(time + 300_000)
  const seed = Number(process.env.BREAKWATER_SEED ?? Date.now() % 1_000_000)
  const end = performance.now() + time
  let batches = 0
  for (; performance.now() < end || batches < settings.length; batches++) {
    const setting = settings[batches % settings.length]!
    try {
      await new Batch(setting, KEYS, generator(seed + batches)).run(ROUNDS)
    } catch (error) {
      t.log(`BREAKWATER_SEED=${seed + batches - (batches % settings.length)}`)
      throw error
    }
  }
  t.log(`${batches * KEYS} programs from seed ${seed}`)
  t.pass()
})
