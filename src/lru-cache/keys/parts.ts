// Keys on their way from one index to another, a few at a time.
import type { Slots } from '../slots.ts'
import type { Keys } from './keys.ts'

/** An index in two parts, of which one gets empty. What is added goes to the other one. */
export abstract class TwoParts<K, To extends Keys<K>> implements Keys<K> {
  /** All slots up to here have moved, */
  #swept = 0
  /** and all after this one never were in the first part. */
  readonly #end: number

  /**
   * @param from - what gets empty.
   * @param to - where its keys go.
   */
  constructor(
    protected readonly slots: Slots,
    protected readonly from: Keys<K>,
    readonly to: To,
  ) {
    this.#end = slots.used
  }

  /** Moves the keys of some slots; whether all have moved. */
  protected moveSome(count: number): boolean {
    const end = Math.min(this.#swept + count, this.#end)
    while (this.#swept < end) {
      const slot = ++this.#swept
      if (this.from.holds(slot)) this.move(slot)
    }
    return this.#swept === this.#end
  }

  protected abstract move(slot: number): void

  abstract find(key: K): number

  add(key: K, slot: number): void {
    this.to.add(key, slot)
  }

  remove(slot: number): void {
    this.#of(slot).remove(slot)
  }

  keyOf(slot: number): K {
    return this.#of(slot).keyOf(slot)
  }

  hash(slot: number): number {
    return this.#of(slot).hash(slot)
  }

  holds(slot: number): boolean {
    return this.from.holds(slot) || this.to.holds(slot)
  }

  clear(): void {
    this.from.clear()
    this.to.clear()
  }

  /** The part that a slot's key is in. */
  #of(slot: number): Keys<K> {
    return this.from.holds(slot) ? this.from : this.to
  }
}
