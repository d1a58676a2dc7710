// Everything that `import ... from 'breakwater'` offers.
export { Cache } from './cache.ts'
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
export type { CacheOptions } from './options.ts'
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
