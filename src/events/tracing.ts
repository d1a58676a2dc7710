// What a cache does for a read that it cannot answer at once, as tracers see it: by tracing channels of
// node:diagnostics_channel. A read that it answers is not traced.
import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel'

/** Something that takes time, as subscribers of its channel see it. */
interface Trace {
  readonly cache: string | undefined
  /**
   * What calls it: a subscriber of `start` may set it, to have it called in a context of its own, and
   * calls what was there before.
   */
  within?: (<T>(call: () => T) => T) | undefined
  /** What it gave, from `asyncStart` on. */
  result?: unknown
  /** What it threw, from `error` on. */
  error?: unknown
}

/** A read that waits for a load, as subscribers of `tracing:breakwater:fetch` see it. */
export interface FetchTrace extends Trace {
  readonly key: unknown
  /** Whether the load was under way. */
  coalesced: boolean
  /** The load that it waits for, unless another thread does it; before `asyncEnd`. */
  load: LoadTrace | undefined
}

/** A load, as subscribers of `tracing:breakwater:load` see it: the second tier and the loader. */
export interface LoadTrace extends Trace {
  readonly key: unknown
  readonly reason: 'miss' | 'refresh'
}

/** An operation of the second tier, as subscribers of `tracing:breakwater:tier` see it; without its result. */
export interface TierTrace extends Trace {
  /** As `'get'`, `'set'`, `'delete'`. */
  readonly operation: string
}

/** A tracing channel: `tracing:breakwater:load:start` and so on. */
class Traces<T extends Trace> {
  readonly #channel: TracingChannel<string, T>

  constructor(name: string) {
    this.#channel = tracingChannel(name)
  }

  /** Whether anybody subscribed. Node.js 20 has no such field for all five before 20.13. */
  get isHeard(): boolean {
    const { start, end, asyncStart, asyncEnd, error } = this.#channel
    return (
      start.hasSubscribers ||
      end.hasSubscribers ||
      asyncStart.hasSubscribers ||
      asyncEnd.hasSubscribers ||
      error.hasSubscribers
    )
  }

  /**
   * Calls a function that is traced to the end of its promise. It returns and throws what that does.
   *
   * @param shown - what subscribers see as its result.
   */
  run<R>(trace: T, call: () => R, shown: (result: Awaited<R>) => unknown): R {
    // It has been called when tracePromise returns.
    let called: { result: R } | { error: unknown } | undefined
    const ended = this.#channel.tracePromise(async () => {
      try {
        called = { result: trace.within === undefined ? call() : trace.within(call) }
      } catch (error) {
        called = { error }
        throw error
      }
      return shown(await called.result)
    }, trace)
    const { result, error } = called as { result?: R; error?: unknown }
    if (result instanceof Promise) return ended.then(() => result) as R
    ended.catch(() => {})
    if ('error' in called!) throw error
    return result as R
  }
}

/** Reads that wait. */
export const fetches = new Traces<FetchTrace>('breakwater:fetch')
/** Loads. */
export const loads = new Traces<LoadTrace>('breakwater:load')
/** Operations of second tiers. */
export const tierCalls = new Traces<TierTrace>('breakwater:tier')
