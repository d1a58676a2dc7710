// Consistent hashing with bounded loads: no node has much more to do than the mean.
import { InvalidOptionError } from '../base/errors.ts'
import { Ring } from './ring.ts'

/**
 * Hands out the nodes of a ring, none of which has more than `bound` times its fair share of what is
 * under way: a key goes to its own node while that has room, and to the next on the ring that has
 * (Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads", 2016).
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { BoundedLoad, Ring } from 'breakwater/routing'
 *
 * const balance = new BoundedLoad(new Ring(['a', 'b', 'c']), { bound: 1.25 })
 * const taken = Array.from({ length: 12 }, () => balance.take('one hot key'))
 * assert.equal(new Set(taken).size, 3)
 * assert.ok(['a', 'b', 'c'].every(node => balance.loadOf(node) <= 5))
 * for (const node of taken) balance.release(node)
 * assert.equal(balance.total, 0)
 * ```
 */
export class BoundedLoad {
  readonly #ring: Ring
  readonly #bound: number
  /** What each node has under way, and its share of all weights. */
  readonly #nodes: Map<string, { load: number; readonly share: number }>
  #total = 0

  /**
   * @param options - `bound`: how much more than its fair share a node may have, above 1; 1.25 if left
   * out. The less, the evener the load, and the more keys leave their own node.
   */
  constructor(ring: Ring, { bound = 1.25 }: { bound?: number } = {}) {
    if (typeof bound !== 'number' || !(bound > 1)) {
      throw new InvalidOptionError('bound', bound, 'a number above 1, such as 1.25')
    }
    if (!(ring instanceof Ring)) throw new InvalidOptionError('ring', ring, 'a Ring')
    this.#ring = ring
    this.#bound = bound
    const weights = ring.nodes.reduce((sum, { weight }) => sum + weight, 0)
    this.#nodes = new Map(
      ring.nodes.map(({ name, weight }) => [name, { load: 0, share: weight / weights }]),
    )
  }

  /** All that is under way. */
  get total(): number {
    return this.#total
  }

  /** What a node has under way. */
  loadOf(node: string): number {
    return this.#nodeOf(node).load
  }

  /** A node for a key. Whoever takes it gives it back with {@link BoundedLoad.release}. */
  take(key: string, down?: ReadonlySet<string>): string {
    const full = new Set(down)
    for (;;) {
      const name = this.#ring.locate(key, full)
      const node = this.#nodeOf(name)
      // With all nodes down or full the key's own one has to do it.
      if (full.has(name) || this.#hasRoom(node)) {
        node.load++
        this.#total++
        return name
      }
      full.add(name)
    }
  }

  /** Tells that what a node was taken for is done. */
  release(node: string): void {
    const taken = this.#nodeOf(node)
    if (taken.load === 0) throw new InvalidOptionError('node', node, 'a node that was taken')
    taken.load--
    this.#total--
  }

  #hasRoom({ load, share }: { load: number; share: number }): boolean {
    return load < Math.ceil(this.#bound * (this.#total + 1) * share)
  }

  #nodeOf(name: string): { load: number; readonly share: number } {
    const node = this.#nodes.get(name)
    if (node) return node
    throw new InvalidOptionError('node', name, 'the name of a node of the ring')
  }
}
