// A consistent hash ring: each key has a node, and few keys move when a node joins or leaves.
import { checkCount } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { overlaps, type Placed, type RingDiff } from './diff.ts'
import { hash, hashLow } from './hash.ts'
import { tagOf } from './hash-tag.ts'
import { checkLayout, type RingOptions } from './layout.ts'
import { checkNodes, type RingNodeInput, type WeightedNode } from './nodes.ts'
import { Points } from './points.ts'

/**
 * A consistent hash ring. A ring does not change: {@link Ring.with} and {@link Ring.without} make
 * another one.
 *
 * A node named `n` has its points at the hashes of `n_0`, `n_1` and so on; a key belongs to the first
 * point that is not before its own hash. The hash is XXH64 of the UTF-8 bytes, with seed 0. So every
 * process and every version of this package finds the same node, whatever the order of the nodes, and
 * so can a program in another language.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { Ring } from 'breakwater/routing'
 *
 * const ring = new Ring(['cache-a', 'cache-b', { name: 'cache-c', weight: 2 }])
 * const [owner, next] = ring.successors('user:42', 2)
 * assert.equal(ring.locate('user:42'), owner)
 * // A node that leaves hands its keys to the next ones. All other keys stay.
 * assert.equal(ring.without(owner as string).locate('user:42'), next)
 * ```
 */
export class Ring {
  /** The nodes, as they were given. */
  readonly nodes: readonly WeightedNode[]
  readonly #names: readonly string[]
  readonly #points: Points
  readonly #hashTags: boolean
  readonly #options: RingOptions

  /**
   * @param nodes - names, or names with weights: at least one, each name once.
   * @throws InvalidOptionError `ERR_INVALID_OPTION`: nodes or options that cannot be.
   */
  constructor(nodes: Iterable<RingNodeInput>, options: RingOptions = {}) {
    const { hashTags, counts } = checkLayout(options)
    this.nodes = Object.freeze(checkNodes(nodes))
    this.#names = this.nodes.map(({ name }) => name)
    this.#points = new Points(this.#names, counts(this.nodes))
    this.#hashTags = hashTags
    this.#options = { ...options }
  }

  /**
   * The node of a key.
   *
   * @param down - nodes that are left out: the next on the ring takes over. If all are down, the key's
   * own node is given.
   */
  locate(key: string, down?: ReadonlySet<string>): string {
    const at = this.#pointOf(key)
    const owner = this.#nameAt(at)
    if (down === undefined || !down.has(owner)) return owner
    for (const name of this.#from(at)) if (!down.has(name)) return name
    return owner
  }

  /**
   * The first nodes of a key, each once: its own one, that which takes over when it is down, and so on.
   *
   * @param count - how many; all if there are fewer.
   */
  successors(key: string, count: number): string[] {
    const wanted = Math.min(checkCount('count', count), this.nodes.length)
    const found: string[] = []
    for (const name of this.#from(this.#pointOf(key))) {
      found.push(name)
      if (found.length === wanted) break
    }
    return found
  }

  /**
   * One of the first nodes of a hot key, by a second hash: whoever gives the same `by`, as the name of a
   * client, has the same node each time, and all of them together use all of these nodes.
   *
   * @param copies - how many nodes the key is spread over.
   */
  spread(key: string, copies: number, by: string): string {
    const nodes = this.successors(key, copies)
    hash(checkText('by', by))
    return nodes[hashLow() % nodes.length] as string
  }

  /** This ring with one more node, or with another weight of a node that it has. */
  with(node: RingNodeInput): Ring {
    const [added] = checkNodes([node])
    const others = this.nodes.filter(({ name }) => name !== added?.name)
    return new Ring([...others, node], this.#options)
  }

  /** This ring without a node. */
  without(node: string): Ring {
    const others = this.nodes.filter(({ name }) => name !== node)
    if (others.length < this.nodes.length) return new Ring(others, this.#options)
    throw new InvalidOptionError('node', node, 'the name of a node of this ring')
  }

  /**
   * What becomes of all keys when `next` takes the place of this ring, by the lengths of their arcs.
   *
   * @example
   * ```ts
   * import assert from 'node:assert/strict'
   * import { Ring } from 'breakwater/routing'
   *
   * const ring = new Ring(['a', 'b', 'c', 'd'])
   * const { moved, moves } = ring.diff(ring.with('e'))
   * assert.ok(Math.abs(moved - 1 / 5) < 0.02) // the share of the new node
   * assert.ok(moves.every(({ to }) => to === 'e'))
   * ```
   */
  diff(next: Ring): RingDiff {
    if (!(next instanceof Ring)) throw new InvalidOptionError('next', next, 'a Ring')
    const moves = overlaps(this.#placed, next.#placed).filter(({ from, to }) => from !== to)
    return { moved: moves.reduce((sum, { share }) => sum + share, 0), moves }
  }

  /** The share of all keys that each node has, from 0 to 1. */
  shares(): Map<string, number> {
    const shares = new Map(this.#names.map(name => [name, 0]))
    for (const { to, share } of overlaps(this.#placed, this.#placed)) shares.set(to, share)
    return shares
  }

  get #placed(): Placed {
    return { points: this.#points, names: this.#names }
  }

  #pointOf(key: string): number {
    checkText('key', key)
    return this.#points.of(this.#hashTags ? tagOf(key) : key)
  }

  #nameAt(point: number): string {
    return this.#names[this.#points.node[point] as number] as string
  }

  /** The nodes from a point on, each once. */
  *#from(point: number): Generator<string> {
    const seen = new Set<string>()
    const { size } = this.#points
    for (let i = 0; i < size && seen.size < this.#names.length; i++) {
      const name = this.#nameAt((point + i) % size)
      if (seen.has(name)) continue
      seen.add(name)
      yield name
    }
  }
}

function checkText(option: string, value: string): string {
  if (typeof value === 'string') return value
  throw new InvalidOptionError(option, value, 'a text')
}
