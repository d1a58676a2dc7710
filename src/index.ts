// Everything that `import ... from 'breakwater'` offers.

export * from './base/errors.ts'
export type { TtlOf } from './base/lifetimes.ts'
export type {
  CacheHandle,
  CacheKey,
  CacheStats,
  Duration,
  HotKey,
  NearOptions,
  Policy,
  PolicyStats,
  RemovalListener,
  RemovalReason,
  SetOptions,
  Size,
  Skew,
  Weigh,
} from './base/types.ts'
export { Cache, type OpenCacheOptions } from './cache/cache.ts'
export type { IncrementOptions } from './cache/conditional.ts'
export type { EntryInfo } from './cache/info.ts'
export type { Invalidation } from './cache/invalidations.ts'
export { Namespace } from './cache/namespace.ts'
export type { CacheOptions, StoreOptions } from './cache/options.ts'
export {
  any,
  bytes,
  type Codec,
  type CodecName,
  heap,
  json,
  number,
  string,
  structured,
} from './codec/codecs.ts'
export type {
  CacheEvent,
  CacheEventName,
  CacheEvents,
  CacheListener,
} from './events/events.ts'
export type { FetchTrace, LoadTrace, TierTrace } from './events/tracing.ts'
export type { BreakerOptions, BreakerState } from './guard/breaker.ts'
export type { GateOptions, Rate } from './guard/gate.ts'
export type { OriginOptions } from './guard/origin.ts'
export type { RetryOptions } from './guard/retry.ts'
export type { BackOffOptions } from './guard/waits.ts'
export type { BatchContext, BatchLoader, BatchOptions, BatchResult } from './loading/batch.ts'
export type { LoadStats } from './loading/counts.ts'
export type { Load, Loader } from './loading/load.ts'
export type { FetchOptions, LoadingOptions } from './loading/options.ts'
export type {
  ListenOptions,
  Permission,
  Router,
  RouterOptions,
  RouterStats,
  RouterUser,
} from './router/index.ts'
export type {
  Kin,
  Tier,
  TierHost,
  TierLease,
  TierMark,
  TierMoment,
  TierSession,
  TierValue,
} from './tier/contract.ts'
export type { SecondOptions } from './tier/second.ts'
export type { WarmOptions, WarmStart } from './warm/warm.ts'
export type {
  BatchWriter,
  WriteBehindOptions,
  WriteBehindStats,
  WriteContext,
} from './writing/behind.ts'
export type { WriteEntry } from './writing/queue.ts'
export type { EntryWriter, WriteThroughOptions } from './writing/through.ts'
export type { InvalidateOptions, WritingOptions } from './writing/writing.ts'
