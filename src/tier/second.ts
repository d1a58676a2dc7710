// The second tier as a cache uses it: what it has is read before anything is loaded, what is written
// here goes there, and what others write there is forgotten here.

import { neutrally } from '../base/context.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { Timers } from '../base/timers.ts'
import type { CacheKey, Duration } from '../base/types.ts'
import { milliseconds } from '../base/units.ts'
import type { Kin, Tier, TierHost, TierValue } from './contract.ts'
import { type Called, GuardedSession } from './guarded.ts'

/** How a cache uses its second tier. */
export interface SecondOptions {
  /** A store behind the cache that other processes share, as `redis()` of `breakwater/redis`. */
  tier?: Tier | undefined
  /**
   * What becomes of values when changes in the tier are no longer heard of: `'drop'` forgets them all
   * at once, `'stale'` keeps them for who takes stale values. `'drop'` if left out.
   */
  onTierLoss?: 'drop' | 'stale' | undefined
  /**
   * How long a value lives here, at most, though it lives for longer in the tier: then the tier is
   * asked again. As long as there if left out.
   */
  localTtl?: Duration | undefined
  /**
   * How long a value lives that is stored while changes in the tier are not heard of, at most; `'1s'`
   * if left out.
   */
  uncoveredTtl?: Duration | undefined
  /**
   * Whether of all processes one loads a key, while the others wait for what it brings; for at most
   * {@link LoadingOptions.lockTimeout}. `false` if left out.
   */
  tierLease?: boolean | undefined
}

/** What a second tier does to the cache in front of it. */
export interface Front {
  readonly name: string
  readonly timers: Timers
  /** What the instances of the process share. */
  readonly kin: Kin & { close(): void }
  forget(keys: readonly CacheKey[]): void
  /** Forgets by a tag; `soft`: keeps them for who takes stale values. */
  forgetTag(tag: string, soft: boolean): void
  clear(): void
  /** An operation failed, or changes elsewhere are not heard of, or are again. */
  tell(state: 'failed' | 'lost' | 'regained', operation?: string, error?: unknown): void
  breaker(state: 'closed' | 'open' | 'half-open'): void
  /** Who is told how long operations take; `undefined` while nobody is. */
  called(): Called | undefined
  /** Calls an operation, traced if anybody wants that. */
  traced<T>(operation: string, ask: () => Promise<T>): Promise<T>
}

/** The names of the options. */
export const secondOptions: readonly (keyof SecondOptions)[] = [
  'tier',
  'onTierLoss',
  'localTtl',
  'uncoveredTtl',
  'tierLease',
]

/**
 * Every value of a tiered cache has a tag of the time in which it was known, so that all of that time
 * can be made stale at once when it ends: what is made stale is taken for as old as the oldest value
 * that its tag made stale, so the times have tags of their own, as many as may end within a grace.
 */
const COVERS = 64

/** Checks how a second tier is used. */
export function checkSecond(options: SecondOptions): { localTtl: number; uncoveredTtl: number } {
  const { tier, onTierLoss = 'drop', uncoveredTtl = '1s', tierLease = false } = options
  const { localTtl = Number.POSITIVE_INFINITY } = options
  if (tier !== undefined && typeof (tier as Partial<Tier> | null)?.open !== 'function') {
    throw new InvalidOptionError('tier', tier, 'a tier, such as redis() of breakwater/redis gives')
  }
  if (onTierLoss !== 'drop' && onTierLoss !== 'stale') {
    throw new InvalidOptionError('onTierLoss', onTierLoss, "'drop' or 'stale'")
  }
  if (typeof tierLease !== 'boolean') {
    throw new InvalidOptionError('tierLease', tierLease, 'true or false')
  }
  return {
    localTtl: milliseconds('localTtl', localTtl),
    uncoveredTtl: milliseconds('uncoveredTtl', uncoveredTtl),
  }
}

/** The second tier of one instance. */
export class Second {
  readonly session: GuardedSession
  /** Whether of all processes one loads a key. */
  readonly leases: boolean
  readonly #front: Front
  readonly #soft: boolean
  readonly #localTtl: number
  readonly #uncoveredTtl: number
  #covered = true
  #failures = 0
  /** Times that have ended, each by a loss or by its end. */
  #times = 0

  constructor(tier: Tier, options: SecondOptions, front: Front) {
    this.#front = front
    this.#soft = options.onTierLoss === 'stale'
    const { localTtl, uncoveredTtl } = checkSecond(options)
    this.#localTtl = localTtl
    this.#uncoveredTtl = Math.min(localTtl, uncoveredTtl)
    this.leases = options.tierLease ?? false
    try {
      // Its connections and timers outlast the call that makes the cache.
      const session = neutrally(() => tier.open(this.#host()))
      this.session = new GuardedSession(session, {
        failed: (operation, error) => this.failed(operation, error),
        called: () => front.called(),
        traced: (operation, ask) => front.traced(operation, ask),
        now: () => front.timers.now(),
      })
    } catch (error) {
      front.kin.close()
      throw error
    }
  }

  /** Lets it go, when what is under way is done. */
  async close(): Promise<void> {
    await this.session.close()
    this.#front.kin.close()
  }

  /** The life of a value here, in milliseconds: short while changes there are not heard of. */
  lifeHere(ms: number): number {
    return Math.min(ms, this.#covered ? this.#localTtl : this.#uncoveredTtl)
  }

  /** The tag of what is known now, beside its own; `undefined` if what is not covered is dropped. */
  get cover(): string | undefined {
    return this.#soft ? `\0covered ${this.#times % COVERS}` : undefined
  }

  /** Stores a value there: a failure is told to listeners. */
  store(key: CacheKey, value: TierValue): Promise<boolean> {
    return this.session.set(key, value)
  }

  /** An operation failed and was passed over. */
  failed(operation: string, error: unknown): void {
    this.#failures++
    this.#front.tell('failed', operation, error)
  }

  /** How many operations have failed. */
  get failures(): number {
    return this.#failures
  }

  #host(): TierHost {
    const front = this.#front
    return {
      name: front.name,
      timers: front.timers,
      kin: front.kin,
      changed: keys => this.#hear(() => front.forget(keys)),
      // The store is about to be lost: all that was known by it is stale by then.
      doubted: keys => this.#hear(() => (this.#soft ? this.#forgetAll() : front.forget(keys))),
      tagged: tags =>
        this.#hear(() => {
          for (const tag of tags) front.forgetTag(tag, false)
        }),
      cleared: () => this.#hear(() => this.#forgetAll()),
      lost: () => {
        this.#covered = false
        this.#forgetAll()
        front.tell('lost')
      },
      regained: () => {
        // What was stored in between may have changed unheard.
        this.#forgetAll()
        this.#covered = true
        front.tell('regained')
      },
      failed: (operation, error) => this.failed(operation, error),
      breaker: state => front.breaker(state),
    }
  }

  /** What is heard may be of strangers: where the cache cannot follow it forgets everything. */
  #hear(forget: () => void): void {
    try {
      forget()
    } catch (error) {
      this.failed('invalidation', error)
      this.#front.clear()
    }
  }

  #forgetAll(): void {
    const { cover } = this
    this.#times++
    if (cover === undefined) this.#front.clear()
    else this.#front.forgetTag(cover, true)
  }
}
