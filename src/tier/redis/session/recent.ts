// What a session has asked the store for of late. Another thread of the process, which shares the values
// here, may have removed it meanwhile: what was read before that is forgotten once more.
//
// Each read writes a question down, and few are ever looked for. So a question is a row of a few lists,
// not an object, which the collector would have to carry through both of its young spaces.

import { processClock } from '../../../base/process-clock.ts'
import type { CacheKey } from '../../../base/types.ts'
import type { TierHost } from '../../contract.ts'
import { type Found, SIGNATURE } from '../../envelope.ts'
import { textOf } from './keys.ts'

/** Milliseconds for which it is remembered, at least, and the most questions in that time. */
const [LIFE, MOST] = [5_000, 20_000]

/** Microseconds that may lie between what a thread does here and what it asks the store to do. */
const MARGIN = 50_000

/** One question, and what was found. */
export interface Asked {
  /** Its number. */
  readonly question: number
  readonly key: CacheKey
  /** Who wrote what was found, as it is stored; `undefined` while there is no answer. */
  readonly writer: string | undefined
  readonly tags: readonly string[] | undefined
}

/** The questions of one session. */
export class Recent {
  readonly #host: TierHost
  #young = new Questions(0)
  #old = new Questions(0)
  #since = 0

  constructor(host: TierHost) {
    this.#host = host
  }

  /** The store is about to be asked: the moment, in microseconds of the process. */
  begin(): number {
    const now = this.#host.timers.now()
    const age = now - this.#since
    if (age > LIFE) this.#turn(now, age > 2 * LIFE)
    return processClock()
  }

  /** The store is asked for what can be a key, at such a moment: the number of the question. */
  ask(key: CacheKey, at: number = this.begin()): number {
    if (this.#young.size >= MOST) this.#turn(this.#host.timers.now(), false)
    return this.#young.add(key, at)
  }

  /** A question was answered by a value. */
  found(question: number, value: Found): void {
    this.#of(question)?.found(question, value)
  }

  /** Nothing was found. */
  drop(question: number): void {
    this.#of(question)?.drop(question)
  }

  /** The last question for a key, if it was asked after a moment, or just before. */
  find(key: CacheKey, since: number): Asked | undefined {
    const text = textOf(key)
    const log = this.#young.has(text) ? this.#young : this.#old
    return log.last(text, since - MARGIN)
  }

  /** All questions that were asked after a moment, or just before. */
  *all(since: number): Generator<Asked> {
    for (const log of [this.#young, this.#old]) yield* log.all(since - MARGIN)
  }

  /** Those of a number; `undefined` if they are forgotten. */
  #of(question: number): Questions | undefined {
    if (question >= this.#young.first) return this.#young
    return question >= this.#old.first ? this.#old : undefined
  }

  /** What was young is old from now on, unless it is too old already. */
  #turn(now: number, forgets: boolean): void {
    const next = this.#young.first + this.#young.size
    this.#old = forgets ? new Questions(next) : this.#young
    this.#young = new Questions(next)
    this.#since = now
  }
}

/** What is known of a question. */
const ASKED = 0
const VAIN = 1
const FOUND = 2

/** Questions in their order. By their keys they are sorted only when one is looked for. */
class Questions {
  readonly #keys: CacheKey[] = []
  /** When each was asked. */
  #moments = new Float64Array(64)
  #states = new Uint8Array(64)
  /** Who wrote what was found. */
  #writers = new Uint8Array(64 * SIGNATURE)
  /** Of the values that have any. */
  readonly #tags = new Map<number, readonly string[]>()
  /** Where the last question for each key is. */
  readonly #last = new Map<string, number>()
  /** How many of them are sorted. */
  #sorted = 0

  /** @param first - the number of the first. */
  constructor(readonly first: number) {}

  /** How many there are. */
  get size(): number {
    return this.#keys.length
  }

  add(key: CacheKey, at: number): number {
    const place = this.#keys.length
    if (place === this.#moments.length) this.#grow()
    // Bytes are the caller's own.
    this.#keys.push(typeof key === 'object' ? new Uint8Array(key) : key)
    this.#moments[place] = at
    return this.first + place
  }

  found(question: number, value: Found): void {
    const place = question - this.first
    this.#states[place] = FOUND
    value.copySignature(this.#writers, place * SIGNATURE)
    if (value.tags !== undefined) this.#tags.set(place, value.tags)
  }

  drop(question: number): void {
    this.#states[question - this.first] = VAIN
  }

  /** Whether there was a question for a key that was not in vain. */
  has(text: string): boolean {
    this.#sort()
    const place = this.#last.get(text)
    return place !== undefined && this.#states[place] !== VAIN
  }

  /** The last question for a key, unless it was in vain, or asked before a moment. */
  last(text: string, since: number): Asked | undefined {
    this.#sort()
    const place = this.#last.get(text)
    return place === undefined ? undefined : this.#at(place, since)
  }

  /** The last question for each key, of those that were asked since a moment. */
  *all(since: number): Generator<Asked> {
    this.#sort()
    for (const place of this.#last.values()) {
      const asked = this.#at(place, since)
      if (asked !== undefined) yield asked
    }
  }

  #at(place: number, since: number): Asked | undefined {
    const state = this.#states[place]
    if (state === VAIN || (this.#moments[place] as number) < since) return undefined
    const begin = place * SIGNATURE
    const writer = Buffer.from(this.#writers.subarray(begin, begin + SIGNATURE)).toString('latin1')
    return {
      question: this.first + place,
      key: this.#keys[place] as CacheKey,
      writer: state === ASKED ? undefined : writer,
      tags: this.#tags.get(place),
    }
  }

  #sort(): void {
    for (; this.#sorted < this.#keys.length; this.#sorted++) {
      this.#last.set(textOf(this.#keys[this.#sorted] as CacheKey), this.#sorted)
    }
  }

  #grow(): void {
    const size = 2 * this.#moments.length
    const [moments, states, writers] = [this.#moments, this.#states, this.#writers]
    this.#moments = new Float64Array(size)
    this.#moments.set(moments)
    this.#states = new Uint8Array(size)
    this.#states.set(states)
    this.#writers = new Uint8Array(size * SIGNATURE)
    this.#writers.set(writers)
  }
}
