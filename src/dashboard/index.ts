// The dashboard: a handler of HTTP requests that shows caches and routing nodes, live.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isToken, TOKEN } from '../admin/options.ts'
import { checkFlag, checkFunction, checkKnown } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import type { Duration } from '../base/types.ts'
import { milliseconds } from '../base/units.ts'
import { Board } from './board.ts'
import { Handler } from './handler.ts'
import { type Shown, sourcesOf } from './sources.ts'

export type { Shown, ShownCache } from './sources.ts'

/** How a dashboard is shown, and what may be done by it. */
export interface DashboardOptions {
  /**
   * Who gives it may act: invalidate, flush, pin, switch routes. At least 16 characters. Without it
   * nobody may.
   */
  token?: string | undefined
  /** Whether the figures, too, are for those alone who give the token. Default: `false`. */
  isPrivate?: boolean | undefined
  /** Whether `inspect` shows values, and not only what is known of them. Default: `false`. */
  showValues?: boolean | undefined
  /**
   * Names under which the page is reached, beside `localhost` and addresses: a request for any other
   * name is refused. Default: none.
   */
  hosts?: readonly string[] | undefined
  /** The time between two samples, from 100 ms to a minute. Default: `'1s'`. */
  every?: Duration | undefined
  /** Ends a node in order: there is an action for it, if this is given. */
  onDrain?: (() => void) | undefined
}

/** Answers requests for a page and all that belongs to it: for `node:http`, Express and Fastify. */
export type DashboardHandler = (request: IncomingMessage, response: ServerResponse) => void

const KNOWN: readonly string[] = [
  'token',
  'isPrivate',
  'showValues',
  'hosts',
  'every',
  'onDrain',
] satisfies (keyof DashboardOptions)[]

/**
 * Shows caches and routing nodes on a page, live. It takes samples while somebody watches, and costs
 * nothing otherwise.
 *
 * @param shown - a cache, a router, or several by their names.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 * import { Cache } from 'breakwater'
 * import { dashboard } from 'breakwater/dashboard'
 *
 * const cache = new Cache({ name: 'customers', max: 1000 })
 * const server = createServer(dashboard(cache)).listen(0, '127.0.0.1')
 * // In Express: app.use('/cache', dashboard(cache))
 * server.close()
 * ```
 *
 * @throws InvalidOptionError an option that cannot be, with its name, value and what is allowed
 */
export function dashboard(
  shown: Shown | Readonly<Record<string, Shown>>,
  options: DashboardOptions = {},
): DashboardHandler {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError('options', options, 'an object')
  }
  checkKnown('', options, KNOWN)
  const token = checkToken(options.token)
  const isPrivate = checkFlag('isPrivate', options.isPrivate ?? false)
  if (isPrivate && token === undefined) {
    throw new InvalidOptionError('isPrivate', true, 'false without a token')
  }
  const sources = sourcesOf(shown, {
    showsValues: checkFlag('showValues', options.showValues ?? false),
    drain: checkFunction('onDrain', options.onDrain),
  })
  const board = new Board(sources, checkEvery(options.every ?? '1s'))
  const handler = new Handler(board, { token, isPrivate, hosts: checkHosts(options.hosts) })
  return (request, response) => void handler.answer(request, response)
}

/** A token, shown to nobody. */
function checkToken(token: unknown): string | undefined {
  if (token === undefined || isToken(token)) return token as string | undefined
  throw new InvalidOptionError('token', typeof token, TOKEN)
}

function checkHosts(hosts: unknown): readonly string[] {
  if (hosts === undefined) return []
  const isName = (host: unknown) => typeof host === 'string' && /^[\w.-]{1,253}$/.test(host)
  if (Array.isArray(hosts) && hosts.every(isName)) return hosts.map(host => host.toLowerCase())
  throw new InvalidOptionError('hosts', hosts, "a list of names, as ['admin.example.com']")
}

function checkEvery(every: Duration): number {
  const ms = milliseconds('every', every)
  if (ms >= 100 && ms <= 60_000) return ms
  throw new InvalidOptionError('every', every, "a duration from '100ms' to '1m'")
}
