// The power of two choices: of two nodes by chance, the one that has less to do.
import { needFunction } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'

/**
 * Picks two nodes by chance and gives the one with the lesser load. That keeps the longest queue
 * short without looking at all of them (Mitzenmacher, "The power of two choices in randomized load
 * balancing", 2001). For work that any node can do.
 *
 * @param nodes - at least one.
 * @param load - what a node has to do, as requests in flight.
 * @param random - from 0 to below 1; `Math.random` if left out.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { twoChoices } from 'breakwater/routing'
 *
 * const inFlight = new Map([['a', 9], ['b', 2]])
 * assert.equal(twoChoices(['a', 'b'], node => inFlight.get(node) ?? 0), 'b')
 * ```
 */
export function twoChoices<N>(
  nodes: readonly N[],
  load: (node: N) => number,
  random: () => number = Math.random,
): N {
  if (!Array.isArray(nodes) || nodes.length === 0) {
    throw new InvalidOptionError('nodes', nodes, 'an array of at least one node')
  }
  needFunction('load', load)
  needFunction('random', random)
  const { length } = nodes
  const first = Math.floor(random() * length)
  if (length === 1) return nodes[0] as N
  // Another one than the first.
  const second = (first + 1 + Math.floor(random() * (length - 1))) % length
  const [a, b] = [nodes[first] as N, nodes[second] as N]
  return load(b) < load(a) ? b : a
}
