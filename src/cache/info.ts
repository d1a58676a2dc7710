// What is known of one entry.
import type { binding } from '../native/native.ts'

/** What {@link Cache.info} gives. */
export interface EntryInfo {
  /** Milliseconds that are left of its life; `Infinity` if it does not end. */
  readonly ttl: number
  /** Milliseconds since it was stored or touched, as far as that is known. */
  readonly age: number | undefined
  /** Bytes that the entry is charged. */
  readonly bytes: number
  /**
   * How many tags it has, with those of namespaces. An entry keeps where its tags stand in the table of
   * invalidations, 4 bytes each, and not their names.
   */
  readonly tagCount: number
  /** Its version, if it has one. */
  readonly version: number | undefined
  /** How often it was read of late, up to 3: known to the policy `lfu` alone. */
  readonly hits: number | undefined
}

/** States from which on there is no value to be had: stale, or that there is none. */
const STALE = 3

/** What the native side gave, by names. */
export function infoOf(found: ReturnType<typeof binding.info>): EntryInfo | undefined {
  if (found === undefined || found[0] >= STALE) return undefined
  const [, ttl, age, bytes, tagCount, version, hits] = found
  return { ttl, age: known(age), bytes, tagCount, version: known(version), hits: known(hits) }
}

function known(n: number): number | undefined {
  return n < 0 ? undefined : n
}
