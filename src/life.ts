// How long entries live: the cache's defaults, what a `set` asks for, and the draw between them.
import { checkJitter } from './options.ts'
import type { SetOptions } from './types.ts'
import { milliseconds } from './units.ts'

/** The lives of one instance's entries. */
export class Lives {
  /** Whether each entry draws its life, even if its `set` asks for nothing. */
  readonly drawn: boolean

  /**
   * @param ttl - the default in milliseconds.
   * @param jitter - the default.
   * @param random - draws from 0 up to, not including, 1.
   */
  constructor(
    readonly ttl: number | undefined,
    readonly jitter: number,
    readonly random: () => number,
  ) {
    this.drawn = ttl !== undefined && jitter > 0
  }

  /** The life to give an entry, in milliseconds; `undefined` for the native side's default. */
  of(options: SetOptions | undefined): number | undefined {
    if (options === undefined && !this.drawn) return undefined
    const ttl = options?.ttl === undefined ? this.ttl : milliseconds('ttl', options.ttl)
    const jitter = checkJitter(options?.jitter) ?? this.jitter
    if (ttl === undefined || jitter === 0) return ttl
    // Rounded to whole milliseconds, and never down to none.
    return Math.max(1, Math.round(ttl * (1 + jitter * (2 * this.random() - 1))))
  }
}
