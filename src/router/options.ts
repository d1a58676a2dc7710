// The options of a router: their shapes, and their checks.
import { availableParallelism } from 'node:os'
import { checkKnown, checkNoNull, checkOneOf } from '../base/checks.ts'
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import { type Duration, type Policy, policies, type Size } from '../base/types.ts'
import { byteCount, milliseconds } from '../base/units.ts'
import type { NativeOptions, NativeRoute } from '../native/router.ts'
import { type AuditOptions, checkAudit } from './audit.ts'
import { checkStoreBreaker, type StoreBreakerOptions, type StoreEvent } from './breaker.ts'
import { checkDrain, type DrainOptions } from './drain.ts'
import { checkHooks, type RouterHooks } from './hooks/define.ts'
import { findModule } from './hooks/module.ts'
import { checkHotKeys, type HotKeyEvent, type HotKeysOptions } from './hot-keys.ts'
import { checkIdentity, type IdentityOptions } from './identity.ts'
import { checkLog, type LogLevel, type RouterLogger } from './log.ts'
import {
  type ConnectionOptions,
  checkConnections,
  checkMisses,
  checkSlowReader,
  checkValueBytes,
  type MissOptions,
} from './protection.ts'
import { checkRoutes, READ_FROM, type ReadFrom, type RouterRoute } from './routes.ts'
import type { Mode } from './status.ts'
import type { StoreRingOptions } from './store-ring.ts'
import { type CheckedStore, checkStore, type StoreOptions } from './store-url.ts'
import type { StoreTlsOptions, TlsOptions } from './tls.ts'
import { readTokens, type TokenOptions } from './tokens.ts'
import { checkUsers, type RouterUser } from './users.ts'
import { checkWarm, type RouterWarmOptions } from './warm.ts'

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

const DAY = 24 * 60 * 60 * 1000
const DRIVERS: readonly DriverName[] = ['auto', 'native', 'net']
const MODES: readonly Mode[] = ['threads', 'processes']
const KNOWN: readonly string[] = [
  'mode',
  'workers',
  'threads',
  'maxBytes',
  'maxBuffers',
  'maxValueBytes',
  'slowReaderTimeout',
  'policy',
  'password',
  'users',
  'tokens',
  'identity',
  'audit',
  'maxClients',
  'connections',
  'tracking',
  'drain',
  'driver',
  'store',
  'readFrom',
  'storeTimeout',
  'storeRetry',
  'misses',
  'breaker',
  'routes',
  'hotKeys',
  'onHotKey',
  'onStore',
  'hooks',
  'logger',
  'logLevel',
  'logConnections',
  'warm',
  'storeTls',
  'tls',
] satisfies (keyof RouterOptions)[]

const TRACKING: readonly string[] = [
  'maxKeys',
  'maxKeysPerClient',
] satisfies (keyof TrackingOptions)[]
/** The most keys that a bound may be. */
const MOST_KEYS = 1_000_000_000

/** Checks the options and fills in what was left out. Throws {@link InvalidOptionError}. */
export function check(options: RouterOptions, version: string): NativeOptions {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError('options', options, 'an object')
  }
  checkKnown('', options, KNOWN, { maxMemory: 'maxBytes' })
  const { policy = 'lfu', password, users, maxBytes = '25%', maxClients = 10_000 } = options
  const threads = checkWorkers(options)
  checkOneOf('driver', options.driver ?? 'auto', DRIVERS)
  if (options.store !== undefined && options.driver === 'net') {
    throw new OptionCombinationError(
      'store',
      'given',
      "driver 'net'",
      'a store needs the native one',
    )
  }
  const store = options.store === undefined ? undefined : checkStore(options.store)
  if (options.storeTls !== undefined && !speaksTls(store)) {
    throw new OptionCombinationError(
      'storeTls',
      'given',
      'a store without TLS',
      'it is for stores of rediss://',
    )
  }
  if (options.routes !== undefined && options.store === undefined) {
    throw new OptionCombinationError(
      'routes',
      'given',
      'no store',
      'routes are for what is remembered of one',
    )
  }
  if (options.storeTimeout !== undefined && options.store === undefined) {
    throw new OptionCombinationError(
      'storeTimeout',
      'given',
      'no store',
      'it is for what a store is asked',
    )
  }
  for (const option of ['storeRetry', 'misses', 'breaker', 'onStore'] as const) {
    if (options[option] === undefined || options.store !== undefined) continue
    const why = 'it is for what a store is asked'
    throw new OptionCombinationError(option, 'given', 'no store', why)
  }
  for (const option of ['hotKeys', 'onHotKey'] as const) {
    if (options[option] === undefined || options.store !== undefined) continue
    const why = 'hot keys are those that a store behind the node is asked for'
    throw new OptionCombinationError(option, 'given', 'no store', why)
  }
  if (options.connections !== undefined && options.driver === 'net') {
    const why = 'the native one counts them'
    throw new OptionCombinationError('connections', 'given', "driver 'net'", why)
  }
  const identity = options.identity === undefined ? undefined : identityOf(options)
  if (options.warm !== undefined && options.store === undefined) {
    const why = 'what is read most is read of a store'
    throw new OptionCombinationError('warm', 'given', 'no store', why)
  }
  checkWarm(options.warm)
  checkDrain(options.drain)
  const pinned = checkHotKeys(options.hotKeys)
  for (const hook of ['onHotKey', 'onStore'] as const) {
    if (options[hook] === undefined || typeof options[hook] === 'function') continue
    throw new InvalidOptionError(hook, options[hook], 'a function')
  }
  checkHookOption(options.hooks, threads)
  const readFrom = checkOneOf('readFrom', options.readFrom ?? 'primary', READ_FROM)
  const routes = store === undefined ? [] : checkRoutes(options.routes ?? [], readFrom)
  checkReplicas(store, readFrom, routes)
  checkCopies(store, routes)
  const checked: NativeOptions = {
    threads,
    maxBytes: byteCount('maxBytes', maxBytes),
    maxBuffers: byteCount('maxBuffers', options.maxBuffers ?? '25%'),
    maxValueBytes: checkValueBytes(options.maxValueBytes),
    slowReaderTimeout: checkSlowReader(options.slowReaderTimeout),
    maxClients: whole('maxClients', maxClients, 1, 10_000_000),
    policy: checkOneOf('policy', policy, policies),
    version,
    ...checkTracking(options.tracking),
    ...checkConnections(options.connections),
    ...(store === undefined
      ? {}
      : {
          ...store,
          ...checkMisses(options.misses),
          ...checkStoreBreaker(options.breaker),
          routes,
          pinned,
          ...checkStoreTimes(options),
        }),
    users: checkUsers(password, users, options.tokens !== undefined),
    identity,
    audit: checkAudit(options.audit),
    journal: Number(checkLog(options)),
    tokens: options.tokens === undefined ? undefined : readTokens(options.tokens),
  }
  // Last: where an option has something of its own to say of it, it has said so.
  checkNoNull('', options)
  return checked
}

/** How many workers there are. */
function checkWorkers({ mode = 'threads', workers, threads, store }: RouterOptions): number {
  checkOneOf('mode', mode, MODES)
  const refuse = (option: string, value: string, other: string, why: string) => {
    throw new OptionCombinationError(option, value, other, why)
  }
  if (threads !== undefined && workers !== undefined) {
    refuse('threads', 'given', 'workers', 'both say how many workers there are')
  }
  if (mode === 'threads') {
    const option = workers === undefined ? 'threads' : 'workers'
    return whole(option, workers ?? threads ?? availableParallelism(), 0, 1024)
  }
  if (threads !== undefined) refuse('threads', 'given', "mode 'processes'", 'it is workers then')
  if (store === undefined) {
    refuse('mode', 'processes', 'no store', 'clients would not see what others wrote elsewhere')
  }
  return whole('workers', workers ?? availableParallelism(), 1, 1024)
}

/** Functions cannot be handed to other threads. */
function checkHookOption(hooks: RouterOptions['hooks'], threads: number): void {
  if (hooks === undefined) return
  if (typeof hooks === 'string') return void findModule(hooks)
  checkHooks(hooks)
  if (threads === 0) return
  const why = 'hooks of other threads are given as the path of a module'
  throw new OptionCombinationError('hooks', 'an object', `threads ${threads}`, why)
}

/** How certificates log clients in, where clients show some. */
function identityOf({ identity, tls, driver }: RouterOptions) {
  const checked = checkIdentity(identity!)
  const refuse = (other: string, why: string) => {
    throw new OptionCombinationError('identity', 'given', other, why)
  }
  if (tls?.ca === undefined) refuse('no tls.ca', 'it names whose certificates clients may show')
  if (tls?.authClients === 'no') refuse("tls.authClients 'no'", 'clients have to show certificates')
  if (driver === 'net') refuse("driver 'net'", 'certificates log in by the native one')
  return checked
}

/** How long a store is waited for, and asked again. */
function checkStoreTimes({ storeTimeout = '2s', storeRetry }: RouterOptions) {
  return {
    storeTimeout: checkTime('storeTimeout', storeTimeout),
    storeRetry: storeRetry === undefined ? undefined : checkTime('storeRetry', storeRetry),
  }
}

/** In whole milliseconds. */
function checkTime(option: string, value: Duration): number {
  const time = Math.ceil(milliseconds(option, value))
  if (time <= DAY) return time
  throw new InvalidOptionError(option, value, 'a duration of a day at the most')
}

/** Whether a server behind a node speaks TLS. */
export function speaksTls(store: Pick<NativeOptions, 'servers'> | undefined): boolean {
  return store?.servers?.some(({ kind }) => kind === 'tls') ?? false
}

/** Reads can go to replicas only where there are some. */
function checkReplicas(
  store: CheckedStore | undefined,
  readFrom: ReadFrom,
  routes: readonly NativeRoute[],
): void {
  const replicas = (store?.servers.length ?? 0) > 1 || store?.announce !== undefined
  if (store !== undefined && store.ring === undefined && replicas) return
  const why = 'replicas are given as store: { url, replicas }, or by a cluster'
  const refuse = (option: string, value: string) => {
    throw new OptionCombinationError(option, value, 'a store without replicas', why)
  }
  if (readFrom !== 'primary') refuse('readFrom', readFrom)
  const at = routes.findIndex(route => route.readFrom !== 'primary')
  if (at >= 0) refuse(`routes[${at}].readFrom`, routes[at]!.readFrom)
}

/** Copies lie in other stores of a ring, and have to end. */
function checkCopies(store: CheckedStore | undefined, routes: readonly NativeRoute[]): void {
  for (const [at, { copies, ttl }] of routes.entries()) {
    if (copies < 2) continue
    const option = `routes[${at}].copies`
    if (store?.ring === undefined) {
      const why = 'copies lie in other stores of a ring: store: { ring: [...] }'
      throw new OptionCombinationError(option, copies, 'one store, or a cluster', why)
    }
    if (ttl === undefined) {
      throw new OptionCombinationError(option, copies, 'ttl: Infinity', 'copies have to end')
    }
  }
}

function checkTracking(tracking: TrackingOptions = {}) {
  if (typeof tracking !== 'object' || tracking === null || Array.isArray(tracking)) {
    throw new InvalidOptionError('tracking', tracking, 'an object, as { maxKeys: 1_000_000 }')
  }
  checkKnown('tracking.', tracking, TRACKING)
  const { maxKeys = 1_000_000, maxKeysPerClient = 100_000 } = tracking
  return {
    trackedKeys: whole('tracking.maxKeys', maxKeys, 0, MOST_KEYS),
    trackedKeysPerClient: whole('tracking.maxKeysPerClient', maxKeysPerClient, 0, MOST_KEYS),
  }
}

function whole(option: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new InvalidOptionError(option, value, `a whole number from ${least} to ${most}`)
}
