// What a session has asked the store for of late. Another thread of the process, which shares the values
// here, may have removed it meanwhile: what was read before that is forgotten once more.

import { processClock } from '../../../base/process-clock.ts'
import type { CacheKey } from '../../../base/types.ts'
import type { TierHost } from '../../contract.ts'
import { textOf } from './keys.ts'

/** Milliseconds for which it is remembered, at least, and the most keys in that time. */
const [LIFE, MOST] = [5_000, 10_000]

/** Microseconds that may lie between what a thread does here and what it asks the store to do. */
const MARGIN = 50_000

/** One question, and what was found. */
export interface Asked {
  readonly key: CacheKey
  /** When, in microseconds of the process. */
  readonly at: number
  /** Who wrote what was found, as it is stored. */
  writer?: string
  tags?: readonly string[] | undefined
}

/** The questions of one session. */
export class Recent {
  readonly #host: TierHost
  #young = new Map<string, Asked>()
  #old = new Map<string, Asked>()
  #since = 0

  constructor(host: TierHost) {
    this.#host = host
  }

  /** The store is asked for a key. */
  ask(key: CacheKey): Asked {
    const now = this.#host.timers.now()
    if (now - this.#since > LIFE || this.#young.size >= MOST) {
      this.#old = now - this.#since > 2 * LIFE ? new Map() : this.#young
      this.#young = new Map()
      this.#since = now
    }
    const asked = { key, at: processClock() }
    this.#young.set(textOf(key), asked)
    return asked
  }

  /** Nothing was found. */
  drop(asked: Asked): void {
    const text = textOf(asked.key)
    for (const map of [this.#young, this.#old]) {
      if (map.get(text) === asked) map.delete(text)
    }
  }

  /** The last question for a key, if it was asked after a moment, or just before. */
  find(key: CacheKey, since: number): Asked | undefined {
    const text = textOf(key)
    const asked = this.#young.get(text) ?? this.#old.get(text)
    return asked !== undefined && asked.at >= since - MARGIN ? asked : undefined
  }

  /** All questions that were asked after a moment, or just before. */
  *all(since: number): Generator<Asked> {
    for (const map of [this.#young, this.#old]) {
      for (const asked of map.values()) if (asked.at >= since - MARGIN) yield asked
    }
  }
}
