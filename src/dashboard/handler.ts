// A dashboard as a handler of Node.js requests, wherever an embedder mounts it.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { checkAccess, checkHost } from '../admin/access.ts'
import { type AdminReply, Refusal } from '../admin/route.ts'
import { send } from '../admin/send.ts'
import { readBody } from './actions.ts'
import { ASSETS, asset, HEADERS } from './assets.ts'
import type { Board } from './board.ts'

/** Who may do what. */
export interface HandlerGate {
  readonly token: string | undefined
  readonly isPrivate: boolean
  readonly hosts: readonly string[]
}

/** What Express adds to a request. */
type Request = IncomingMessage & { originalUrl?: string; body?: unknown }

/** What a reply says that does not say otherwise. */
const ALWAYS = { 'cache-control': 'no-store', ...HEADERS }

const NO_TOKEN = "there are no actions: the dashboard has no 'token'"

/** Answers requests by a board. */
export class Handler {
  readonly #board: Board
  readonly #gate: HandlerGate

  constructor(board: Board, gate: HandlerGate) {
    this.#board = board
    this.#gate = gate
  }

  /** Answers a request; what goes wrong is said to the viewer. */
  async answer(request: Request, response: ServerResponse): Promise<void> {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    response.on('error', () => {})
    try {
      const reply = await this.#reply(request, gone.signal)
      await send(request, response, reply, ALWAYS, gone.signal)
    } catch (error) {
      // Its client has gone, or misses a part.
      if (gone.signal.aborted || response.headersSent) return void response.destroy()
      const refusal = new Refusal(500, 'FAILED', (error as Error).message)
      await send(request, response, refusal.reply(), ALWAYS, gone.signal)
    }
  }

  async #reply(request: Request, signal: AbortSignal): Promise<AdminReply> {
    const [path = '/', query] = (request.originalUrl ?? request.url ?? '/').split('?', 2)
    // Wherever the page is mounted: what is asked for is the last part of the path.
    const name = path.slice(path.lastIndexOf('/') + 1)
    const refusal = this.#refuse(name, request)
    if (refusal !== undefined) return refusal.reply()
    if (name === 'act') return this.#board.act(await readBody(request))
    if (name === 'events') {
      return this.#board.events(this.#mayAct(request), signal)
    }
    if (name === 'removals') {
      return this.#board.removals(new URLSearchParams(query).get('source'), signal)
    }
    if (name === '' || ASSETS.includes(name)) return asset(name || 'index.html', request.headers)
    if (name.includes('.')) return new Refusal(404, 'NOT_FOUND', 'there is no such file').reply()
    // The page's own files are found from a path that ends with a slash.
    return { status: 308, headers: { ...HEADERS, location: `./${name}/` }, body: '' }
  }

  /** Why a request may not be answered. */
  #refuse(name: string, { method = '', headers }: Request): Refusal | undefined {
    const gate = { ...this.#gate, isLocal: false }
    const changes = name === 'act'
    const allowed = changes ? ['POST'] : ['GET', 'HEAD']
    if (!allowed.includes(method)) {
      const allow = allowed.join(', ')
      return new Refusal(405, 'METHOD', `only ${allow} can be asked for here`, { allow })
    }
    if (changes && !/^application\/json\b/i.test(headers['content-type'] ?? '')) {
      return new Refusal(415, 'TYPE', 'an action is an object of JSON')
    }
    if (changes && gate.token === undefined) return new Refusal(403, 'NO_TOKEN', NO_TOKEN)
    const needsToken = changes || ['events', 'removals'].includes(name)
    // Without a token all may see what there is to see; keys that leave are for those who may act.
    const isFree = !changes && (gate.token === undefined || (name === 'events' && !gate.isPrivate))
    const access = needsToken && !isFree ? 'token' : 'anybody'
    const route = { method: changes ? 'POST' : 'GET', path: '', access, handle: nothing } as const
    return checkHost(gate, headers) ?? checkAccess(gate, route, headers)
  }

  #mayAct({ headers }: Request): boolean {
    const route = { method: 'GET', path: '', access: 'token', handle: nothing } as const
    const { token } = this.#gate
    if (token === undefined) return false
    return checkAccess({ ...this.#gate, isLocal: false }, route, headers) === undefined
  }
}

function nothing(): AdminReply {
  return {}
}
