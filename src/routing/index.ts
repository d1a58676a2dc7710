// Deterministic routing: which node, or which worker thread, has a key. Everything that
// `import ... from 'breakwater/routing'` offers.

export { BoundedLoad } from './bounded-load.ts'
export type { RingDiff, RingMove } from './diff.ts'
export type { EnvoyRing, RingOptions } from './layout.ts'
export type { RingNode, RingNodeInput, WeightedNode } from './nodes.ts'
export { Ring } from './ring.ts'
export { twoChoices } from './two-choices.ts'
