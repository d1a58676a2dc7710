// One shadow cache: S3-FIFO's queues under a rule, of keys alone. What it does with a key is what
// `Queues` does with an entry.
import { ghostsOf, MOST_TURNS, type Rule, Step, stepOf, wins } from '../rule.ts'
import { Sketch } from '../sketch.ts'
import { bitOf, type Directory, Queue } from './directory.ts'
import { Fifo, NONE } from './fifo.ts'

/** Records that a queue has room for: a few lead to keys that the directory has dropped. */
const roomOf = (capacity: number) => capacity + (capacity >> 2) + 8

export class Candidate {
  /** How often a key was asked for that it did not hold. */
  misses = 0
  /** Its bit among those of caches that hold a key. */
  readonly bit: number
  /** How many keys it holds. */
  #held = 0
  readonly #small: Fifo
  readonly #main: Fifo
  /** Of no room where the rule knows no ghosts. */
  readonly #ghosts: Fifo
  readonly #sketch: Sketch | undefined

  /** @param number - which of the caches in the directory it is. */
  constructor(
    readonly directory: Directory,
    readonly number: number,
    readonly rule: Rule,
    readonly capacity: number,
  ) {
    this.bit = bitOf(number)
    this.#small = new Fifo(roomOf(capacity))
    this.#main = new Fifo(roomOf(capacity))
    this.#ghosts = new Fifo(rule.contest || rule.small === 0 ? 0 : ghostsOf(capacity))
    this.#sketch = rule.contest ? new Sketch(capacity) : undefined
  }

  /** The directory has dropped a key that it held. */
  dropped(): void {
    this.#held--
  }

  /** A key was asked for that it does not hold: it comes in. */
  insert(at: number): void {
    this.misses++
    while (this.#held >= this.capacity) this.#evict()
    this.#sketch?.add(this.directory.key(at))
    const isGhost = this.directory.queue(this.number, at) === Queue.GHOST
    this.#held++
    if (this.rule.small === 0 || (isGhost && !this.rule.contest)) this.#enterMain(at, 0)
    else this.#enter(this.#small, Queue.SMALL, at, 0)
  }

  #evict(): void {
    const before = this.#held
    while (this.#held === before) {
      const [small, main] = [this.#small.length, this.#main.length]
      if (small + main === 0) this.#held = 0
      else this.#take(stepOf(this.rule, small, main))
    }
  }

  #take(step: Step): void {
    if (step === Step.TURN_MAIN) this.#turnMain()
    else this.#turnSmall(step)
  }

  /** The oldest of the small queue goes on, or leaves. */
  #turnSmall(step: Step): void {
    const at = this.#small.pop()
    // What the record led to is gone.
    if (this.directory.queue(this.number, at) !== Queue.SMALL) return
    const reads = this.directory.reads(this.number, at)
    if (step === Step.PASS_ON) this.#enterMain(at, Math.min(reads, 1))
    else if (step === Step.CONTEST) this.#contest(at, reads)
    else if (reads >= this.rule.reads) this.#enterMain(at, 0)
    else this.#leave(at)
  }

  #turnMain(): void {
    const at = this.#main.pop()
    if (this.directory.queue(this.number, at) !== Queue.MAIN) return
    const reads = this.directory.reads(this.number, at)
    if (reads > 0) this.#turn(at, reads - 1)
    else this.#forget(at)
  }

  /** The key goes on and the main queue's rival leaves, or itself. */
  #contest(at: number, reads: number): void {
    const rival = this.#rival()
    if (rival === NONE || !this.#wins(at, reads, rival)) {
      this.#leave(at)
    } else {
      this.#main.pop()
      this.#leave(rival)
      this.#enterMain(at, 0)
    }
  }

  #wins(at: number, reads: number, rival: number): boolean {
    const rivalReads = this.directory.reads(this.number, rival)
    return wins(this.#estimate(at), reads, this.#estimate(rival), rivalReads)
  }

  #estimate(at: number): number {
    return this.#sketch?.estimate(this.directory.key(at)) ?? 0
  }

  /** The key of the main queue that would leave next; it stands at its front. */
  #rival(): number {
    for (let turns = 0; ; ) {
      const at = this.#main.front()
      if (at === NONE) return NONE
      const isHere = this.directory.queue(this.number, at) === Queue.MAIN
      const reads = isHere ? this.directory.reads(this.number, at) : 0
      if (isHere && (reads === 0 || turns === MOST_TURNS)) return at
      this.#main.pop()
      if (!isHere) continue
      turns++
      this.#turn(at, reads - 1)
    }
  }

  /** A key of the main queue that was read gets another turn. */
  #turn(at: number, reads: number): void {
    this.#sketch?.add(this.directory.key(at))
    this.#enterMain(at, reads)
  }

  #enterMain(at: number, reads: number): void {
    this.#enter(this.#main, Queue.MAIN, at, reads)
  }

  #enter(fifo: Fifo, queue: Queue, at: number, reads: number): void {
    this.directory.put(this.number, at, queue, reads)
    const oldest = fifo.push(at)
    // Its record made room.
    if (oldest !== NONE && this.directory.queue(this.number, oldest) === queue) this.#forget(oldest)
  }

  /** A key leaves, and is remembered as a ghost. */
  #leave(at: number): void {
    this.#forget(at)
    if (!this.#ghosts.keeps) return
    this.directory.put(this.number, at, Queue.GHOST, 0)
    const oldest = this.#ghosts.push(at)
    if (oldest === NONE || this.directory.queue(this.number, oldest) !== Queue.GHOST) return
    this.directory.put(this.number, oldest, Queue.NOWHERE, 0)
  }

  /** A key leaves. */
  #forget(at: number): void {
    this.#held--
    this.directory.put(this.number, at, Queue.NOWHERE, 0)
  }
}
