// Counts of what one instance loads.

/** What an instance has loaded, in its thread. */
export interface LoadStats {
  /** Loads begun: of the second tier, and of the loader where that has nothing. */
  loads: number
  /** Of these, those that the second tier answered. */
  tierHits: number
  /** Of these, those that failed. */
  loadsFailed: number
  /** Reads that waited for a load which was under way. */
  coalesced: number
  /** Values loaded anew in the background, since their end was near or past. */
  refreshes: number
  /** Reads, or loads with all that waited for them, that were answered by a stale value. */
  stale: number
}

/** No loads. */
export function noLoads(): LoadStats {
  return { loads: 0, tierHits: 0, loadsFailed: 0, coalesced: 0, refreshes: 0, stale: 0 }
}
