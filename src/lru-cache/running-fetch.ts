// A fetch that is under way, as the parts of a cache see it.

/** The call of a fetch method, whose result a slot waits for. */
export interface RunningFetch<V> {
  /** What it replaces. */
  readonly stale: V | undefined
  /** What becomes of it. */
  readonly promise: Promise<V | undefined>
  /** Whether somebody waits for it, who must hear of its failure. */
  awaited: boolean
  /** Tells the fetch method that nobody needs its result. */
  abort(reason: string): void
}
