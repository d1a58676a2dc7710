// What a cache counts.
import type { Count, Stats } from './types.ts'

/** The counts of a cache. */
export class Counts implements Omit<Stats, 'entries' | 'size' | 'policy'> {
  hits: Count = 0
  misses: Count = 0
  sets: Count = 0
  deletes: Count = 0
  evictions: Count = 0
  expirations: Count = 0
  rejected: Count = 0

  /** Sets them back to zero. */
  reset(): void {
    Object.assign(this, new Counts())
  }
}
