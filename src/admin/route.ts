// What an admin entrance answers: routes in one table, found by their paths and methods.
import type { IncomingHttpHeaders } from 'node:http'

/** A request that may be answered. */
export interface AdminRequest {
  /** Its path and query; the origin is `http://admin` whatever the client calls it. */
  url: URL
  headers: IncomingHttpHeaders
  /** What it carries, 64 KB at the most. */
  body: string
  /** Aborted once the client has gone, or the entrance closes. */
  signal: AbortSignal
}

/** What a route answers. */
export interface AdminReply {
  /** Default: 200. */
  status?: number | undefined
  headers?: Record<string, string> | undefined
  /**
   * Texts and bytes are sent as they are; an async iterable of them as they come, until the client
   * goes, or nothing has come for a minute; anything else as JSON.
   */
  body?: unknown
}

/** What an admin entrance answers at a path. */
export interface AdminRoute {
  /** A route of `GET` is one of `HEAD` too. `POST` changes something: pages of other sites may not. */
  method: 'GET' | 'POST'
  /** The path, whole: `'/metrics'`. */
  path: string
  /** Who may ask: `'anybody'` who reaches the address, or those who show the `'token'`. */
  access: 'anybody' | 'token'
  /** Answers. What it throws is answered with 500 and its message. */
  handle(request: AdminRequest): AdminReply | Promise<AdminReply>
}

/** What is wrong with a request: told as JSON, `{ error: { code, message } }`. */
export class Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly headers: Record<string, string>

  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    this.status = status
    this.code = code
    this.message = message
    this.headers = headers
  }

  /** As an answer. */
  reply(): AdminReply {
    const { status, headers, code, message } = this
    return { status, headers, body: { error: { code, message } } }
  }
}

/** The routes of an admin entrance. */
export class Routes {
  readonly #routes: AdminRoute[] = []

  /** Adds one, in the place of one with the same path and method. */
  add(route: AdminRoute): void {
    const same = ({ path, method }: AdminRoute) => path === route.path && method === route.method
    const at = this.#routes.findIndex(same)
    this.#routes.splice(at < 0 ? this.#routes.length : at, at < 0 ? 0 : 1, route)
  }

  /** The route that is asked for, or why there is none. */
  find(method: string, path: string): AdminRoute | Refusal {
    const there = this.#routes.filter(route => route.path === path)
    if (there.length === 0) {
      const paths = [...new Set(this.#routes.map(route => route.path))].join(', ')
      return new Refusal(404, 'NOT_FOUND', `there is nothing at this path; there is ${paths}`)
    }
    const asked = method === 'HEAD' ? 'GET' : method
    const found = there.find(route => route.method === asked)
    if (found !== undefined) return found
    const allow = there.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    const headers = { allow: allow.join(', ') }
    return new Refusal(405, 'METHOD', `${path} takes ${allow.join(', ')}`, headers)
  }
}
