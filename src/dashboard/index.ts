// The dashboard: a handler of HTTP requests that shows caches and routing nodes, live.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { checkFlag, checkFunction, checkKnown } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { dateNow, now, timeOrigin } from '../base/runtime.ts'
import type { Duration } from '../base/types.ts'
import { milliseconds } from '../base/units.ts'
import { version } from '../base/version.ts'
import {
  checkHosts,
  checkToken,
  hasToken,
  type Refusal,
  refuseHost,
  refuseOrigin,
} from './access.ts'
import { act, BadAction, readAction } from './actions.ts'
import { HEADERS, isAsset, sendAsset } from './assets.ts'
import type { Hello } from './frames.ts'
import { streamRemovals } from './removals.ts'
import { KEEPS, Sampler } from './sampler.ts'
import type { Source } from './source.ts'
import { type Shown, sourcesOf } from './sources.ts'
import { Viewer } from './viewer.ts'

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
/** The most viewers at once. */
const MOST_VIEWERS = 100

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
 * const cache = new Cache({ name: 'users', max: 1000 })
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
  const board = new Dashboard(shown, options)
  return (request, response) => board.answer(request, response)
}

class Dashboard {
  readonly #token: string | undefined
  readonly #isPrivate: boolean
  readonly #hosts: readonly string[]
  readonly #sources: readonly Source[]
  readonly #sampler: Sampler
  readonly #boot = randomUUID()
  #viewers = 0

  constructor(shown: Shown | Readonly<Record<string, Shown>>, options: DashboardOptions) {
    if (typeof options !== 'object' || options === null) {
      throw new InvalidOptionError('options', options, 'an object')
    }
    checkKnown('', options, KNOWN)
    this.#token = checkToken(options.token)
    this.#isPrivate = checkFlag('isPrivate', options.isPrivate ?? false)
    if (this.#isPrivate && this.#token === undefined) {
      throw new InvalidOptionError('isPrivate', true, 'false without a token')
    }
    this.#hosts = checkHosts(options.hosts)
    this.#sources = sourcesOf(shown, {
      showsValues: checkFlag('showValues', options.showValues ?? false),
      drain: checkFunction('onDrain', options.onDrain),
    })
    this.#sampler = new Sampler(this.#sources, checkEvery(options.every ?? '1s'))
  }

  /** Answers a request; what goes wrong is said to the viewer. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    this.#route(request, response).catch(error => {
      const status = error instanceof BadAction ? 400 : 500
      if (!response.headersSent) refuse(response, { status, text: (error as Error).message })
      else response.destroy()
    })
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, query } = placeOf(request)
    // Wherever the page is mounted: what is asked for is the last part of the path.
    const name = path.slice(path.lastIndexOf('/') + 1)
    const refusal = refuseHost(request, this.#hosts) ?? this.#refuse(name, request)
    if (refusal !== undefined) return refuse(response, refusal)
    if (name === 'act') return this.#act(request, response)
    if (name === 'events') return this.#stream(request, response)
    if (name === 'removals') return this.#removals(query.get('source') ?? '', response)
    if (name === '' || isAsset(name)) return sendAsset(name || 'index.html', request, response)
    if (name.includes('.')) return refuse(response, { status: 404, text: 'There is no such file.' })
    // The page's own files are found from a path that ends with a slash.
    response.writeHead(308, { ...HEADERS, location: `./${name}/` }).end()
  }

  /** Why a request may not be answered. */
  #refuse(name: string, request: IncomingMessage): Refusal | undefined {
    const { method, headers } = request
    const changes = name === 'act'
    const allowed = changes ? ['POST'] : ['GET', 'HEAD']
    if (!allowed.includes(method ?? '')) {
      return { status: 405, text: `Only ${allowed.join(' and ')} are answered here.` }
    }
    if (changes) {
      const refusal = refuseOrigin(request)
      if (refusal !== undefined) return refusal
      if (!/^application\/json\b/i.test(headers['content-type'] ?? '')) {
        return { status: 415, text: 'A request is an object of JSON.' }
      }
      if (this.#token === undefined) {
        return { status: 403, text: "There are no actions: the dashboard has no 'token'." }
      }
    }
    const needsToken = changes || name === 'removals' || (name === 'events' && this.#isPrivate)
    if (!needsToken || this.#isTrusted(request)) return undefined
    return { status: 401, text: 'The token is missing or wrong.' }
  }

  /** Whether somebody may act; where there is no token, all may see all that there is to see. */
  #isTrusted(request: IncomingMessage): boolean {
    return this.#token === undefined || hasToken(request, this.#token)
  }

  async #act(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const action = await readAction(request)
    const outcome = await act(this.#sources, action)
    if (outcome.ok && action.action !== 'inspect') {
      const { source, text = '' } = action
      const done = `Dashboard: ${action.action}${text === '' ? '' : ` ${text.slice(0, 64)}`}. ${outcome.text}`
      this.#sampler.tell({ at: dateNow(), source, level: 'info', text: done })
    }
    json(response, 200, outcome)
  }

  #stream(request: IncomingMessage, response: ServerResponse): void {
    if (this.#viewers >= MOST_VIEWERS) {
      const refusal = { status: 503, text: `${MOST_VIEWERS} viewers watch already.` }
      refuse(response, refusal)
      return
    }
    this.#viewers++
    let stop = () => {}
    const viewer = new Viewer(response, () => {
      this.#viewers--
      stop()
    })
    viewer.send('hello', this.#hello(this.#token !== undefined && hasToken(request, this.#token)))
    stop = this.#sampler.watch(sample => viewer.see(sample))
  }

  #hello(mayAct: boolean): Hello {
    const past = this.#sources.map(({ shape: { id } }) => [id, this.#sampler.past(id)] as const)
    return {
      boot: this.#boot,
      version: version(),
      pid: process.pid,
      startedAt: Math.round(timeOrigin + now() - process.uptime() * 1000),
      every: this.#sampler.every,
      keeps: KEEPS,
      mayAct,
      shapes: this.#sources.map(({ shape }) => shape),
      past: Object.fromEntries(past),
      moments: this.#sampler.moments,
    }
  }

  /** Tells of removals as they come, as long as somebody listens. */
  #removals(id: string, response: ServerResponse): void {
    const source = this.#sources.find(({ shape }) => shape.id === id)
    if (source?.removals !== undefined) streamRemovals(source.removals.bind(source), response)
    else refuse(response, { status: 404, text: 'This source tells of no removals.' })
  }
}

/** What a request asks for: Express keeps the whole of it. */
function placeOf(request: IncomingMessage & { originalUrl?: string }) {
  const [path = '/', query] = (request.originalUrl ?? request.url ?? '/').split('?', 2)
  return { path, query: new URLSearchParams(query) }
}

function refuse(response: ServerResponse, { status, text }: Refusal): void {
  json(response, status, { ok: false, text })
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { ...HEADERS, 'content-type': 'application/json; charset=utf-8' })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}

function checkEvery(every: Duration): number {
  const ms = milliseconds('every', every)
  if (ms >= 100 && ms <= 60_000) return ms
  throw new InvalidOptionError('every', every, "a duration from '100ms' to '1m'")
}
