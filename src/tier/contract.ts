// A second tier: a store behind the cache that other processes share. What it has to do, and what it
// tells the cache.
import type { Timers } from '../base/timers.ts'
import type { CacheKey } from '../base/types.ts'

/** A value as a tier keeps it: encoded once, by the cache's codec. */
export interface TierValue {
  /** What the codec made of the value. */
  readonly encoded: string | number | Uint8Array
  /** What the codec has to know of it, from 0 to 255: comes back as it was given; 0 is none. */
  readonly kind?: number | undefined
  /**
   * Milliseconds that it is fresh from now on. Below 0: it has been stale for so long. `Infinity`: it
   * does not end.
   */
  readonly freshFor: number
  /** Milliseconds that loading it took; 0 if unknown. */
  readonly cost: number
  /** Never takes the place of a higher one. */
  readonly version?: number | undefined
  /** Names by which {@link TierSession.invalidateTag} removes the value. */
  readonly tags?: readonly string[] | undefined
  /**
   * Of a value that was loaded: the {@link TierMark.since} of the `get` before the load. It is not
   * stored if the key was written or removed since then, nor if that is not known (0). A value
   * without it is new: it is stored whatever is there, but for a higher version.
   */
  readonly since?: TierMoment | undefined
}

/** A moment of the store's, which only the store reads; 0 if none is known. */
export type TierMoment = object | 0

/** Filled by a `get`: what a load that follows has to show when its value is stored. */
export interface TierMark {
  /** When the key was read, as the store says; stays as it is if the store did not answer. */
  since?: TierMoment | undefined
}

/**
 * Texts that all instances of a cache in the threads of this process share, since they share its
 * values. The oldest are forgotten.
 */
export interface Kin {
  /** Remembers a text. */
  add(text: string): void
  /** Whether a text is remembered. */
  has(text: string): boolean
}

/** What a tier tells the cache. */
export interface TierHost {
  /** The cache's name: a part of the keys in the store. */
  readonly name: string
  /** All waiting is done by these. */
  readonly timers: Timers
  /** Left out where nobody else has the values of this instance. */
  readonly kin?: Kin | undefined
  /** Keys were written or removed elsewhere. */
  changed(keys: readonly CacheKey[]): void
  /** Keys were written, here or elsewhere, and the store does not answer who did. */
  doubted(keys: readonly CacheKey[]): void
  /** Tags were invalidated elsewhere. */
  tagged(tags: readonly string[]): void
  /** Everything may have changed elsewhere. */
  cleared(): void
  /** From now on changes elsewhere are not heard of. */
  lost(): void
  /** They are heard of again; what changed in between is not known. */
  regained(): void
  /** An operation failed, and was passed over. */
  failed(operation: string, error: unknown): void
  /** The breaker around the store changed. */
  breaker(state: 'closed' | 'open' | 'half-open'): void
}

/** A second tier, for one cache or several. */
export interface Tier {
  /** Opens it for an instance. */
  open(host: TierHost): TierSession
}

/** A second tier as one instance uses it. Nothing here rejects but for {@link TierSession.close}. */
export interface TierSession {
  /** Resolves when changes elsewhere are heard of, or cannot be for now. */
  readonly ready: Promise<void>
  /** The value of a key; `undefined` also if the store does not answer. */
  get(key: CacheKey, mark?: TierMark): Promise<TierValue | undefined>
  /**
   * Whether it has a fresh value of a key, without reading that; `false` if it does not answer. Where it
   * is left out, the value is read.
   */
  has?(key: CacheKey): Promise<boolean>
  /** Stores a value; `false` if there is a newer one, or the store does not answer. */
  set(key: CacheKey, value: TierValue): Promise<boolean>
  /** Removes the values of keys, and keeps loads that began before from storing theirs. */
  delete(keys: readonly CacheKey[]): Promise<void>
  /** Removes the values that have a tag, and those that loads which began before may still store. */
  invalidateTag(tag: string): Promise<void>
  /** Removes all values of the cache. */
  clear(): Promise<void>
  /**
   * The right to load a key, of which the fleet has one; `undefined` if another process has it. Given
   * to all while the store does not answer.
   */
  lease(key: CacheKey, ms: number): Promise<TierLease | undefined>
  /** Resolves when another process has written the key, or after `ms`. */
  written(key: CacheKey, ms: number): Promise<void>
  /** Tells the fleet which keys this process reads most. */
  publishHot(keys: readonly { key: CacheKey; count: number }[]): Promise<void>
  /** The keys that the fleet reads most, most first. */
  fleetHot(limit: number): Promise<CacheKey[]>
  /** Lets go of what it holds: connections, timers. The client stays open. */
  close(): Promise<void>
}

/** The right of one process to load a key. */
export interface TierLease {
  /** Gives the right back. */
  release(): Promise<void>
}
