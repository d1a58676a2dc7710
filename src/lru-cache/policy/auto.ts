// `auto`: S3-FIFO's queues under the rule that does best of late.
//
// Shadow caches, one for each rule, are asked for a sample of the keys that the cache is asked for. A key is
// in the sample by its hash: always or never. Whichever shadow hits most gives its rule to the queues; the
// entries stay where they are, and the queues find their new lengths as entries come and go.
//
// Shadows are made when the cache first evicts, and anew when it has become far larger or smaller.
import type { PolicyStats } from '../../base/types.ts'
import type { Slots } from '../slots.ts'
import { Chooser } from './chooser.ts'
import { Observer } from './observer.ts'
import { Queues } from './queues.ts'
import { RULES } from './rule.ts'
import { Sketch } from './sketch.ts'

/** Reads that shadows are told of between two evictions: while nothing is evicted no rule matters. */
const MOST_TOLD = 64

export class Auto extends Queues {
  readonly #chooser = new Chooser()
  #observer: Observer | undefined
  #sketch: Sketch | undefined
  /** Of a slot: the hash of its key, 0 if it has none. */
  #hashes: Int32Array
  readonly #slots: Slots
  /** Entries that there are at least and at most, for the shadows to stand for them. */
  #least = 0
  #most = 0
  /** Reads that shadows are told of until the next eviction. */
  #left = 0

  constructor(slots: Slots) {
    super(slots)
    this.#slots = slots
    this.#hashes = new Int32Array(slots.capacity + 1)
  }

  override read(slot: number): void {
    super.read(slot)
    if (this.#left > 0) this.#hear(slot)
  }

  override admit(slot: number, hash: number): void {
    if (slot >= this.#hashes.length) this.#grow()
    this.#hashes[slot] = hash
    super.admit(slot, hash)
    this.count(slot)
    this.#ask(hash)
  }

  override victim(except: number): number {
    if (this.entries < this.#least || this.entries > this.#most) this.#begin()
    this.#left = this.#observer === undefined ? 0 : MOST_TOLD
    return super.victim(except)
  }

  override clear(): void {
    super.clear()
    this.#end()
    this.#most = 0
  }

  override report(): PolicyStats {
    const { inForce, judged, slow, switches } = this.#chooser
    const hitRatios = Object.fromEntries(RULES.map(({ name }, i) => [name, slow[i]!]))
    const sampled = this.#observer?.sampled ?? 0
    const rule = RULES[inForce]!.name
    return { name: 'auto', rule, weigh: 'hits', hitRatios, sampled, judged, switches }
  }

  protected override count(slot: number): void {
    this.#sketch?.add(this.#hashes[slot]!)
  }

  protected override estimate(slot: number): number {
    return this.#sketch?.estimate(this.#hashes[slot]!) ?? 0
  }

  #hear(slot: number): void {
    const hash = this.#hashes[slot]!
    if (!this.#observer!.follows(hash)) return
    this.#left--
    this.#ask(hash)
  }

  /** Asks the shadows, if they follow the key. */
  #ask(hash: number): void {
    if (this.#observer?.follows(hash) !== true || !this.#observer.request(hash)) return
    this.#chooser.judge(this.#observer.close())
    this.rule = RULES[this.#chooser.inForce]!
  }

  /** Makes shadows for as many entries as there are. */
  #begin(): void {
    const { entries } = this
    this.#end()
    this.#least = entries / 2
    this.#most = entries + entries / 8
    this.#observer = Observer.of(entries)
    if (this.#observer === undefined) return
    this.#sketch = new Sketch(entries)
    this.#chooser.restart()
  }

  #end(): void {
    this.#observer = undefined
    this.#sketch = undefined
    this.#left = 0
  }

  #grow(): void {
    const hashes = new Int32Array(this.#slots.capacity + 1)
    hashes.set(this.#hashes)
    this.#hashes = hashes
  }
}
