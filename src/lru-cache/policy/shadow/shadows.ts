// Shadow caches: several caches of keys alone, each under a rule of its own, that are asked for the same
// keys at once. They tell what each rule would do with the requests that a cache really gets.
//
// What they know of a key is one word for all of them, so that a request for a key that they all hold
// costs one look.
import { RULES } from '../rule.ts'
import { Candidate } from './candidate.ts'
import { Directory } from './directory.ts'

export class Shadows {
  readonly #directory: Directory
  readonly #candidates: readonly Candidate[]
  /** All candidates, as the directory counts them. */
  readonly #all: number

  /** @param capacity - how many entries each has. */
  constructor(capacity: number) {
    const directory = new Directory(capacity)
    this.#directory = directory
    this.#candidates = RULES.map((rule, i) => new Candidate(directory, i, rule, capacity))
    this.#all = this.#candidates.reduce((all, { bit }) => all | bit, 0)
  }

  /** A key, which is not 0, is asked for: those who do not hold it take it in. */
  request(key: number): void {
    const at = this.#directory.find(key)
    const missed = at < 0 ? this.#all : this.#all & ~this.#directory.read(at)
    if (missed !== 0) this.#insert(at < 0 ? this.#make(key) : at, missed)
  }

  /** How often each has missed a key. */
  misses(): number[] {
    return this.#candidates.map(({ misses }) => misses)
  }

  #insert(at: number, missed: number): void {
    for (const candidate of this.#candidates) {
      if ((missed & candidate.bit) !== 0) candidate.insert(at)
    }
  }

  /** Makes a place for a key, which may cost another one its own. */
  #make(key: number): number {
    const at = this.#directory.roomFor(key)
    const held = this.#directory.give(at, key)
    for (const candidate of held === 0 ? [] : this.#candidates) {
      if ((held & candidate.bit) !== 0) candidate.dropped()
    }
    return at
  }
}
