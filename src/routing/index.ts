// Deterministic routing: which node, or which worker thread, has a key. Everything that
// `import ... from 'breakwater/routing'` offers.

export {
  BreakwaterError,
  InvalidOptionError,
  isBreakwaterError,
  OptionCombinationError,
  PoolBusyError,
  PoolClosedError,
  TaskTimeoutError,
  WorkerDiedError,
} from '../base/errors.ts'
export type { Duration } from '../base/types.ts'

export { BoundedLoad } from './bounded-load.ts'
export type { RingDiff, RingMove } from './diff.ts'
export type { EnvoyRingOptions, RingOptions } from './layout.ts'
export type { RingNode, RingNodeInput, WeightedNode } from './nodes.ts'
export type { HotKeyOptions, PoolOptions } from './pool/options.ts'
export { createPool, Pool } from './pool/pool.ts'
export { transfer } from './pool/transfer.ts'
export type {
  PoolStats,
  RunOptions,
  TaskContext,
  TaskHandler,
  WorkerDeath,
  WorkerStats,
} from './pool/types.ts'
export { Ring } from './ring.ts'
export { twoChoices } from './two-choices.ts'
