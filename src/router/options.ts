// The options of a router: their shapes, and their checks.
import { availableParallelism } from 'node:os'
import { checkKnown, checkOneOf } from '../base/checks.ts'
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import { type Policy, policies, type Size } from '../base/types.ts'
import { byteCount } from '../base/units.ts'
import type { NativeOptions, NativeRoute } from '../native/router.ts'
import {
  CONCERNS,
  checkRoutes,
  READ_FROM,
  type ReadConcern,
  type ReadFrom,
  type RouterRoute,
} from './routes.ts'
import type { StoreRingOptions } from './store-ring.ts'
import { type CheckedStore, checkStore, type StoreOptions } from './store-url.ts'
import type { StoreTlsOptions, TlsOptions } from './tls.ts'

/** What a user may do: read keys, write keys, administer; `all` is all three. */
export type Permission = 'read' | 'write' | 'admin' | 'all'

/** Somebody who may connect. The user named `default` is who a client is that gives no name. */
export interface RouterUser {
  /** Its name: one word without colons. */
  name: string
  /** Its password; without one, any will do. */
  password?: string | undefined
  /** What it may do. Default: `['all']`. */
  permissions?: Permission[] | undefined
  /** Where its reads are answered from. Default: as their {@link RouterRoute} says. */
  readConcern?: ReadConcern | undefined
}

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
   * Worker threads that serve clients; all share one store. 0 serves on the thread that creates
   * the router, as do systems that cannot share a listening socket (Windows). Default: one a
   * processor.
   */
  threads?: number | undefined
  /** The most memory for the store: bytes, or text as `'256mb'` or `'25%'`. Default: `'25%'`. */
  maxBytes?: Size | undefined
  /** Which entry leaves when a new one needs its room. Default: `'lfu'`. */
  policy?: Policy | undefined
  /** The password of the user `default`, who may do everything. */
  password?: string | undefined
  /** Who may connect, instead of `password`. Without a user `default`, clients must give a name. */
  users?: RouterUser[] | undefined
  /** The most clients at once. Default: 10,000. */
  maxClients?: number | undefined
  /** How many keys clients may track. */
  tracking?: TrackingOptions | undefined
  /** What drives the sockets. Default: `'auto'`. */
  driver?: DriverName | undefined
  /**
   * The Redis or Valkey server behind the node, as `'redis://[[user]:password@]host[:port]'`,
   * `'rediss://…'` for TLS, or `'unix:///path'` for a socket of this machine. The node then answers
   * `GET` from its own memory, which it keeps true by the server's client tracking, and passes
   * everything else on. Needs the native driver. Without it, the node serves a store of its own.
   * With replicas: an object. Several independent stores, each of which has a share of the keys: a
   * list of them, or an object with it as `ring`.
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
   * What is remembered of the store, by the beginnings of keys: objects, or texts such as
   * `'user:*,ttl=5s'`. Default: all that can be, for a minute at most.
   */
  routes?: (RouterRoute | string)[] | undefined
  /** How a store of `rediss://` is met. */
  storeTls?: StoreTlsOptions | undefined
  /** The certificates by which clients are met: they speak TLS. Default: none, they do not. */
  tls?: TlsOptions | undefined
}

const DRIVERS: readonly DriverName[] = ['auto', 'native', 'net']
const PERMISSIONS: readonly string[] = ['read', 'write', 'admin', 'all'] satisfies Permission[]
const KNOWN: readonly string[] = [
  'threads',
  'maxBytes',
  'policy',
  'password',
  'users',
  'maxClients',
  'tracking',
  'driver',
  'store',
  'readFrom',
  'routes',
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
  const { threads = availableParallelism() } = options
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
  const readFrom = checkOneOf('readFrom', options.readFrom ?? 'primary', READ_FROM)
  const routes = store === undefined ? [] : checkRoutes(options.routes ?? [], readFrom)
  checkReplicas(store, readFrom, routes)
  if (password !== undefined && users !== undefined) {
    throw new InvalidOptionError('password', 'given', 'left out where there are users')
  }
  if (users !== undefined && !Array.isArray(users)) {
    throw new InvalidOptionError('users', users, 'an array of users')
  }
  return {
    threads: whole('threads', threads, 0, 1024),
    maxBytes: byteCount('maxBytes', maxBytes),
    maxClients: whole('maxClients', maxClients, 1, 10_000_000),
    policy: checkOneOf('policy', policy, policies),
    version,
    ...checkTracking(options.tracking),
    ...(store === undefined ? {} : { ...store, routes }),
    users: password === undefined ? users?.map(checkUser) : [admin(checkPassword('', password))],
  }
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
  if (store !== undefined && store.ring === undefined && store.servers.length > 1) return
  const why = 'replicas are given as store: { url, replicas }'
  const refuse = (option: string, value: string) => {
    throw new OptionCombinationError(option, value, 'a store without replicas', why)
  }
  if (readFrom !== 'primary') refuse('readFrom', readFrom)
  const at = routes.findIndex(route => route.readFrom !== 'primary')
  if (at >= 0) refuse(`routes[${at}].readFrom`, routes[at]!.readFrom)
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

/** @param owner - whose it is, as the path of an option begins. */
function checkPassword(owner: string, password: unknown): string {
  if (typeof password === 'string' && password !== '') return password
  // Its value stays out of the message.
  throw new InvalidOptionError(`${owner}password`, typeof password, 'a text that is not empty')
}

function admin(password: string) {
  return { name: 'default', password, permissions: 'all' }
}

function checkUser(user: RouterUser, index: number) {
  const path = `users[${index}]`
  if (typeof user !== 'object' || user === null) {
    throw new InvalidOptionError(path, typeof user, "a user, as { name: 'ada', password: '…' }")
  }
  const { name, password, permissions = ['all'], readConcern } = user
  if (typeof name !== 'string' || !/^[^\s:]+$/.test(name)) {
    throw new InvalidOptionError(`${path}.name`, name, 'one word without colons')
  }
  const all = `some of ${PERMISSIONS.join(', ')}`
  if (!Array.isArray(permissions) || permissions.length === 0) {
    throw new InvalidOptionError(`${path}.permissions`, permissions, all)
  }
  const wrong = permissions.find(permission => !PERMISSIONS.includes(permission))
  if (wrong !== undefined) throw new InvalidOptionError(`${path}.permissions`, wrong, all)
  if (readConcern !== undefined) checkOneOf(`${path}.readConcern`, readConcern, CONCERNS)
  return {
    name,
    password: password === undefined ? undefined : checkPassword(`${path}.`, password),
    permissions: permissions.join(','),
    readConcern,
  }
}
