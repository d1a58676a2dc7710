// What a command is told: by flags, then the environment, then a file.
import type { Command } from 'commander'
import type { Policy, Size } from '../base/types.ts'
import { LISTEN, type RouterConfig } from '../router/config.ts'
import type {
  AuditKeys,
  ClientAuth,
  DriverName,
  LogFormat,
  LogLevel,
  Mode,
  ReadFrom,
  RouterUser,
  WhenDown,
} from '../router/index.ts'
import { findConfig, readConfig } from './file.ts'
import { readUsers } from './users-file.ts'
import { Watched } from './watched.ts'

/** The flags of `breakwater serve`. */
export interface Flags {
  config?: string
  watch?: boolean
  port?: number
  tlsPort?: number
  tlsCert?: string[]
  tlsKey?: string[]
  tlsCa?: string
  tlsAuthClients?: ClientAuth
  unix?: string
  unixPermissions?: number
  proxyProtocol?: boolean
  storeTlsCa?: string
  storeTlsCert?: string
  storeTlsKey?: string
  storeTlsName?: string
  host: string
  mode?: Mode
  workers?: number
  threads?: number
  maxBytes: string
  maxBuffers?: string
  maxValueBytes?: string
  slowReaderTimeout?: string
  maxClients: number
  connectionsPerSecond?: number
  connectionsHandshakes?: number
  trackingMaxKeys?: number
  trackingMaxKeysPerClient?: number
  drainOver?: string
  drainWithin?: string
  warmFrom?: string
  warmTokenFile?: string
  warmEvery?: string
  warmBudget?: string
  policy: Policy
  driver: DriverName
  store?: string[]
  whenDown?: WhenDown
  storeReplica?: string[]
  readFrom?: ReadFrom
  storeTimeout?: string
  storeRetry?: string
  missesMax?: number
  missesQueue?: number
  missesWait?: string
  breakerFailures?: number
  breakerHalfOpenAfter?: string
  route?: string[]
  hotKey?: string[]
  hooks?: string
  requirepass?: string
  user?: RouterUser[]
  auditLog?: string
  auditKeys?: AuditKeys
  users?: string
  logLevel?: LogLevel
  logFormat?: LogFormat
  logConnections?: boolean
  admin?: string
  adminTokenFile?: string
  adminHost?: string[]
  adminShowValues?: boolean
}

/** The flag for each option, by its path in a configuration. */
const FLAGS: Record<string, keyof Flags> = {
  'listen.port': 'port',
  'listen.tlsPort': 'tlsPort',
  'listen.host': 'host',
  'listen.unix': 'unix',
  'listen.unixPermissions': 'unixPermissions',
  'listen.proxyProtocol': 'proxyProtocol',
  mode: 'mode',
  workers: 'workers',
  threads: 'threads',
  maxBytes: 'maxBytes',
  maxBuffers: 'maxBuffers',
  maxValueBytes: 'maxValueBytes',
  slowReaderTimeout: 'slowReaderTimeout',
  maxClients: 'maxClients',
  'connections.perSecond': 'connectionsPerSecond',
  'connections.handshakes': 'connectionsHandshakes',
  'tracking.maxKeys': 'trackingMaxKeys',
  'tracking.maxKeysPerClient': 'trackingMaxKeysPerClient',
  'drain.over': 'drainOver',
  'drain.within': 'drainWithin',
  'warm.from': 'warmFrom',
  'warm.tokenFile': 'warmTokenFile',
  'warm.every': 'warmEvery',
  'warm.budget': 'warmBudget',
  policy: 'policy',
  driver: 'driver',
  store: 'store',
  'store.replicas': 'storeReplica',
  'store.whenDown': 'whenDown',
  readFrom: 'readFrom',
  storeTimeout: 'storeTimeout',
  storeRetry: 'storeRetry',
  'misses.max': 'missesMax',
  'misses.queue': 'missesQueue',
  'misses.wait': 'missesWait',
  'breaker.failures': 'breakerFailures',
  'breaker.halfOpenAfter': 'breakerHalfOpenAfter',
  routes: 'route',
  'hotKeys.pinned': 'hotKey',
  hooks: 'hooks',
  password: 'requirepass',
  users: 'user',
  'storeTls.ca': 'storeTlsCa',
  'storeTls.cert': 'storeTlsCert',
  'storeTls.key': 'storeTlsKey',
  'storeTls.serverName': 'storeTlsName',
  'tls.cert': 'tlsCert',
  'tls.key': 'tlsKey',
  'tls.ca': 'tlsCa',
  'tls.authClients': 'tlsAuthClients',
  'audit.file': 'auditLog',
  'audit.keys': 'auditKeys',
  usersFile: 'users',
  logLevel: 'logLevel',
  logFormat: 'logFormat',
  logConnections: 'logConnections',
  'admin.listen': 'admin',
  'admin.tokenFile': 'adminTokenFile',
  'admin.hosts': 'adminHost',
  'admin.showValues': 'adminShowValues',
}
/** Flags that are sizes: a number of bytes, or a text. */
const SIZES: ReadonlySet<keyof Flags> = new Set(['maxBytes', 'maxBuffers', 'maxValueBytes'])
/** What the environment says, by the option and the name of the variable. */
const environment = (): [path: string, variable: string, value: string | undefined][] => [
  ['password', 'BREAKWATER_PASSWORD', process.env.BREAKWATER_PASSWORD],
  ['store', 'BREAKWATER_STORE', process.env.BREAKWATER_STORE],
  ['warm.from', 'BREAKWATER_WARM_FROM', process.env.BREAKWATER_WARM_FROM],
  ['warm.tokenFile', 'BREAKWATER_WARM_TOKEN_FILE', process.env.BREAKWATER_WARM_TOKEN_FILE],
  ['admin.listen', 'BREAKWATER_ADMIN', process.env.BREAKWATER_ADMIN],
  ['admin.tokenFile', 'BREAKWATER_ADMIN_TOKEN_FILE', process.env.BREAKWATER_ADMIN_TOKEN_FILE],
]

/** A configuration, and where each part of it came from. */
export interface Settings {
  config: RouterConfig
  /** The file that was read, if any. */
  file: string | undefined
  /** That file and those that it names, noted before they were read. */
  files: Watched
  /** How an error names an option: by its flag, its variable, or its file and path. */
  nameOf(option: string): string
  /** The file in which an option is said, if one says any. */
  fileOf(option: string): string | undefined
}

/** What `flags` of `command`, the environment and the file come to. */
export async function settingsOf(flags: Flags, command?: Command): Promise<Settings> {
  const file = findConfig(flags.config)
  const files = new Watched()
  if (file !== undefined) files.note(file)
  const config = file === undefined ? {} : await readConfig(file)
  const from = new Map<string, string>()
  const isObject = typeof config === 'object' && config !== null && !Array.isArray(config)
  const told: RouterConfig = isObject ? { ...config } : config
  for (const [path, variable, value] of environment()) {
    if (value === undefined) continue
    put(told, path, value)
    from.set(path, variable)
  }
  for (const [path, flag] of Object.entries(FLAGS)) {
    if (command?.getOptionValueSource(flag) !== 'cli') continue
    put(told, path, SIZES.has(flag) ? sizeOf(flags[flag] as string) : flags[flag])
    from.set(path, written(flag))
  }
  // One says how many workers there are, and one who may connect: what is nearer to the command replaces what is farther.
  if (isObject && from.has('workers') && !from.has('threads')) delete told.threads
  if (isObject && from.has('threads') && !from.has('workers')) delete told.workers
  if (isObject && from.has('users') && !from.has('password')) delete told.password
  if (isObject && from.has('password') && !from.has('users')) delete told.users
  // They are those of a file: what is farther from the command says nothing of them.
  if (isObject && from.has('usersFile') && !from.has('users')) delete told.users
  if (isObject && from.has('usersFile') && !from.has('password')) delete told.password
  const nameOf = (option: string) => name(option, from, file)
  const settings = { config: told, file, files, nameOf, fileOf: () => file }
  if (!isObject) return settings
  for (const named of filesNamed(told)) files.note(named)
  if (told.usersFile === undefined) return settings
  const { users, pathOf } = await readUsers(told, nameOf)
  return {
    ...settings,
    config: { ...told, users },
    nameOf: option => pathOf(option) ?? nameOf(option),
    fileOf: option => (pathOf(option) === undefined ? file : told.usersFile),
  }
}

/** The files that a configuration names, as far as they are names. */
function filesNamed(config: RouterConfig): string[] {
  const { usersFile, tls, storeTls, admin, tokens, hooks } = config
  const keys = Array.isArray(tokens?.keys) ? tokens.keys : []
  const named: unknown[] = [
    usersFile,
    admin?.tokenFile,
    keys.map(key => (typeof key === 'string' ? key : key?.file)),
    tokens?.revoked,
    hooks,
    ...[tls, storeTls].map(files => [files?.cert, files?.key, files?.ca]),
  ]
  return named.flat(2).filter(name => typeof name === 'string')
}

function name(option: string, from: Map<string, string>, file: string | undefined): string {
  const path = pathIn(option)
  const [top = path] = /^[^.[]+/.exec(path) ?? []
  const [listed = path] = /^[^[]+/.exec(path) ?? []
  const given = [path, listed, top].find(part => from.has(part))
  // A flag or a variable holds no more of a store than its URL.
  if (given === 'store') return from.get(given)!
  if (given !== undefined) return from.get(given)! + path.slice(given.length)
  if (file !== undefined) return `${file}: ${path}`
  const flag = FLAGS[path] ?? FLAGS[top] ?? (top === 'tls' ? 'tlsCert' : undefined)
  return flag === undefined ? path : written(flag)
}

/** Where an option is in a configuration. Errors of `listen` name theirs without their place. */
export function pathIn(option: string): string {
  return LISTEN.includes(option) ? `listen.${option}` : option
}

/** A flag as it is written. */
function written(flag: keyof Flags): string {
  return `--${flag.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
}

function put(config: RouterConfig, path: string, value: unknown): void {
  const [first, second] = path.split('.') as [keyof RouterConfig, string | undefined]
  if (first === 'store') putStore(config, second, value)
  else if (second === undefined) Object.assign(config, { [first]: value })
  // What cannot be has no parts, and is left to the checks.
  else if (typeof (config[first] ?? {}) !== 'object' || config[first] === null) return
  else Object.assign(config, { [first]: { ...(config[first] as object), [second]: value } })
}

/**
 * A store is its URL, or an object that has more; several are a list, or an object that has it. One or
 * several URLs replace that of a file, and leave what else it says of a store.
 */
function putStore(config: RouterConfig, option: string | undefined, value: unknown): void {
  const { store } = config
  const isPlain = typeof store !== 'object' || store === null || Array.isArray(store)
  if (option !== undefined) {
    const whole = isPlain ? (Array.isArray(store) ? { ring: store } : { url: store }) : store
    Object.assign(config, { store: { ...(whole as object), [option]: value } })
    return
  }
  const urls = typeof value === 'string' ? value.trim().split(/\s+/) : (value as string[])
  const several = urls.length > 1
  const given = several ? { ring: urls } : { url: urls[0] }
  // What is said of one store is not meant for several.
  const fits = !isPlain && 'ring' in store === several
  Object.assign(config, { store: fits ? { ...store, ...given } : several ? urls : urls[0] })
}

function sizeOf(text: string): Size {
  return (/^\d+$/.test(text) ? Number(text) : text) as Size
}
