// Who may ask an admin entrance for what: by name of host, by token, by the site that a page is of.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { type AdminRoute, Refusal } from './route.ts'

/** What an entrance goes by. */
export interface Gate {
  /** A socket of this machine: who may use its file may do everything. */
  isLocal: boolean
  token: string | undefined
  /** Names of the entrance beside `localhost` and addresses, in small letters. */
  hosts: readonly string[]
}

/** Why a request is refused, before its route is known; `undefined` if it is not. */
export function checkHost({ isLocal, hosts }: Gate, headers: IncomingHttpHeaders) {
  // Pages of other sites reach an entrance by a name of theirs that leads here (DNS rebinding). No
  // page reaches a socket of this machine.
  if (isLocal) return undefined
  const host = nameOf(headers.host ?? '')
  if (isIP(host) > 0 || host === 'localhost' || hosts.includes(host)) return undefined
  const why =
    "this name is none of this entrance's: add it to the hosts of admin, or ask by address"
  return new Refusal(421, 'HOST', why)
}

/** Why a route is refused to a request; `undefined` if it is not. */
export function checkAccess(gate: Gate, route: AdminRoute, headers: IncomingHttpHeaders) {
  if (route.method !== 'GET' && !isOwn(headers)) {
    return new Refusal(403, 'ORIGIN', 'pages of other sites may change nothing here')
  }
  if (route.access === 'anybody' || (gate.isLocal && gate.token === undefined)) return undefined
  if (gate.token === undefined) {
    const why = 'this needs a token, and the entrance has none: give --admin-token-file'
    return new Refusal(403, 'NO_TOKEN', why)
  }
  if (isToken(headers.authorization, gate.token)) return undefined
  return new Refusal(401, 'TOKEN', 'this needs the token, as Authorization: Bearer TOKEN', {
    'www-authenticate': 'Bearer realm="breakwater"',
  })
}

/** The name in a header `Host`, without its port, in small letters. */
function nameOf(host: string): string {
  const [, address, name = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? []
  return (address ?? name).toLowerCase()
}

/** Whether a request is none of a browser, or of a page that came from here. */
function isOwn(headers: IncomingHttpHeaders): boolean {
  const { origin, host } = headers
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  return origin === undefined || origin === `http://${host}` || origin === `https://${host}`
}

/** Compares digests, in constant time: neither a token nor its length shows in how long it takes. */
function isToken(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer ([!-~]+)$/i.exec(authorization ?? '')?.[1]
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
