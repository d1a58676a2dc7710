// What a read knows of its moment, and what a load that follows has to show when its value is stored.
import type { TierMoment } from '../../contract.ts'
import type { Epoch } from './epochs.ts'

/** A moment of the store's. */
export class Moment implements Epoch {
  /** Microseconds, by the clock of the server that has the key. */
  readonly time: number
  readonly generation: number
  readonly clock: number

  constructor(time: number, { generation, clock }: Epoch) {
    this.time = time
    this.generation = generation
    this.clock = clock
  }
}

/** What a load has to show; `undefined` if nothing says when it began. */
export function readMoment(moment: TierMoment): Moment | undefined {
  return moment instanceof Moment ? moment : undefined
}
