// The nodes of a ring: names and weights, checked.
import { checkKnown } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'

/** A node of a ring. */
export interface RingNode {
  /** What it is called; its points depend on nothing else. */
  name: string
  /** How many keys it takes compared with others, above 0; 1 if left out. */
  weight?: number | undefined
}

/** A node as it is given: a name alone has the weight 1. */
export type RingNodeInput = string | RingNode

/** A node of a ring, with its weight. */
export interface WeightedNode {
  readonly name: string
  readonly weight: number
}

const NODES = 'an iterable of names or { name, weight }, at least one'

/** Checks nodes. */
export function checkNodes(given: Iterable<RingNodeInput>): readonly WeightedNode[] {
  if (typeof given === 'string' || typeof given?.[Symbol.iterator] !== 'function') {
    throw new InvalidOptionError('nodes', given, NODES)
  }
  const nodes = Array.from(given, checkNode)
  if (nodes.length === 0) throw new InvalidOptionError('nodes', [], NODES)
  const names = new Set<string>()
  for (const { name } of nodes) {
    if (names.has(name)) {
      throw new InvalidOptionError('nodes', name, 'names that differ: this one is given twice')
    }
    names.add(name)
  }
  return nodes
}

function checkNode(given: RingNodeInput, index: number): WeightedNode {
  const path = `nodes[${index}]`
  const node = typeof given === 'string' ? { name: given } : given
  if (typeof node !== 'object' || node === null) {
    throw new InvalidOptionError(path, given, 'a name or { name, weight }')
  }
  checkKnown(`${path}.`, node, ['name', 'weight'])
  const { name, weight = 1 } = node
  if (typeof name !== 'string' || name === '') {
    throw new InvalidOptionError(`${path}.name`, name, 'a text that is not empty')
  }
  return Object.freeze({ name, weight: checkWeight(`${path}.weight`, weight) })
}

/** A weight of 0 is refused: who takes no keys is no node of the ring. */
function checkWeight(option: string, weight: number): number {
  if (typeof weight === 'number' && weight > 0 && weight <= MAX_WEIGHT) return weight
  const allowed = `a number above 0 and at most ${MAX_WEIGHT}; leave a node out that is to take nothing`
  throw new InvalidOptionError(option, weight, allowed)
}

/** Beyond this a node has more points than are any use. */
const MAX_WEIGHT = 1_000
