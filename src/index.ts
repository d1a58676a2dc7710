// Everything that `import ... from 'breakwater'` offers.
export { type AttachOptions, Cache } from './cache.ts'
export {
  bytes,
  type Codec,
  type CodecName,
  heap,
  json,
  number,
  string,
  structured,
} from './codecs.ts'
export * from './errors.ts'
export type { TtlOf } from './life.ts'
export type { Load, Loader } from './loading/load.ts'
export type { FetchOptions, LoadingOptions } from './loading/options.ts'
export type { CacheOptions, StoreOptions } from './options.ts'
export {
  createRouter,
  type ListenOptions,
  type Permission,
  type Router,
  type RouterOptions,
  type RouterStats,
  type RouterUser,
} from './router/index.ts'
export type {
  CacheHandle,
  CacheKey,
  CacheStats,
  Duration,
  HotKey,
  NearOptions,
  Policy,
  RemovalListener,
  RemovalReason,
  SetOptions,
  Size,
} from './types.ts'
