// The files of the page, and the headers that keep it from running or fetching anything else.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** The files by their names, and their kinds. */
const KINDS: Readonly<Record<string, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'app.js': 'text/javascript; charset=utf-8',
  'style.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
  'licences.txt': 'text/plain; charset=utf-8',
}

/** What every reply says: nothing from elsewhere, nothing inline, in nobody's frame. */
export const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
}

/** Whether there is a file of this name. */
export function isAsset(name: string): boolean {
  return Object.hasOwn(KINDS, name)
}

/** Sends a file, or says that the browser has it. */
export function sendAsset(name: string, request: IncomingMessage, response: ServerResponse): void {
  const body = readFileSync(new URL(name, folder()))
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  const isKnown = request.headers['if-none-match'] === etag
  response.writeHead(isKnown ? 304 : 200, {
    ...HEADERS,
    etag,
    ...(isKnown ? {} : { 'content-type': KINDS[name], 'content-length': body.length }),
  })
  response.end(isKnown || request.method === 'HEAD' ? undefined : body)
}

/** Where the files are: beside this module, whichever of its builds it is in. */
function folder(): URL {
  const places = ['./dashboard/page/', './page/', '../dashboard/page/', '../../dashboard/page/']
  const found = places
    .map(place => new URL(place, import.meta.url))
    .find(place => existsSync(new URL('app.js', place)))
  if (found === undefined) throw new Error('the files of the dashboard are missing')
  return found
}
