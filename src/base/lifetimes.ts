// How long entries live: the cache's defaults, what a `set` asks for, and the draw between them.
import { checkJitter, drawLife } from './jitter.ts'
import type { CacheKey, Duration, SetOptions } from './types.ts'
import { milliseconds } from './units.ts'

/** Decides how long an entry lives by what it is; for ever if it gives `undefined`. */
export type TtlOf<K extends CacheKey, V> = (value: V, key: K) => Duration | undefined

/** How long the entries of one instance live. */
export class Lifetimes<K extends CacheKey = CacheKey, V = unknown> {
  /** Whether each entry draws how long it lives, even if its `set` asks for nothing. */
  readonly drawn: boolean

  /**
   * @param ttl - the default in milliseconds.
   * @param jitter - the default.
   * @param random - draws from 0 up to, not including, 1.
   * @param ttlOf - goes before the default.
   */
  constructor(
    readonly ttl: number | undefined,
    readonly jitter: number,
    readonly random: () => number,
    readonly ttlOf: TtlOf<K, V> | undefined,
  ) {
    this.drawn = ttlOf !== undefined || (ttl !== undefined && jitter > 0)
  }

  /** How long an entry lives, in milliseconds; `undefined` for the native side's default. */
  of(options: SetOptions | undefined, value: V, key: K): number | undefined {
    if (options === undefined && !this.drawn) return undefined
    const given = options?.ttl === undefined ? this.ttlOf?.(value, key) : options.ttl
    const ttl = given === undefined ? this.ttl : milliseconds('ttl', given)
    const jitter = checkJitter(options?.jitter) ?? this.jitter
    if (ttl === undefined || jitter === 0) return ttl
    return drawLife(ttl, jitter, this.random)
  }
}
