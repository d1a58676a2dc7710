// Where the store behind a node is, with its replicas, or the cluster that it is: URLs, checked,
// without their secrets in any error.
import { checkKnown } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { Duration } from '../base/types.ts'
import { milliseconds } from '../base/units.ts'
import type { NativeAnnounced, NativeRing, NativeServer } from '../native/router.ts'
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
  /**
   * Whether `url` is one server of a Redis Cluster, which names all others. `redis-cluster://` says
   * the same, and more servers to ask first: `'redis-cluster://10.0.0.1:6379,10.0.0.2:6379'`.
   */
  cluster?: boolean | undefined
  /**
   * Where servers of a cluster are reached that name themselves by other addresses, as those of
   * containers do: `{ '10.0.0.1:6379': 'cluster.example.com:7001' }`.
   */
  announce?: Record<string, string> | undefined
  /** How far behind a replica may be: one that is farther is not read. Default: `'10s'`. */
  maxLag?: Duration | undefined
}

/** A store and its replicas, as the native side takes them. */
export interface CheckedStore {
  /** The primary first; of a cluster, those that are asked first. */
  servers: NativeServer[]
  /** Of a cluster: what is reached elsewhere than it says. */
  announce?: NativeAnnounced[]
  /** In milliseconds. */
  maxLag: number
  /** How the keys are shared out, where the servers are independent stores. */
  ring?: NativeRing | undefined
}

/** Cursors of scans have room for so many. */
const MOST_REPLICAS = 31
const ALLOWED =
  "'redis://[[user]:password@]host[:port]', the same with rediss:// for TLS, or 'unix:///path'"
const ALLOWED_CLUSTER =
  "'redis-cluster://[[user]:password@]host[:port][,host[:port]…]', or with rediss-cluster:// for TLS"
const CLUSTERS = /^(rediss?)-cluster:\/\/(.*)$/i
const KINDS: Record<string, NativeServer['kind']> = {
  'redis:': 'tcp',
  'rediss:': 'tls',
  'unix:': 'unix',
  'redis+unix:': 'unix',
}
const KNOWN: readonly string[] = [
  'url',
  'replicas',
  'cluster',
  'announce',
  'maxLag',
] satisfies (keyof StoreOptions)[]

/** Checks a store, with its replicas, or several. Throws {@link InvalidOptionError}. */
export function checkStore(
  given: string | StoreOptions | StoreRingOptions | StoreRingOptions['ring'],
): CheckedStore {
  if (typeof given === 'string') {
    const seeds = checkSeeds('store', given)
    if (seeds !== undefined) return { servers: seeds, announce: [], maxLag: 10_000 }
    return { servers: [checkServer('store', given)], maxLag: 10_000 }
  }
  if (typeof given !== 'object' || given === null) {
    throw new InvalidOptionError('store', typeof given, `${ALLOWED}, or an object with that as url`)
  }
  if (Array.isArray(given) || 'ring' in given)
    return { ...checkRing(given, checkServer), maxLag: 0 }
  checkKnown('store.', given, KNOWN)
  const { url, replicas = [], maxLag = '10s', cluster = false, announce } = given
  if (typeof cluster !== 'boolean') {
    throw new InvalidOptionError('store.cluster', cluster, 'true or false')
  }
  const lag = Math.ceil(milliseconds('store.maxLag', maxLag))
  const seeds =
    checkSeeds('store.url', url) ?? (cluster ? [checkSeed('store.url', url)] : undefined)
  if (seeds !== undefined) {
    if (given.replicas !== undefined) {
      const allowed = 'left out of a cluster, which names its replicas itself'
      throw new InvalidOptionError('store.replicas', 'given', allowed)
    }
    return { servers: seeds, announce: checkAnnounce(announce ?? {}), maxLag: lag }
  }
  if (announce !== undefined) {
    const allowed = 'left out where the store is no cluster'
    throw new InvalidOptionError('store.announce', 'given', allowed)
  }
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
  return { servers: [primary, ...others], maxLag: lag }
}

/** The servers of a cluster that are asked first; none, if that is no URL of a cluster. */
function checkSeeds(option: string, given: unknown): NativeServer[] | undefined {
  const found = typeof given === 'string' ? CLUSTERS.exec(given) : null
  if (found === null) return undefined
  const [, scheme, rest] = found as unknown as [string, string, string]
  const at = rest.lastIndexOf('@') + 1
  const places = rest.slice(at).replace(/\/0?$/, '').split(',')
  if (places.some(place => place.trim() === '')) {
    throw new InvalidOptionError(option, shown(given as string), ALLOWED_CLUSTER)
  }
  const server = (place: string) =>
    checkSeed(option, `${scheme}://${rest.slice(0, at)}${place.trim()}`)
  return places.map(server)
}

/** A server of a cluster. */
function checkSeed(option: string, given: unknown): NativeServer {
  const server = checkServer(option, given)
  if (server.kind !== 'unix') return server
  throw new InvalidOptionError(option, 'a socket of this machine', ALLOWED_CLUSTER)
}

function checkAnnounce(given: Record<string, string>): NativeAnnounced[] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    const allowed = "an object such as { '10.0.0.1:6379': 'host:port' }"
    throw new InvalidOptionError('store.announce', typeof given, allowed)
  }
  return Object.entries(given).map(([said, reached]) => ({
    said: checkPlace('store.announce', said),
    reached: checkPlace(`store.announce[${said}]`, reached),
  }))
}

/** A host and a port. */
function checkPlace(option: string, given: unknown): [host: string, port: number] {
  const found = typeof given === 'string' ? /^\[?([^\s/@[\]]+?)\]?:(\d{1,5})$/.exec(given) : null
  const port = Number(found?.[2])
  if (found !== null && port >= 1 && port <= 65_535) return [found[1]!, port]
  const value = typeof given === 'string' ? shown(given) : typeof given
  throw new InvalidOptionError(option, value, "'host:port'")
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
