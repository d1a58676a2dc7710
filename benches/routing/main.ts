/** Deterministic routing: a fleet by key and at random, lookups of a ring, and a pool of workers. */
import type { Row } from '../lib/report.ts'
import { lookups } from './lookups.ts'
import { poolOfWorkers } from './pool.ts'
import { simulate } from './simulation.ts'

export async function routing({ rounds }: { rounds: number }): Promise<Row[]> {
  return [...simulate(), ...lookups({ rounds }), ...(await poolOfWorkers({ rounds }))]
}
