// A load as the callers of one isolate wait for it, whoever in the process does it.
import { Awaited } from '../base/awaited.ts'
import type { Context } from '../base/context.ts'
import type { Deadline } from '../base/deadlines.ts'
import { LoadTimeoutError } from '../base/errors.ts'
import { tell } from '../base/report.ts'
import type { Cancel, Timers } from '../base/timers.ts'
import type { CacheKey } from '../base/types.ts'
import type { LoadTrace } from '../events/tracing.ts'
import type { FlightState } from './flight-states.ts'
import type { Loader, LoadState } from './load.ts'
import type { FetchOptions } from './options.ts'

/** What a load came to. */
export type Outcome<V> = { value: V | undefined } | { error: unknown }

/** How a caller would load, if it comes to that. */
export interface Asker<K extends CacheKey, V> {
  /** Left out by who only wants what the second tier has. */
  readonly loader: Loader<K, V> | undefined
  readonly options: FetchOptions<K, V> | undefined
  /** Where its loader is called. */
  readonly context: Context
  /** Whether it is not to be remembered that there is nothing. */
  readonly onlyLooks: boolean
}

/** How a caller waits. */
export interface Waiting {
  signal: AbortSignal | undefined
  softTimeout: number | undefined
  timeout: number | undefined
}

/** Somebody who waits, or many who do so alike. */
export class Caller<K extends CacheKey, V> {
  /** How many they are. */
  count = 1
  /** What is to be taken back when it has its answer. */
  #ends: Cancel[] | undefined
  readonly #give: (outcome: Outcome<V>) => void

  constructor(
    readonly asker: Asker<K, V>,
    give: (outcome: Outcome<V>) => void,
  ) {
    this.#give = give
  }

  /** Something is to be taken back when it has its answer. */
  atEnd(end: Cancel): void {
    this.#ends ??= []
    this.#ends.push(end)
  }

  /** Gives the answer, once. */
  settle(outcome: Outcome<V>): void {
    if (this.#ends !== undefined) for (const end of this.#ends.splice(0)) end()
    this.#give(outcome)
  }
}

/** One load of one key, by its number on the native side. See flight-states.ts. */
export class Flight<K extends CacheKey, V> {
  #state: FlightState = 'waits'
  /** The right to store its value, once this isolate leads; it may have lost it and not know yet. */
  lease = 0
  /** What this isolate does, once it leads. */
  load: LoadState<V> | undefined
  /** What this isolate does, as tracers see it. */
  trace: LoadTrace | undefined
  /** Whose loader was called. */
  #loadsFor: Asker<K, V> | undefined
  /** Given instead of an error; by way of a list, since a value may be `undefined`. */
  stale: [V] | undefined
  /** Whether it is to go on although nobody waits: for the cache. */
  kept = false
  /** Whose loader is called if nobody waits. */
  background: Asker<K, V> | undefined
  /** Whether those who wait, wait for another flight as well. */
  follows = false
  /** That flight, unless the key is looked up again. */
  followed: Flight<K, V> | undefined
  /** The end of `lockTimeout`. */
  deadline: Deadline | undefined
  /** Whether anybody waits for its load. */
  readonly awaited = new Awaited()
  /** Whether anybody waits for the end of `lockTimeout`. */
  readonly lockAwaited = new Awaited()
  #callers: Caller<K, V>[] = []
  /** The caller that all share who wait without conditions, and their promise. */
  #common: PromiseCaller<K, V> | undefined

  constructor(
    readonly key: K,
    readonly number: number,
  ) {}

  get state(): FlightState {
    return this.#state
  }

  set state(state: FlightState) {
    this.#state = state
    this.#changed()
  }

  /** Whose loader is called. */
  get loadsFor(): Asker<K, V> | undefined {
    return this.#loadsFor
  }

  set loadsFor(asker: Asker<K, V>) {
    this.#loadsFor = asker
    this.#changed()
  }

  /** Whether anybody waits. */
  get isWanted(): boolean {
    return this.#callers.length > 0
  }

  /** Whether anybody waits beside who has it loaded. */
  get isShared(): boolean {
    for (const { asker, count } of this.#callers) {
      if (asker !== this.#loadsFor || count > 1) return true
    }
    return false
  }

  /** Whether somebody who waits has a loader. */
  get isAble(): boolean {
    return this.#callers.some(({ asker }) => asker.loader !== undefined)
  }

  /** All who wait. */
  get callers(): readonly Caller<K, V>[] {
    return this.#callers
  }

  /** Whose loader is called next: the first who has one, other than whose is called now. */
  get nextAsker(): Asker<K, V> | undefined {
    let asker: Asker<K, V> | undefined
    for (const caller of this.#callers) {
      if (caller.asker.loader === undefined) continue
      if (caller.asker !== this.#loadsFor) return caller.asker
      asker ??= caller.asker
    }
    return asker ?? this.#callers[0]?.asker ?? this.background
  }

  /** The promise that all share who wait without conditions, if there is one. */
  joinCommon(): Promise<V | undefined> | undefined {
    const common = this.#common
    if (common === undefined) return undefined
    common.count++
    this.#changed()
    return common.promise
  }

  /** One more waits, with no condition. */
  join(asker: Asker<K, V>): Promise<V | undefined> {
    const caller = new PromiseCaller(asker)
    // Who cannot load does not stand for others.
    if (asker.loader !== undefined) this.#common = caller
    this.add(caller)
    return caller.promise
  }

  /**
   * One more waits, on conditions.
   *
   * @param left - called when it no longer waits, and the load still goes on.
   * @param late - called when it is given what is stale, since the load takes too long.
   */
  joinOn(
    asker: Asker<K, V>,
    waiting: Waiting,
    timers: Timers,
    left: () => void,
    late: () => void,
  ): Promise<V | undefined> {
    const caller = new PromiseCaller(asker)
    this.add(caller)
    const { signal, softTimeout, timeout } = waiting
    if (signal !== undefined) {
      const abort = () => {
        this.drop(caller)
        caller.settle({ error: signal.reason })
        left()
      }
      try {
        signal.addEventListener('abort', abort, { once: true })
      } catch (error) {
        this.#release(caller, { error })
        return caller.promise
      }
      caller.atEnd(() => tell(() => signal.removeEventListener('abort', abort)))
    }
    const soft = () => {
      if (this.stale === undefined) return
      asker.context.runInAsyncScope(late, undefined)
      this.#release(caller, { value: this.stale[0] })
    }
    if (softTimeout !== undefined) caller.atEnd(timers.after(softTimeout, soft, true))
    if (timeout !== undefined) {
      const hard = () => {
        if (this.stale !== undefined) soft()
        else this.#release(caller, { error: new LoadTimeoutError(timeout) })
      }
      caller.atEnd(timers.after(timeout, hard, true))
    }
    return caller.promise
  }

  /** One more waits. */
  add(caller: Caller<K, V>): void {
    this.#callers.push(caller)
    this.#changed()
  }

  /** One no longer waits. */
  drop(caller: Caller<K, V>): void {
    const place = this.#callers.indexOf(caller)
    if (place >= 0) this.#callers.splice(place, 1)
    this.#changed()
  }

  /** It goes on for the cache, and so does who has the right to store in its place. */
  keep(asker: Asker<K, V>): void {
    this.kept = true
    this.background ??= asker
    this.followed?.keep(asker)
  }

  /** All who wait get what it came to. */
  settle(outcome: Outcome<V>): void {
    const callers = this.#callers
    this.#callers = []
    this.#settle(callers, outcome)
  }

  /** One of those who wait gets what another flight came to. */
  settleOne(caller: Caller<K, V>, outcome: Outcome<V>): void {
    this.drop(caller)
    if (caller === this.#common) this.#common = undefined
    caller.settle(outcome)
  }

  /** Only who waited longest gets it. */
  settleFirst(outcome: Outcome<V>): void {
    this.#settle(this.#callers.splice(0, 1), outcome)
  }

  /** Those get it who have no loader of their own. */
  settleUnable(outcome: Outcome<V>): void {
    const unable = this.#callers.filter(({ asker }) => asker.loader === undefined)
    for (const caller of unable) this.drop(caller)
    this.#settle(unable, outcome)
  }

  #settle(callers: readonly Caller<K, V>[], outcome: Outcome<V>): void {
    if (callers.includes(this.#common as Caller<K, V>)) this.#common = undefined
    this.#changed()
    for (const caller of callers) caller.settle(outcome)
  }

  /** A caller has waited long enough: the load goes on for the cache. */
  #release(caller: Caller<K, V>, outcome: Outcome<V>): void {
    this.keep(caller.asker)
    this.drop(caller)
    caller.settle(outcome)
  }

  #changed(): void {
    this.awaited.isOn = this.isWanted
    this.lockAwaited.isOn = this.#state === 'waits' ? this.isWanted : this.isShared
  }
}

/** Who waits by a promise. */
class PromiseCaller<K extends CacheKey, V> extends Caller<K, V> {
  readonly promise: Promise<V | undefined>

  constructor(asker: Asker<K, V>) {
    let give!: (outcome: Outcome<V>) => void
    const promise = new Promise<V | undefined>((resolve, reject) => {
      give = outcome => {
        if ('error' in outcome) reject(outcome.error)
        else resolve(outcome.value)
      }
    })
    super(asker, give)
    this.promise = promise
  }
}
