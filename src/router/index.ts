// The routing node: a server that Redis clients connect to, in front of a store of its own.
export { version } from '../base/version.ts'
export type { AdminConfig } from './admin.ts'
export type { AuditKeys, AuditOptions } from './audit.ts'
export type { StoreBreakerOptions, StoreEvent } from './breaker.ts'
export { defineConfig, type LogFormat, type RouterConfig } from './config.ts'
export type { ReloadResult, Router } from './contract.ts'
export type { DrainOptions } from './drain.ts'
export { DEFAULT_HOST, DEFAULT_PORT, type ListenOptions, type RouterAddress } from './entrances.ts'
export {
  type AsyncHook,
  type ClientRuling,
  type CommandHook,
  type CommandRuling,
  type ConnectHook,
  defineHooks,
  type HookCertificate,
  type HookClient,
  type HookInterest,
  type HookKey,
  type HookReply,
  type HookRequest,
  type RouteHook,
  type RouteRuling,
  type RouterHooks,
  type SyncHook,
} from './hooks/define.ts'
export type { HotKeyEvent, HotKeyStats, HotKeysOptions } from './hot-keys.ts'
export type { CertificateName, IdentityOptions } from './identity.ts'
export type { LogFields, LogLevel, RouterLogger } from './log.ts'
export type {
  InvalidationCause,
  Invalidations,
  KnownKey,
  KnownReply,
  MemoryOrder,
  RouterMemory,
} from './memory.ts'
export type { DriverName, RouterOptions, TrackingOptions } from './options.ts'
export type { ConnectionOptions, MissOptions } from './protection.ts'
export type { LimitOptions } from './quota.ts'
export { createRouter } from './router.ts'
export type { ReadConcern, ReadFrom, RouterRoute } from './routes.ts'
export type { State as RouterState } from './state.ts'
export type {
  ClassLatencies,
  HookKindStats,
  HookStats,
  LatencyStats,
  RouterStats,
  RouteStats,
  StoreBreakerState,
  ThreadStats,
  UpstreamStats,
} from './stats.ts'
export type { DrainProgress, Mode, RouterStatus, WorkerCounts } from './status.ts'
export type { RingStore, StoreRingOptions, WhenDown } from './store-ring.ts'
export type { StoreOptions } from './store-url.ts'
export type { ClientAuth, StoreTlsOptions, TlsOptions } from './tls.ts'
export type { TokenKeyFile, TokenOptions } from './tokens.ts'
export { hashPassword, type Permission, type RouterUser } from './users.ts'
export type { RouterWarmOptions } from './warm.ts'
