// What `breakwater bench` measures: requests by Zipf's law, from the keys that a program builds.
import { now } from '../base/runtime.ts'
import type { MapLike } from './side.ts'

/** What is measured, for people. */
export const operations = {
  get: 'get, keys just built',
  same: 'get, the same key objects',
  set: 'set, each evicts',
} as const
/** The name of an operation. */
export type Operation = keyof typeof operations

/** How many requests there are before they come again; a power of two. */
const REQUESTS = 1 << 18
const SKEW = 0.99

/** What the rounds of a side need, made once. */
export class Workload {
  readonly #ids: Uint32Array
  readonly #keys: string[]
  readonly #value = 'x'.repeat(64)
  #turn = 0
  /** Results are counted, so that no compiler leaves out what nobody would miss. */
  #found = 0

  constructor(
    readonly cache: MapLike,
    readonly entries: number,
  ) {
    this.#ids = zipf(entries)
    this.#keys = Array.from({ length: entries }, (_, id) => `user:${id}`)
    for (const key of this.#keys) cache.set(key, this.#value)
  }

  /** Milliseconds that so many operations take. */
  round(operation: Operation, count: number): number {
    const began = now()
    if (operation === 'get') this.#get(count)
    else if (operation === 'same') this.#same(count)
    else this.#set(count)
    const taken = now() - began
    // Keys that were held are asked for: a side that answers nothing would be measured as fast.
    if (operation !== 'set' && this.#found === 0) throw new Error('it holds none of its entries')
    return taken
  }

  #get(count: number): void {
    const { cache } = this
    let found = 0
    for (let n = 0; n < count; n++) {
      if (cache.get(`user:${this.#ids[n & (REQUESTS - 1)]}`) !== undefined) found++
    }
    this.#found += found
  }

  #same(count: number): void {
    const { cache } = this
    const keys = this.#keys
    let found = 0
    for (let n = 0; n < count; n++) {
      if (cache.get(keys[this.#ids[n & (REQUESTS - 1)]!]!) !== undefined) found++
    }
    this.#found += found
  }

  #set(count: number): void {
    const { cache } = this
    const value = this.#value
    for (let n = 0; n < count; n++) cache.set(`turn:${this.#turn++}`, value)
  }
}

/** Numbers below `entries`, the smaller ones as much oftener as Zipf's law says (Gray et al., 1994). */
function zipf(entries: number): Uint32Array {
  let zeta = 0
  for (let n = 1; n <= entries; n++) zeta += n ** -SKEW
  const alpha = 1 / (1 - SKEW)
  const half = 1 + 0.5 ** SKEW
  const eta = (1 - (2 / entries) ** (1 - SKEW)) / (1 - half / zeta)
  let state = 1
  return Uint32Array.from({ length: REQUESTS }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const unit = state / 2 ** 32
    if (unit * zeta < 1) return 0
    if (unit * zeta < half) return Math.min(1, entries - 1)
    return Math.min(entries - 1, Math.floor(entries * (eta * unit - eta + 1) ** alpha))
  })
}
