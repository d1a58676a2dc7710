// Where the store behind a node is, and its replicas: URLs, checked, without their secrets in any error.
import { checkKnown } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { Duration } from '../base/types.ts'
import { milliseconds } from '../base/units.ts'
import type { NativeRing, NativeServer } from '../native/router.ts'
import { checkRing, type StoreRingOptions } from './store-ring.ts'

/** The store behind a node, with its replicas. */
export interface StoreOptions {
  /** The primary: see {@link RouterOptions.store}. */
  url: string
  /**
   * Its replicas, 31 at the most, as URLs. One without a user and a password is met with those of
   * `url`. They are read where {@link RouterOptions.readFrom} says so.
   */
  replicas?: string[] | undefined
  /** How far behind a replica may be: one that is farther is not read. Default: `'10s'`. */
  maxLag?: Duration | undefined
}

/** A store and its replicas, as the native side takes them. */
export interface CheckedStore {
  /** The primary first. */
  servers: NativeServer[]
  /** In milliseconds. */
  maxLag: number
  /** How the keys are shared out, where the servers are independent stores. */
  ring?: NativeRing | undefined
}

/** Cursors of scans have room for so many. */
const MOST_REPLICAS = 31
const ALLOWED =
  "'redis://[[user]:password@]host[:port]', the same with rediss:// for TLS, or 'unix:///path'"
const KINDS: Record<string, NativeServer['kind']> = {
  'redis:': 'tcp',
  'rediss:': 'tls',
  'unix:': 'unix',
  'redis+unix:': 'unix',
}
const KNOWN: readonly string[] = ['url', 'replicas', 'maxLag'] satisfies (keyof StoreOptions)[]

/** Checks a store, with its replicas, or several. Throws {@link InvalidOptionError}. */
export function checkStore(
  given: string | StoreOptions | StoreRingOptions | StoreRingOptions['ring'],
): CheckedStore {
  if (typeof given === 'string') return { servers: [checkServer('store', given)], maxLag: 10_000 }
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionError('store', typeof given, `${ALLOWED}, or an object with that as url`)
  }
  if (Array.isArray(given) || 'ring' in given)
    return { ...checkRing(given, checkServer), maxLag: 0 }
  checkKnown('store.', given, KNOWN)
  const { url, replicas = [], maxLag = '10s' } = given
  const primary = checkServer('store.url', url)
  if (!Array.isArray(replicas) || replicas.length > MOST_REPLICAS) {
    const allowed = `a list of URLs, ${MOST_REPLICAS} at the most`
    const value = Array.isArray(replicas) ? `${replicas.length} of them` : typeof replicas
    throw new InvalidOptionError('store.replicas', value, allowed)
  }
  const others = replicas.map((replica, at) => {
    const server = checkServer(`store.replicas[${at}]`, replica)
    const { user, password } = server.password === undefined ? primary : server
    return { ...server, user, password }
  })
  return { servers: [primary, ...others], maxLag: Math.ceil(milliseconds('store.maxLag', maxLag)) }
}

function checkServer(option: string, given: unknown): NativeServer {
  if (typeof given !== 'string') throw new InvalidOptionError(option, typeof given, ALLOWED)
  const url = parse(given)
  if (url === undefined) throw new InvalidOptionError(option, shown(given), ALLOWED)
  const { protocol, hostname, port, username, password, pathname, search, hash } = url
  const kind = Object.hasOwn(KINDS, protocol) ? KINDS[protocol] : undefined
  if (kind === undefined) throw new InvalidOptionError(option, protocol, ALLOWED)
  const rest = (kind === 'unix' ? '' : pathname.replace(/^\/0?$/, '')) + search + hash
  if (rest !== '') {
    const allowed = `${ALLOWED}: clients choose a database by SELECT, and nothing follows the place`
    throw new InvalidOptionError(option, rest, allowed)
  }
  const host = kind === 'unix' ? decode(option, pathname) : hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === '' || host === '/') throw new InvalidOptionError(option, shown(given), ALLOWED)
  if (username !== '' && password === '') {
    throw new InvalidOptionError(option, 'a user without a password', ALLOWED)
  }
  return {
    kind,
    host,
    port: kind === 'unix' ? 0 : port === '' ? 6379 : Number(port),
    user: username === '' ? undefined : decode(option, username),
    password: password === '' ? undefined : decode(option, password),
  }
}

/** Where a server is, and how it is reached, for people. */
export function described({ kind, host, port }: NativeServer): string {
  return `${kind === 'unix' ? host : `${host}:${port}`} (${kind})`
}

function parse(given: string): URL | undefined {
  try {
    return new URL(given)
  } catch {
    return undefined
  }
}

function decode(option: string, part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new InvalidOptionError(option, 'a part with a broken %-escape', ALLOWED)
  }
}

/** What an error may show of it: no more than its kind if it may hold a password. */
function shown(given: string): string {
  return given.includes('@') ? 'a text with an @' : given.slice(0, 100)
}
