// Where the store behind a node is: a URL, checked, without its secrets in any error.
import { InvalidOptionError } from '../base/errors.ts'

/** A store, as the native side takes it. */
export interface StoreAddress {
  storeKind: 'tcp' | 'tls' | 'unix'
  /** A name or address, or the path of a socket of this machine. */
  storeHost: string
  storePort: number
  storeUser: string | undefined
  storePassword: string | undefined
}

const ALLOWED =
  "'redis://[[user]:password@]host[:port]', the same with rediss:// for TLS, or 'unix:///path'"
const KINDS: Record<string, StoreAddress['storeKind']> = {
  'redis:': 'tcp',
  'rediss:': 'tls',
  'unix:': 'unix',
  'redis+unix:': 'unix',
}

/** Checks the URL of a store. Throws {@link InvalidOptionError}. */
export function checkStore(given: string): StoreAddress {
  if (typeof given !== 'string') throw new InvalidOptionError('store', typeof given, ALLOWED)
  const url = parse(given)
  if (url === undefined) throw new InvalidOptionError('store', shown(given), ALLOWED)
  const { protocol, hostname, port, username, password, pathname, search, hash } = url
  const kind = Object.hasOwn(KINDS, protocol) ? KINDS[protocol] : undefined
  if (kind === undefined) throw new InvalidOptionError('store', protocol, ALLOWED)
  const rest = (kind === 'unix' ? '' : pathname.replace(/^\/0?$/, '')) + search + hash
  if (rest !== '') {
    const allowed = `${ALLOWED}: clients choose a database by SELECT, and nothing follows the place`
    throw new InvalidOptionError('store', rest, allowed)
  }
  const host = kind === 'unix' ? decode(pathname) : hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === '' || host === '/') throw new InvalidOptionError('store', shown(given), ALLOWED)
  if (username !== '' && password === '') {
    throw new InvalidOptionError('store', 'a user without a password', ALLOWED)
  }
  return {
    storeKind: kind,
    storeHost: host,
    storePort: kind === 'unix' ? 0 : port === '' ? 6379 : Number(port),
    storeUser: username === '' ? undefined : decode(username),
    storePassword: password === '' ? undefined : decode(password),
  }
}

function parse(given: unknown): URL | undefined {
  try {
    return typeof given === 'string' ? new URL(given) : undefined
  } catch {
    return undefined
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new InvalidOptionError('store', 'a part with a broken %-escape', ALLOWED)
  }
}

/** What an error may show of it: no more than its kind if it may hold a password. */
function shown(given: unknown): string {
  if (typeof given !== 'string') return String(given)
  return given.includes('@') ? 'a text with an @' : given.slice(0, 100)
}
