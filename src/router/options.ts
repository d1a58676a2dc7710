// The options of a router: their shapes. What they may be is in checking.ts.
import type { Duration, Policy, Size } from '../base/types.ts'
import type { AuditOptions } from './audit.ts'
import type { StoreBreakerOptions, StoreEvent } from './breaker.ts'
import type { DrainOptions } from './drain.ts'
import type { RouterHooks } from './hooks/define.ts'
import type { HotKeyEvent, HotKeysOptions } from './hot-keys.ts'
import type { IdentityOptions } from './identity.ts'
import type { LogLevel, RouterLogger } from './log.ts'
import type { ConnectionOptions, MissOptions } from './protection.ts'
import type { ReadFrom, RouterRoute } from './routes.ts'
import type { Mode } from './status.ts'
import type { StoreRingOptions } from './store-ring.ts'
import type { StoreOptions } from './store-url.ts'
import type { StoreTlsOptions, TlsOptions } from './tls.ts'
import type { TokenOptions } from './tokens.ts'
import type { RouterUser } from './users.ts'
import type { RouterWarmOptions } from './warm.ts'

/**
 * What drives the sockets: `'native'`, in the event loop of each thread without JavaScript (Node.js
 * on Linux and macOS); `'net'`, Node.js's own sockets; `'auto'`, the first where it works.
 */
export type DriverName = 'auto' | 'native' | 'net'

/** How many keys are remembered because clients who read them track them by `CLIENT TRACKING`. */
export interface TrackingOptions {
  /**
   * The most keys, 0 for any number: what `tracking-table-max-keys` is to Redis. Beyond, some are
   * forgotten, and their clients told that they changed. A key counts once more for each 256 bytes
   * of it, and for each 8 clients. Default: 1,000,000.
   */
  maxKeys?: number | undefined
  /**
   * The most keys of one client, 0 for any number, in front of a store. A client that tracks more is
   * told that everything has changed. Default: 100,000.
   */
  maxKeysPerClient?: number | undefined
}

/** How to set up a router with `createRouter` of `breakwater/router`. */
export interface RouterOptions {
  /**
   * What the workers are that serve clients. `'threads'`, of this process: all share one memory.
   * `'processes'`, in front of a store: each has a memory of its own, a share of `maxBytes`, and
   * connections of its own, so that a crash costs the others nothing. Default: `'threads'`.
   */
  mode?: Mode | undefined
  /**
   * How many workers there are. 0 threads: the thread that creates the router serves, as on systems
   * that cannot share a listening socket (Windows). Default: one a processor.
   */
  workers?: number | undefined
  /** As `workers`, for threads alone. */
  threads?: number | undefined
  /** The most memory for the store: bytes, or text as `'256mb'` or `'25%'`. Default: `'25%'`. */
  maxBytes?: Size | undefined
  /**
   * The most memory for what waits: what clients have sent and is not done, replies that they have not
   * taken, and what goes to and comes from a store. Beyond, the client with most of it is disconnected.
   * Default: `'25%'`.
   */
  maxBuffers?: Size | undefined
  /**
   * The longest argument that a command may have, from `'1kb'` to `'512mb'`. A command with a longer one
   * is refused with an error that begins with `LIMIT value`, and is not kept. Default: `'512mb'`.
   */
  maxValueBytes?: Size | undefined
  /**
   * How long a client may have replies to take and take none of them. Then it is disconnected. A day at
   * the most. Default: `'5m'`.
   */
  slowReaderTimeout?: Duration | undefined
  /** Which entry leaves when a new one needs its room. Default: `'lfu'`. */
  policy?: Policy | undefined
  /** The password of the user `default`, who may do everything. */
  password?: string | undefined
  /** Who may connect, instead of `password`. Without a user `default`, clients must give a name. */
  users?: RouterUser[] | undefined
  /** Which signed tokens are passwords as well. Default: none. */
  tokens?: TokenOptions | undefined
  /**
   * How the certificate that a client shows by TLS logs it in. Needs `tls.ca` and the native driver.
   * One whose certificate is nobody's has to authenticate. Default: certificates log nobody in.
   */
  identity?: IdentityOptions | undefined
  /** Where is noted who was refused and who administers. Default: nowhere. */
  audit?: AuditOptions | undefined
  /** The most clients at once. Default: 10,000. */
  maxClients?: number | undefined
  /** How connections are let in. */
  connections?: ConnectionOptions | undefined
  /** How many keys clients may track. */
  tracking?: TrackingOptions | undefined
  /** How clients are disconnected when the router ends, or a thread of it is restarted. */
  drain?: DrainOptions | undefined
  /** What drives the sockets. Default: `'auto'`. */
  driver?: DriverName | undefined
  /**
   * The Redis or Valkey server behind the node, as `'redis://[[user]:password@]host[:port]'`,
   * `'rediss://…'` for TLS, or `'unix:///path'` for a socket of this machine. The node then answers
   * `GET` from its own memory, which it keeps true by the server's client tracking, and passes
   * everything else on. Needs the native driver. Without it, the node serves a store of its own.
   * In front of a Redis Cluster: `'redis-cluster://host:port,host:port'`, some of its servers. With
   * replicas, or servers of a cluster that are reached under other addresses than they say: an object.
   * Several independent stores, each of which has a share of the keys: a list of them, or an object
   * with it as `ring`.
   */
  store?: string | StoreOptions | StoreRingOptions | StoreRingOptions['ring'] | undefined
  /**
   * Which server reads go to that the node does not answer by itself: `'primary'`; `'replica'`, and
   * they fail while none is in service; or `'preferReplica'`, and then they go to the primary.
   * `'consistent'` reads go to the primary always. A client reads its own writes all the same.
   * Default: `'primary'`.
   */
  readFrom?: ReadFrom | undefined
  /**
   * How long a request waits for its reply from the store. Then its client gets an error; the store
   * may have done it, or do it still. A day at the most. Default: `'2s'`.
   */
  storeTimeout?: Duration | undefined
  /**
   * How long a read that was lost with its connection to the store is asked again, and so is what was
   * not sent; how long requests wait for a store that was just lost. A day at the most, and never longer
   * than `storeTimeout`. Default: clients hear of it at once. A cluster is always asked again.
   */
  storeRetry?: Duration | undefined
  /** How many reads that memory does not answer a store is asked at once. */
  misses?: MissOptions | undefined
  /**
   * When a server that fails is not asked any more. Default: after 20 failures in a row; `false`,
   * never.
   */
  breaker?: StoreBreakerOptions | false | undefined
  /**
   * What is remembered of the store, by the beginnings of keys: objects, or texts such as
   * `'user:*,ttl=5s'`. Default: all that can be, for a minute at most.
   */
  routes?: (RouterRoute | string)[] | undefined
  /** Which keys are hot, in front of a store. Default: those that have a large share of the reads. */
  hotKeys?: HotKeysOptions | undefined
  /**
   * Hears when a key turns hot, and when it cools down, up to 250 ms later. It is called on the thread
   * that made the router, in no request's asynchronous context. What it throws becomes a warning.
   */
  onHotKey?: ((event: HotKeyEvent) => void) | undefined
  /**
   * Hears when the breaker of a server opens, tries and closes, up to 250 ms later. It is called as
   * {@link RouterOptions.onHotKey} is.
   */
  onStore?: ((event: StoreEvent) => void) | undefined
  /**
   * What has a say in what clients ask: the path of a module whose default export is
   * {@link RouterHooks}, which each thread loads for itself; or, with `threads: 0`, hooks themselves.
   * Default: nothing, at no cost.
   */
  hooks?: string | RouterHooks | undefined
  /**
   * Who is told what happens to the router, as events with names and fields: a logger of pino, or what has
   * its functions. Default: nobody; what fails becomes a warning of the process.
   */
  logger?: RouterLogger | undefined
  /** From which level on it is told. Default: `'info'`. */
  logLevel?: LogLevel | undefined
  /** Whether it is told of each client that comes and leaves. Default: `false`. */
  logConnections?: boolean | undefined
  /**
   * With what is read most it begins, in front of a store: it is ready once it has read that. Default: cold.
   */
  warm?: RouterWarmOptions | undefined
  /** How a store of `rediss://` is met. */
  storeTls?: StoreTlsOptions | undefined
  /** The certificates by which clients are met: they speak TLS. Default: none, they do not. */
  tls?: TlsOptions | undefined
}
