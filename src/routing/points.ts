// The points of a ring: numbers of 64 bits in their order, each with the node that it belongs to.
import { hash, hashHigh, hashLow } from './hash.ts'

/** The points of nodes, in order. A key belongs to the first point that is not before its hash. */
export class Points {
  /** The halves of each point. */
  readonly high: Uint32Array
  readonly low: Uint32Array
  /** The node of each point. */
  readonly node: Uint32Array
  /** Where the points begin that share their upper bits. */
  readonly #first: Uint32Array
  readonly #shift: number

  /**
   * @param names - the nodes.
   * @param counts - how many points each has.
   */
  constructor(names: readonly string[], counts: readonly number[]) {
    const size = counts.reduce((sum, count) => sum + count, 0)
    const [high, low, node] = [new Uint32Array(size), new Uint32Array(size), new Uint32Array(size)]
    let at = 0
    names.forEach((name, index) => {
      for (let i = 0; i < (counts[index] as number); i++, at++) {
        hash(`${name}_${i}`)
        high[at] = hashHigh()
        low[at] = hashLow()
        node[at] = index
      }
    })
    const order = sorted(high, low, i => names[node[i] as number] as string)
    this.high = high.map((_, i) => high[order[i] as number] as number)
    this.low = low.map((_, i) => low[order[i] as number] as number)
    this.node = node.map((_, i) => node[order[i] as number] as number)
    // About as many groups as points, so that a group has one or two.
    const bits = Math.min(24, Math.max(1, Math.ceil(Math.log2(size))))
    this.#shift = 32 - bits
    this.#first = this.#groups(2 ** bits)
  }

  /** How many there are. */
  get size(): number {
    return this.high.length
  }

  /** Which point a key belongs to. */
  of(key: string): number {
    hash(key)
    const [high, low] = [hashHigh(), hashLow()]
    const { length } = this.high
    let at = this.#first[high >>> this.#shift] as number
    while (at < length && this.#isBefore(at, high, low)) at++
    return at === length ? 0 : at
  }

  #isBefore(at: number, high: number, low: number): boolean {
    const here = this.high[at] as number
    return here < high || (here === high && (this.low[at] as number) < low)
  }

  #groups(count: number): Uint32Array {
    const first = new Uint32Array(count)
    let at = 0
    for (let group = 0; group < count; group++) {
      while (at < this.size && (this.high[at] as number) >>> this.#shift < group) at++
      first[group] = at
    }
    return first
  }
}

/** The order of points; of two at one place that of the lesser name is first. */
function sorted(high: Uint32Array, low: Uint32Array, nameOf: (at: number) => string): Uint32Array {
  const byName = (a: number, b: number) => (nameOf(a) < nameOf(b) ? -1 : 1)
  return Uint32Array.from(high, (_, i) => i).sort(
    (a, b) =>
      (high[a] as number) - (high[b] as number) ||
      (low[a] as number) - (low[b] as number) ||
      byName(a, b),
  )
}
