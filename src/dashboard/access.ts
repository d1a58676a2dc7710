// Who may see a dashboard, and who may act: hosts, origins and a token.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { InvalidOptionError } from '../base/errors.ts'

/** Why a request is refused. */
export interface Refusal {
  readonly status: number
  readonly text: string
}

/** The shortest token. */
const SHORTEST = 16

/** Checks a token that is given as an option. */
export function checkToken(token: unknown): string | undefined {
  if (token === undefined) return undefined
  const fits = typeof token === 'string' && token.length >= SHORTEST
  if (fits) return token
  const shown = typeof token === 'string' ? `${token.length} characters` : token
  throw new InvalidOptionError('token', shown, `a text of at least ${SHORTEST} characters`)
}

/** Checks names of hosts. */
export function checkHosts(hosts: unknown): readonly string[] {
  if (hosts === undefined) return []
  const isName = (host: unknown) => typeof host === 'string' && /^[\w.-]{1,253}$/.test(host)
  if (Array.isArray(hosts) && hosts.every(isName)) return hosts.map(host => host.toLowerCase())
  throw new InvalidOptionError('hosts', hosts, "a list of names, as ['admin.example.com']")
}

/**
 * Refuses a request for a name that nobody has said is ours: a page of a stranger may have its own name
 * lead to this machine. Addresses and `localhost` lead nowhere else.
 */
export function refuseHost(
  request: IncomingMessage,
  hosts: readonly string[],
): Refusal | undefined {
  const name = hostOf(request.headers.host)
  const isKnown = isIP(name) !== 0 || name === 'localhost' || hosts.includes(name)
  if (isKnown) return undefined
  return { status: 421, text: "This name is not served here: add it to the option 'hosts'." }
}

/** Refuses a request that another site has a browser send. */
export function refuseOrigin({ headers }: IncomingMessage): Refusal | undefined {
  const site = headers['sec-fetch-site']
  const isOwn = site === undefined || site === 'same-origin' || site === 'none'
  if (isOwn && sameOrigin(headers.origin, headers.host)) return undefined
  return { status: 403, text: 'Requests of other sites are refused.' }
}

function sameOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true
  const url = URL.canParse(origin) ? new URL(origin) : undefined
  return url !== undefined && url.host === (host ?? '').toLowerCase()
}

/** The name in `Host`, without a port or brackets. */
function hostOf(host = ''): string {
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(host) ?? []
  return (bracketed ?? plain).toLowerCase()
}

/** Whether a request has the token, in a time that tells nothing of it. */
export function hasToken({ headers }: IncomingMessage, token: string | undefined): boolean {
  if (token === undefined) return false
  const [, given = ''] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? []
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(token))
}
