// The files of the page, and the headers that keep it from running or fetching anything else.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import type { AdminReply } from '../admin/route.ts'

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
}

/** The names of the files. */
export const ASSETS: readonly string[] = Object.keys(KINDS)

/** A file, or word that the browser has it. */
export function asset(name: string, headers: IncomingHttpHeaders): AdminReply {
  const body = readFileSync(new URL(name, folder()))
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  const always = { ...HEADERS, 'cache-control': 'no-cache', etag }
  if (headers['if-none-match'] === etag) return { status: 304, headers: always, body: '' }
  return { headers: { ...always, 'content-type': KINDS[name]! }, body }
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
