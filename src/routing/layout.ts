// How many points each node of a ring has: as many for each weight, or as Envoy counts them.
import { checkCount, checkFlag, checkKnown, checkShape } from '../base/checks.ts'
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import type { WeightedNode } from './nodes.ts'

/** How a ring is made. */
export interface RingOptions {
  /**
   * Points of a node of the weight 1; 1,024 if left out. The shares of equal nodes differ by some
   * 1 / √points, here 3 %. A point takes 16 bytes, and about a microsecond when the ring is made.
   */
  points?: number | undefined
  /**
   * Whether only the part of a key between its first `{` and the next `}` counts, if there is any,
   * as in Redis Cluster: `user:{42}:name` and `user:{42}:cart` have one node. `false` if left out.
   */
  hashTags?: boolean | undefined
  /**
   * Places each key where Envoy's `RING_HASH` with `XX_HASH` does, and so Istio's consistent hash, if
   * nodes are named as its hosts, as `10.0.0.1:8080`, in its order. `true` is
   * `{ minimumSize: 1024, maximumSize: 8388608 }`, its defaults. More keys move than with `points`.
   */
  envoy?: boolean | EnvoyRingOptions | undefined
}

/** The sizes of a ring of Envoy: `minimum_ring_size` and `maximum_ring_size`. */
export interface EnvoyRingOptions {
  /** At least as many points in all; 1,024 if left out. */
  minimumSize?: number | undefined
  /** At most as many points in all; 8,388,608 if left out. */
  maximumSize?: number | undefined
}

/** What a ring is made by. */
export interface Layout {
  readonly hashTags: boolean
  /** How many points each node has. */
  counts(nodes: readonly WeightedNode[]): readonly number[]
}

/** The most points of a ring, of this package and of Envoy. */
const MOST = 2 ** 23

/** Checks how a ring is made. */
export function checkLayout(given: RingOptions): Layout {
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionError('options', given, 'an object { points, hashTags, envoy }')
  }
  checkKnown('', given, ['points', 'hashTags', 'envoy'])
  const { points = 1_024, hashTags = false, envoy = false } = given
  checkFlag('hashTags', hashTags)
  checkCount('points', points)
  if (envoy === false) return { hashTags, counts: nodes => byWeight(nodes, points) }
  if (given.points !== undefined) {
    throw new OptionCombinationError('points', points, 'envoy', 'its sizes say how many there are')
  }
  const sizes = checkShape('envoy', envoy === true ? {} : envoy, ['minimumSize', 'maximumSize'])
  const minimum = checkSize('envoy.minimumSize', sizes.minimumSize ?? 1_024)
  const maximum = checkSize('envoy.maximumSize', sizes.maximumSize ?? MOST)
  if (minimum > maximum) {
    throw new OptionCombinationError(
      'envoy.minimumSize',
      minimum,
      'envoy.maximumSize',
      `take at most ${maximum}`,
    )
  }
  return { hashTags, counts: nodes => asEnvoy(nodes, minimum, maximum) }
}

function checkSize(option: string, size: number): number {
  if (checkCount(option, size) <= MOST) return size
  throw new InvalidOptionError(option, size, `at most ${MOST}`)
}

/** So many for each weight of 1, and at least one. */
function byWeight(nodes: readonly WeightedNode[], points: number): number[] {
  const counts = nodes.map(({ weight }) => Math.max(1, Math.round(points * weight)))
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total <= MOST) return counts
  const allowed = `fewer: ${nodes.length} nodes with their weights have ${total}, and ${MOST} is the most`
  throw new InvalidOptionError('points', points, allowed)
}

/**
 * As `RingHashLoadBalancer` counts: the lightest node has whole points, at least `minimum` in all, and
 * what others have over is carried to the next.
 */
function asEnvoy(nodes: readonly WeightedNode[], minimum: number, maximum: number): number[] {
  const total = nodes.reduce((sum, { weight }) => sum + weight, 0)
  const least = Math.min(...nodes.map(({ weight }) => weight)) / total
  const scale = Math.min(Math.ceil(least * minimum) / least, maximum)
  let [sum, target] = [0, 0]
  return nodes.map(({ weight }) => {
    target += (scale * weight) / total
    const count = Math.max(0, Math.ceil(target - sum))
    sum += count
    return count
  })
}
