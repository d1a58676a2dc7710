// What a router goes by, and how two configurations differ: what may change while it runs, and what
// stays until it is started anew.
import { builtin } from '../base/builtin.ts'
import { Verbatim } from '../base/describe.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { NativeOptions, NativeServer, NativeStoreTls, NativeTokens } from '../native/router.ts'
import { check, speaksTls } from './checking.ts'
import { checkDrain, type Drain } from './drain.ts'
import type { Plan } from './entrances.ts'
import type { RouterHooks } from './hooks/define.ts'
import { findModule, type HookModule, isModule, isSame, moduleOf } from './hooks/module.ts'
import type { Edition } from './messages.ts'
import type { NetTls } from './net.ts'
import type { DriverName, RouterOptions } from './options.ts'
import type { Mode } from './status.ts'
import { described } from './store-url.ts'
import { readStoreTls, readTls } from './tls.ts'
import { type CheckedWarm, checkWarm } from './warm.ts'

/** How many bytes the keys of session tickets have. */
const TICKET_KEYS = 48

/** A configuration that is checked, with what its files hold. */
export interface Running {
  /** As it was given. */
  options: RouterOptions
  checked: NativeOptions
  /** What its workers are. */
  mode: Mode
  driver: DriverName
  drain: Drain
  warm: CheckedWarm | undefined
  tls: NetTls | undefined
  storeTls: NativeStoreTls | undefined
  /** The module of hooks, as its file is now, or hooks themselves. */
  hooks: HookModule | RouterHooks | undefined
  /** Where it listens, once it does. */
  entrances: Plan[] | undefined
}

/**
 * Checks a configuration, and reads its files. Throws {@link InvalidOptionError}.
 *
 * @param before - the one that it follows: sessions of TLS go on.
 */
export function run(options: RouterOptions, version: string, before?: Running): Running {
  const checked = check(options, version)
  const ticketKeys = before?.tls?.ticketKeys ?? builtin('node:crypto').randomBytes(TICKET_KEYS)
  return {
    options,
    checked,
    mode: options.mode ?? 'threads',
    // A store is understood by the native driver alone.
    driver: options.store === undefined ? (options.driver ?? 'auto') : 'native',
    drain: checkDrain(options.drain),
    warm: checkWarm(options.warm),
    tls: options.tls === undefined ? undefined : { ...readTls(options.tls), ticketKeys },
    storeTls: speaksTls(checked) ? readStoreTls(options.storeTls) : undefined,
    hooks: typeof options.hooks === 'string' ? findModule(options.hooks) : options.hooks,
    entrances: before?.entrances,
  }
}

/** What each worker goes by. */
export function editionOf({ mode, checked, tls, storeTls, hooks: given }: Running): Edition {
  const hooks = moduleOf(given)
  if (mode === 'threads') return { checked, tls, storeTls, hooks }
  const shares = SHARED.flatMap(option => {
    const whole = checked[option]
    return whole === undefined ? [] : [[option, Math.ceil(whole / checked.threads)]]
  })
  const own = { ...checked, ...Object.fromEntries(shares), threads: 1 }
  return { checked: own, tls, storeTls, hooks }
}

/** Of these each process has a share; threads share them by themselves. */
const SHARED = [
  'maxBytes',
  'maxBuffers',
  'maxMisses',
  'queuedMisses',
  'acceptRate',
  'maxHandshakes',
] as const satisfies readonly (keyof NativeOptions)[]

/** An option that stays as it is, shown without secrets. */
interface Fixed {
  option: string
  shown(running: Running): string
  /** What has to be the same, if that is more than what is shown. */
  whole?(running: Running): unknown
}

/** What cannot change while a router runs. Everything else can. */
const FIXED: readonly Fixed[] = [
  { option: 'mode', shown: ({ mode }) => `'${mode}'` },
  // Between one thread that is the caller's, and those of its own, there is no way.
  {
    option: 'threads',
    shown: ({ checked }) => String(checked.threads),
    whole: ({ checked }) => checked.threads === 0,
  },
  { option: 'policy', shown: ({ checked }) => `'${checked.policy}'` },
  { option: 'driver', shown: ({ driver }) => `'${driver}'` },
  {
    option: 'store',
    shown: ({ checked: { ring, servers: [primary] = [] } }) =>
      ring === undefined ? serverShown(primary) : 'a ring of stores',
    whole: ({ checked }) => checked.ring === undefined && checked.servers?.[0],
  },
  {
    option: 'store.replicas',
    shown: ({ checked }) => replicasOf(checked).map(serverShown).join(', ') || 'none',
    whole: ({ checked }) => replicasOf(checked),
  },
  {
    option: 'store.cluster',
    shown: ({ checked }) => String(checked.announce !== undefined),
  },
  {
    option: 'store.announce',
    shown: ({ checked: { announce = [] } }) =>
      announce.map(({ said, reached }) => `${said.join(':')} at ${reached.join(':')}`).join(', ') ||
      'none',
  },
  { option: 'store.maxLag', shown: ({ checked }) => `${checked.maxLag ?? 0} ms` },
  { option: 'tls', shown: ({ tls }) => (tls === undefined ? 'none' : 'given') },
  { option: 'listen', shown: ({ entrances = [] }) => entrances.map(entranceShown).join(', ') },
]

/** Throws {@link InvalidOptionError} if anything differs that cannot change. */
export function checkFixed(before: Running, next: Running): void {
  for (const { option, shown, whole = shown } of FIXED) {
    if (same(whole(before), whole(next))) continue
    const [now, asked] = [shown(before), shown(next)]
    // What differs is no more than a user or a password.
    const given = now === asked ? `${asked} with other credentials` : asked
    throw new InvalidOptionError(
      option,
      new Verbatim(given),
      `${now} until the node is started anew`,
    )
  }
  if (next.checked.ring !== undefined) checkStores(before, next)
}

/** A store that stays is met as before: its connections are open. */
function checkStores(before: Running, next: Running): void {
  const known = new Map(before.checked.servers?.map(server => [serverShown(server), server]))
  for (const [at, server] of (next.checked.servers ?? []).entries()) {
    const own = known.get(serverShown(server))
    if (own === undefined || same(own, server)) continue
    throw new InvalidOptionError(
      `store.ring[${at}]`,
      new Verbatim(`${serverShown(server)} with other credentials`),
      `${serverShown(own)} until the node is started anew`,
    )
  }
}

/** The paths of what differs, of what may. */
export function changesBetween(before: Running, next: Running): string[] {
  const [old, now] = [before.checked, next.checked]
  const single = (path: string, of: (running: Running) => unknown) =>
    same(of(before), of(next)) ? [] : [path]
  const route = ({ prefix }: { prefix: string }) => `routes[${prefix}*]`
  return [
    ...single(next.options.workers === undefined ? 'threads' : 'workers', workersOf),
    ...single('maxBytes', ({ checked }) => checked.maxBytes),
    ...single('maxBuffers', ({ checked }) => checked.maxBuffers),
    ...single('maxValueBytes', ({ checked }) => checked.maxValueBytes),
    ...single('slowReaderTimeout', ({ checked }) => checked.slowReaderTimeout),
    ...single('maxClients', ({ checked }) => checked.maxClients),
    ...single('connections.perSecond', ({ checked }) => checked.acceptRate),
    ...single('connections.handshakes', ({ checked }) => checked.maxHandshakes),
    ...single('drain.over', ({ drain }) => drain.over),
    ...single('drain.within', ({ drain }) => drain.within),
    ...warmChanges(before.warm, next.warm),
    ...single('tracking.maxKeys', ({ checked }) => checked.trackedKeys),
    ...single('tracking.maxKeysPerClient', ({ checked }) => checked.trackedKeysPerClient),
    ...listed(old.users ?? [], now.users ?? [], ({ name }) => `users[${name}]`),
    ...single('audit.file', ({ options }) => options.audit?.file),
    ...single('audit.keys', ({ checked }) => checked.audit),
    ...single('identity.certificate', ({ checked }) => checked.identity?.name),
    ...single('identity.map', ({ checked }) => checked.identity?.map),
    ...tokenChanges(old.tokens, now.tokens),
    ...listed(old.routes ?? [], now.routes ?? [], route),
    ...(areSame(before.hooks, next.hooks) ? [] : ['hooks']),
    ...(before.options.onHotKey === next.options.onHotKey ? [] : ['onHotKey']),
    ...single('hotKeys.pinned', ({ checked }) => checked.pinned ?? []),
    ...single('store.ring', ({ checked: { ring, servers } }) => ring && [ring.nodes, servers]),
    ...single('store.whenDown', ({ checked }) => checked.ring?.whenDown),
    ...single('store.hashTags', ({ checked }) => checked.ring?.hashTags),
    ...single('tls', ({ tls }) => tls),
    ...single('misses.max', ({ checked }) => checked.maxMisses),
    ...single('misses.queue', ({ checked }) => checked.queuedMisses),
    ...single('misses.wait', ({ checked }) => checked.missWait),
    ...single('breaker.failures', ({ checked }) => checked.breakerFailures),
    ...single('breaker.halfOpenAfter', ({ checked }) => checked.breakerPause),
    ...(before.options.onStore === next.options.onStore ? [] : ['onStore']),
    ...(before.options.logger === next.options.logger ? [] : ['logger']),
    ...single('logLevel', ({ options }) => options.logLevel ?? 'info'),
    ...single('logConnections', ({ checked }) => checked.journal),
    ...single('storeTimeout', ({ checked }) => checked.storeTimeout),
    ...single('storeRetry', ({ checked }) => checked.storeRetry),
    ...single('storeTls', ({ storeTls }) => storeTls),
  ]
}

function workersOf({ checked }: Running): number {
  return checked.threads
}

/** Whether hooks are what they were. */
export function areSame(one: Running['hooks'], other: Running['hooks']): boolean {
  if (isModule(one) && isModule(other)) return isSame(one, other)
  return one === other
}

/** What differs in how it begins, and what it keeps for that. */
function warmChanges(old: CheckedWarm | undefined, now: CheckedWarm | undefined): string[] {
  if (old === undefined || now === undefined) return same(old, now) ? [] : ['warm']
  const parts = Object.keys(now) as (keyof CheckedWarm)[]
  return parts.filter(part => !same(old[part], now[part])).map(part => `warm.${part}`)
}

/** What differs in which tokens are taken. */
function tokenChanges(old: NativeTokens | undefined, now: NativeTokens | undefined): string[] {
  if (old === undefined || now === undefined) return same(old, now) ? [] : ['tokens']
  const parts = Object.keys(now) as (keyof NativeTokens)[]
  const changed = parts.filter(part => !same(old[part], now[part]))
  const names: Partial<Record<keyof NativeTokens, string>> = { skew: 'clockSkew', template: 'acl' }
  return changed.map(part => `tokens.${names[part] ?? part}`)
}

/** What differs in lists of things with names: those that came or went, or their parts. */
function listed<T extends object>(before: T[], next: T[], nameOf: (one: T) => string): string[] {
  const byName = (list: T[]) => new Map(list.map(one => [nameOf(one), one]))
  const [old, now] = [byName(before), byName(next)]
  return [...new Set([...old.keys(), ...now.keys()])].flatMap(name => {
    const [one, other] = [old.get(name), now.get(name)]
    if (one === undefined || other === undefined) return [name]
    const parts = Object.keys({ ...one, ...other }) as (keyof T & string)[]
    return parts.filter(part => !same(one[part], other[part])).map(part => `${name}.${part}`)
  })
}

/** Whether two values of plain data are the same. */
function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function replicasOf({ ring, servers = [] }: NativeOptions): readonly NativeServer[] {
  return ring === undefined ? servers.slice(1) : []
}

function serverShown(server: NativeServer | undefined): string {
  return server === undefined ? 'none' : described(server)
}

function entranceShown(plan: Plan): string {
  if ('path' in plan) return `${plan.path} (${plan.mode.toString(8)})`
  const place = 'fd' in plan ? `descriptor ${plan.fd}` : `${plan.host}:${plan.port}`
  return `${place}${['', ' by TLS', ' proxied', ' by TLS, proxied'][plan.kind >> 1]}`
}
