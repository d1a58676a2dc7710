// What the options of a router may be: checks them, and fills in what was left out.
import { availableParallelism } from 'node:os'
import { checkKnown, checkNoNull, checkOneOf } from '../base/checks.ts'
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import { type Duration, policies } from '../base/types.ts'
import { byteCount, milliseconds } from '../base/units.ts'
import type { NativeOptions, NativeRoute } from '../native/router.ts'
import { checkAudit } from './audit.ts'
import { checkStoreBreaker } from './breaker.ts'
import { checkDrain } from './drain.ts'
import { checkHooks } from './hooks/define.ts'
import { findModule } from './hooks/module.ts'
import { checkHotKeys } from './hot-keys.ts'
import { checkIdentity } from './identity.ts'
import { checkLog } from './log.ts'
import type { DriverName, RouterOptions, TrackingOptions } from './options.ts'
import { checkConnections, checkMisses, checkSlowReader, checkValueBytes } from './protection.ts'
import { checkRoutes, READ_FROM, type ReadFrom } from './routes.ts'
import type { Mode } from './status.ts'
import { type CheckedStore, checkStore } from './store-url.ts'
import { readTokens } from './tokens.ts'
import { checkUsers } from './users.ts'
import { checkWarm } from './warm.ts'

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
  const store = options.store === undefined ? undefined : checkStore(options.store)
  checkTogether(options, store)
  const identity = options.identity === undefined ? undefined : identityOf(options)
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

/** Options of a store, and what is said of each without one. */
const OF_A_STORE = {
  routes: 'routes are for what is remembered of one',
  storeTimeout: 'it is for what a store is asked',
  storeRetry: 'it is for what a store is asked',
  misses: 'it is for what a store is asked',
  breaker: 'it is for what a store is asked',
  onStore: 'it is for what a store is asked',
  hotKeys: 'hot keys are those that a store behind the node is asked for',
  onHotKey: 'hot keys are those that a store behind the node is asked for',
  warm: 'what is read most is read of a store',
} satisfies { [option in keyof RouterOptions]?: string }

/** Refuses options that mean nothing beside others. */
function checkTogether(options: RouterOptions, store: CheckedStore | undefined): void {
  const refuse = (option: keyof RouterOptions, other: string, why: string) => {
    if (options[option] !== undefined) throw new OptionCombinationError(option, 'given', other, why)
  }
  if (options.driver === 'net') {
    refuse('store', "driver 'net'", 'a store needs the native one')
    refuse('connections', "driver 'net'", 'the native one counts them')
  }
  if (!speaksTls(store)) {
    refuse('storeTls', 'a store without TLS', 'it is for stores of rediss://')
  }
  if (store !== undefined) return
  for (const [option, why] of Object.entries(OF_A_STORE)) {
    refuse(option as keyof typeof OF_A_STORE, 'no store', why)
  }
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
