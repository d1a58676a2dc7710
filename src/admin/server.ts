// The HTTP server of an admin entrance: bounded requests in, replies out.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { clearTimeout, setTimeout } from '../base/runtime.ts'
import type { CheckedAdmin } from '../router/admin.ts'
import { openUnix } from '../router/unix.ts'
import { checkAccess, checkHost, type Gate } from './access.ts'
import { type AdminReply, type AdminRoute, Refusal, type Routes } from './route.ts'
import { send } from './send.ts'

/** The most bytes of a request's headers, and of its body. */
const HEADERS = 8 * 1024
const BODY = 64 * 1024
/** How long a request may take to come, in milliseconds: its headers, and all of it. */
const HEADERS_WITHIN = 5000
const REQUEST_WITHIN = 10_000
/** How long a connection may say and take nothing, in milliseconds. */
const IDLE = 60_000
/** How long those who have asked may take their replies at the end, in milliseconds. */
const CLOSE_WITHIN = 1000
/** The most connections at once: probes, a scraper, some people. */
const CONNECTIONS = 100

/** What every reply says to browsers. */
const ALWAYS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** A server of routes. */
export class AdminServer {
  readonly #routes: Routes
  readonly #gate: () => Gate
  readonly #server: Server
  readonly #closing = new AbortController()
  #remove = () => {}

  /** @param gate - who may ask for what, now. */
  constructor(routes: Routes, gate: () => Gate) {
    this.#routes = routes
    this.#gate = gate
    const limits = {
      maxHeaderSize: HEADERS,
      headersTimeout: HEADERS_WITHIN,
      requestTimeout: REQUEST_WITHIN,
      connectionsCheckingInterval: 1000,
      requireHostHeader: true,
    }
    this.#server = createServer(limits, (request, response) => this.#answer(request, response))
    // The system has no descriptor for a client now: it goes on with the next.
    this.#server.on('error', () => {})
    this.#server.maxConnections = CONNECTIONS
    this.#server.timeout = IDLE
  }

  /** Listens; rejects with the error of the system. */
  async listen(on: CheckedAdmin['listen']): Promise<string> {
    if ('path' in on) {
      const { fd, remove } = await openUnix(on)
      this.#remove = remove
      await this.#listen({ fd })
      return `unix:${on.path}`
    }
    await this.#listen(on)
    const { address, port, family } = this.#server.address() as AddressInfo
    return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
  }

  #listen(on: { fd: number } | { host: string; port: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(on, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
  }

  /** Ends streams, answers what was asked, and stops. */
  async close(): Promise<void> {
    this.#remove()
    this.#closing.abort()
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    const timer = setTimeout(() => this.#server.closeAllConnections(), CLOSE_WITHIN)
    await closed
    clearTimeout(timer)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController()
    const end = () => gone.abort()
    response.once('close', end)
    this.#closing.signal.addEventListener('abort', end)
    try {
      const reply = await this.#reply(request, gone.signal)
      await send(request, response, reply, ALWAYS, gone.signal)
    } catch {
      // The client has gone.
      response.destroy()
    } finally {
      this.#closing.signal.removeEventListener('abort', end)
    }
  }

  async #reply(request: IncomingMessage, signal: AbortSignal): Promise<AdminReply> {
    const { headers, method = '' } = request
    const gate = this.#gate()
    const url = urlOf(request.url ?? '')
    const found =
      checkHost(gate, headers) ??
      (url === undefined
        ? new Refusal(400, 'URL', 'the path of a request begins with /')
        : this.#routes.find(method, url.pathname))
    const refusal = found instanceof Refusal ? found : checkAccess(gate, found, headers)
    if (refusal !== undefined) return refusal.reply()
    const body = await read(request)
    if (body instanceof Refusal) return body.reply()
    try {
      return await (found as AdminRoute).handle({ url: url!, headers, body, signal })
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException
      return new Refusal(500, code ?? 'FAILED', message).reply()
    }
  }
}

/** Where a request leads to, whatever host it names. */
function urlOf(path: string): URL | undefined {
  const whole = `http://admin${path}`
  return path.startsWith('/') && URL.canParse(whole) ? new URL(whole) : undefined
}

/** What a request carries. */
async function read(request: IncomingMessage): Promise<string | Refusal> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    length += (chunk as Buffer).length
    if (length > BODY) {
      const why = `a request carries ${BODY} bytes at the most`
      return new Refusal(413, 'TOO_LARGE', why, { connection: 'close' })
    }
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString()
}
