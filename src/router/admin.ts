// How a node is administered, as a configuration says it: where, by which token, under which names.
import { isIP } from 'node:net'
import { checkFlag, checkKnown } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { planUnix, type UnixPlan } from './unix.ts'

/** Where a node is administered from, and by whom. */
export interface AdminConfig {
  /**
   * A TCP address as `'127.0.0.1:9121'`, or a socket of this machine as `'unix:/run/breakwater.sock'`,
   * which its owner alone may use. A port alone is one of 127.0.0.1.
   */
  listen: string
  /**
   * A file with the token that lets somebody read and change what is not public: at least 16
   * characters. Without one, a TCP address serves probes and metrics alone.
   */
  tokenFile?: string | undefined
  /**
   * Names under which a TCP address is reached, beside `localhost` and addresses: a request for any
   * other name is refused. Default: none.
   */
  hosts?: string[] | undefined
  /**
   * Whether whoever has the token is shown values that lie in memory, and not only what is known of
   * them. Default: `false`.
   */
  showValues?: boolean | undefined
}

/** The same, checked. */
export interface CheckedAdmin {
  listen: { host: string; port: number } | UnixPlan
  tokenFile: string | undefined
  hosts: string[]
  showValues: boolean
}

const ALLOWED = "an address, as '127.0.0.1:9121' or 'unix:/run/breakwater.sock'"
const KNOWN: readonly string[] = [
  'listen',
  'tokenFile',
  'hosts',
  'showValues',
] satisfies (keyof AdminConfig)[]

/** Checks the options. Throws {@link InvalidOptionError}; `path` is what they are a part of. */
export function checkAdmin(config: AdminConfig, path = 'admin.'): CheckedAdmin {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new InvalidOptionError('admin', config, "an object, as { listen: '127.0.0.1:9121' }")
  }
  checkKnown(path, config, KNOWN)
  const { listen, tokenFile, hosts = [], showValues = false } = config
  if (tokenFile !== undefined && (typeof tokenFile !== 'string' || tokenFile === '')) {
    throw new InvalidOptionError(`${path}tokenFile`, tokenFile, 'the path of a file')
  }
  checkNames(`${path}hosts`, hosts)
  return {
    listen: place(`${path}listen`, listen),
    tokenFile,
    hosts: hosts.map(lower),
    showValues: checkFlag(`${path}showValues`, showValues),
  }
}

/** Where to listen. */
function place(option: string, listen: unknown): CheckedAdmin['listen'] {
  if (typeof listen !== 'string') throw new InvalidOptionError(option, listen, ALLOWED)
  if (listen.startsWith('unix:')) return planUnix(listen.slice('unix:'.length), 0o600, option)
  const parts = /^(?:(\[[\da-f:.]+\]|[^:[\]]+):)?(\d{1,5})$/i.exec(listen)
  const port = Number(parts?.[2])
  if (!parts || port > 65_535) throw new InvalidOptionError(option, listen, ALLOWED)
  const host = parts[1]?.replace(/^\[|\]$/g, '') ?? '127.0.0.1'
  if (host.includes(':') && isIP(host) !== 6) throw new InvalidOptionError(option, listen, ALLOWED)
  return { host, port }
}

function checkNames(option: string, hosts: unknown): void {
  const wrong = Array.isArray(hosts) ? hosts.findIndex(host => !isName(host)) : -1
  if (Array.isArray(hosts) && wrong < 0) return
  const shown: unknown = Array.isArray(hosts) ? hosts[wrong] : hosts
  throw new InvalidOptionError(option, shown, "a list of names, as ['node.internal']")
}

function isName(host: unknown): boolean {
  return typeof host === 'string' && /^[\w.-]{1,253}$/.test(host)
}

function lower(name: string): string {
  return name.toLowerCase()
}
