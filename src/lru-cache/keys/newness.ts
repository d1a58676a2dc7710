// Whether the key objects that come are new, or have been here before.
//
// V8 computes the hash of a string once, and keeps it with the object. So of two lookups in a row
// by one object, the first takes longer if the object is new. Which one takes longer is all that
// counts here: how fast the machine is, and what else it does, matters little.

/** Milliseconds from some moment on, as finely as can be. */
export type Clock = () => number

/** What the objects of a window are; `unclear`: some of each, or the clock is too coarse. */
export type Verdict = 'new' | 'known' | 'unclear'

/** So many objects make a window. */
const WINDOW = 32

/** New ones take longer so much oftener than less long; */
const NEW = 0.6 * WINDOW
/** and known ones at most so much oftener. */
const KNOWN = 0.3 * WINDOW

/** Nothing is in it, so that a lookup is the hash and little else. */
const NOTHING = new Map<unknown, never>()

/** A string that is known. */
const OTHER = 'known'

/** Looks at key objects, and says of each window what they were. */
export class Newness {
  readonly #clock: Clock
  /** Of this window. */
  #looks = 0
  /** Objects whose first lookup took longer, less those whose second did. */
  #longer = 0
  /** Objects whose lookups took no time, as this clock goes. */
  #blind = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Makes an object known, if it is not: its hash is computed. */
  meet(key: string): void {
    if (NOTHING.has(key)) throw notEmpty()
  }

  /** Looks at a key; what the window's were, if it was the last one of a window. */
  look(key: string): Verdict | undefined {
    return this.count(this.compare(key))
  }

  /** By which of two lookups in a row a key took longer: 1 by the first, -1 by the second, or 0. */
  compare(key: string): number {
    // What is used for the first time in a while is slow, this code included. This reads the length
    // of the key, beside which its hash lies.
    if (key === OTHER) return 0
    let first = 0
    let second = 0
    // In a loop, so that one piece of machine code times both: two copies differ by more than a hash.
    for (let turn = 0; turn < 4; turn++) {
      first = second
      second = this.#time(turn < 2 ? OTHER : key)
    }
    if (second === 0) this.#blind++
    return Math.sign(Math.round((first - second) * 1e6))
  }

  /** Counts a comparison; what the window's objects were, if it was the last one of a window. */
  count(longer: number): Verdict | undefined {
    this.#longer += longer
    return ++this.#looks === WINDOW ? this.#conclude() : undefined
  }

  /** Milliseconds that a lookup takes. */
  #time(key: string): number {
    const start = this.#clock()
    this.meet(key)
    return this.#clock() - start
  }

  #conclude(): Verdict {
    const longer = this.#longer
    const blind = 2 * this.#blind > WINDOW
    this.#looks = 0
    this.#longer = 0
    this.#blind = 0
    if (blind) return 'unclear'
    if (longer >= NEW) return 'new'
    return Math.abs(longer) <= KNOWN ? 'known' : 'unclear'
  }
}

function notEmpty(): Error {
  return new Error('what is empty has something in it')
}
