// How large entries are, in a unit of the user's own, and what they add up to.
import type { Report } from './status.ts'
import type { Size, SizeCalculator } from './types.ts'

/** Whether a value is a whole number above 0. */
export function isPositive(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0
}

/** What a status says of an entry's size. */
export type SizeStatus = Pick<Report<unknown, unknown>, 'entrySize' | 'totalCalculatedSize'>

/** The sizes of a cache's entries. */
export class Sizes {
  /** What all entries add up to. */
  total: Size = 0
  #sizes: Float64Array

  /** @param capacity - how many slots to make room for. */
  constructor(capacity: number) {
    this.#sizes = new Float64Array(capacity + 1)
  }

  /** The size of an entry. */
  of(slot: number): Size {
    return slot < this.#sizes.length ? this.#sizes[slot]! : 0
  }

  /** Counts an entry in. */
  add(slot: number, size: Size, status: SizeStatus | undefined): void {
    if (slot >= this.#sizes.length) this.#grow(slot)
    this.#sizes[slot] = size
    this.total += size
    if (!status) return
    status.entrySize = size
    status.totalCalculatedSize = this.total
  }

  /** Counts an entry out. */
  remove(slot: number): void {
    this.total -= this.of(slot)
    if (slot < this.#sizes.length) this.#sizes[slot] = 0
  }

  /** Forgets all entries. */
  clear(): void {
    this.total = 0
    this.#sizes.fill(0)
  }

  #grow(slot: number): void {
    const sizes = new Float64Array(2 * slot + 16)
    sizes.set(this.#sizes)
    this.#sizes = sizes
  }
}

/**
 * The size of an entry, as it was given or as it is calculated.
 *
 * @throws TypeError if there is none, or it is no whole number above 0.
 */
export function sizeOf<K, V>(
  key: K,
  value: V,
  given: Size | undefined,
  calculation: SizeCalculator<K, V> | undefined,
): Size {
  if (isPositive(given)) return given
  if (!calculation) {
    throw new TypeError(
      `size must be a whole number above 0, not ${String(given)}: where sizes are bounded, each set needs a size or the cache a sizeCalculation`,
    )
  }
  if (typeof calculation !== 'function') {
    throw new TypeError(`sizeCalculation must be a function, not ${typeof calculation}`)
  }
  const size = calculation(value, key)
  if (!isPositive(size)) {
    throw new TypeError(`sizeCalculation must give a whole number above 0, not ${String(size)}`)
  }
  return size
}

/**
 * Refuses a size where sizes are not bounded.
 *
 * @throws TypeError if there is one.
 */
export function refuseSize(given: unknown, calculation: unknown): void {
  if (given || calculation) {
    throw new TypeError('a size needs a bound: give the cache a maxSize or a maxEntrySize')
  }
}
