// What a session has asked the store for of late. Another thread of the process, which shares the values
// here, may have removed it meanwhile: what was read before that is forgotten once more.

import { processClock } from '../../../base/process-clock.ts'
import type { CacheKey } from '../../../base/types.ts'
import type { TierHost } from '../../contract.ts'
import { textOf } from './keys.ts'

/** Milliseconds for which it is remembered, at least, and the most questions in that time. */
const [LIFE, MOST] = [5_000, 20_000]

/** Microseconds that may lie between what a thread does here and what it asks the store to do. */
const MARGIN = 50_000

/** One question, and what was found. */
export interface Asked {
  readonly key: CacheKey
  /** When, in microseconds of the process. */
  readonly at: number
  /** Who wrote what was found, as it is stored. */
  writer: string | undefined
  tags: readonly string[] | undefined
  /** Whether nothing was found. */
  isVain: boolean
}

/** The questions of one session. */
export class Recent {
  readonly #host: TierHost
  #young = new Questions()
  #old = new Questions()
  #since = 0

  constructor(host: TierHost) {
    this.#host = host
  }

  /** The store is asked for what can be a key. */
  ask(key: CacheKey): Asked {
    const now = this.#host.timers.now()
    if (now - this.#since > LIFE || this.#young.size >= MOST) {
      this.#old = now - this.#since > 2 * LIFE ? new Questions() : this.#young
      this.#young = new Questions()
      this.#since = now
    }
    // Bytes are the caller's own.
    const kept = typeof key === 'object' ? new Uint8Array(key) : key
    const asked = {
      key: kept,
      at: processClock(),
      writer: undefined,
      tags: undefined,
      isVain: false,
    }
    this.#young.add(asked)
    return asked
  }

  /** Nothing was found. */
  drop(asked: Asked): void {
    asked.isVain = true
  }

  /** The last question for a key, if it was asked after a moment, or just before. */
  find(key: CacheKey, since: number): Asked | undefined {
    const text = textOf(key)
    const asked = this.#young.last(text) ?? this.#old.last(text)
    return asked !== undefined && asked.at >= since - MARGIN ? asked : undefined
  }

  /** All questions that were asked after a moment, or just before. */
  *all(since: number): Generator<Asked> {
    for (const log of [this.#young, this.#old]) {
      for (const asked of log.all()) if (asked.at >= since - MARGIN) yield asked
    }
  }
}

/** Questions in their order. By their keys they are sorted only when one is looked for: few are. */
class Questions {
  readonly #all: Asked[] = []
  readonly #last = new Map<string, Asked>()
  /** How many of them are sorted. */
  #sorted = 0

  /** How many there are. */
  get size(): number {
    return this.#all.length
  }

  add(asked: Asked): void {
    this.#all.push(asked)
  }

  /** The last question for a key, unless it was in vain. */
  last(text: string): Asked | undefined {
    this.#sort()
    const asked = this.#last.get(text)
    return asked?.isVain === true ? undefined : asked
  }

  /** The last question for each key. */
  *all(): Generator<Asked> {
    this.#sort()
    for (const asked of this.#last.values()) if (!asked.isVain) yield asked
  }

  #sort(): void {
    for (; this.#sorted < this.#all.length; this.#sorted++) {
      const asked = this.#all[this.#sorted] as Asked
      this.#last.set(textOf(asked.key), asked)
    }
  }
}
