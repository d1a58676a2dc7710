// A node that runs, reached through its admin entrance.
import { readFileSync } from 'node:fs'
import { type IncomingMessage, type RequestOptions, request } from 'node:http'
import { text } from 'node:stream/consumers'
import type { KeyReport } from '../admin/memory.ts'
import { checkAdmin } from '../router/admin.ts'
import type { AdminConfig, RouterStats, RouterStatus } from '../router/index.ts'

/** What `GET /status` tells. */
export interface NodeStatus extends RouterStatus {
  process: number
  stats: RouterStats
}

/** A key, or a prefix. */
export interface NamedKey {
  key?: string | undefined
  prefix?: string | undefined
  encoding?: 'base64' | 'utf8' | undefined
}

/** Nobody answers at the address of an entrance. */
export class UnreachableError extends Error {}

/** An order that a node refused, or that it did not understand. */
export class RefusedError extends Error {}

/** How long a node may take to answer what it knows already, in milliseconds. */
const ANSWER_WITHIN = 10_000

/** How long a stream may be silent, in milliseconds. */
const SILENCE = 30_000

/** A node, by what a configuration says of its entrance. Throws `InvalidOptionError`. */
export class RemoteNode {
  readonly #address: string
  readonly #at: { socketPath: string } | { host: string; port: number }
  readonly #headers: Record<string, string>

  constructor(config: AdminConfig) {
    const { listen, tokenFile } = checkAdmin(config)
    this.#address = config.listen
    this.#at = 'path' in listen ? { socketPath: listen.path } : reached(listen)
    const token = tokenFile === undefined ? undefined : readFileSync(tokenFile, 'utf8').trim()
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  }

  /** Where it stands. */
  async status(): Promise<NodeStatus> {
    return (await this.#ask('GET', '/status', ANSWER_WITHIN)) as NodeStatus
  }

  /** Whether it is ready, and why not: anybody may ask. */
  async readiness(): Promise<Pick<RouterStatus, 'ready' | 'reasons'>> {
    const told = await this.#ask('GET', '/readyz', ANSWER_WITHIN, [503])
    return told as Pick<RouterStatus, 'ready' | 'reasons'>
  }

  /** Begins to drain. */
  async drain(): Promise<void> {
    await this.#ask('POST', '/drain', ANSWER_WITHIN)
  }

  /** Reloads; what has changed. */
  async reload(): Promise<string[]> {
    return ((await this.#ask('POST', '/reload')) as { changed: string[] }).changed
  }

  /** Restarts all workers; done when all are new. */
  async restart(): Promise<RouterStatus['workers']> {
    return ((await this.#ask('POST', '/restart')) as RouterStatus).workers
  }

  /** What is known of a key. */
  async inspect(key: NamedKey): Promise<KeyReport> {
    return (await this.#ask('POST', '/inspect', ANSWER_WITHIN, [], key)) as KeyReport
  }

  /** Forgets what was read of a key, or of all that begin so; of how many there was any. */
  async invalidate(named: NamedKey): Promise<number> {
    const told = await this.#ask('POST', '/invalidate', undefined, [], named)
    return (told as { invalidated: number }).invalidated
  }

  /** Forgets all that was read. */
  async flush(): Promise<void> {
    await this.#ask('POST', '/flush')
  }

  /** The lines of a stream, each without its end, until the node ends it. */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const reply = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = request({ ...this.stream(path), signal, timeout: SILENCE }, resolve)
      asked.once('timeout', () => asked.destroy(new Error('it is silent')))
      asked.once('error', ({ message }) => {
        reject(new UnreachableError(`no node answers at ${this.#address}: ${message}`))
      })
      asked.end()
    })
    if (reply.statusCode !== 200) {
      const { error } = parsed(await text(reply))
      throw new RefusedError(error?.message ?? `HTTP ${reply.statusCode}`)
    }
    let rest = ''
    for await (const chunk of reply.setEncoding('utf8')) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  }

  /** How a stream of it is asked for. */
  stream(path: string): RequestOptions {
    return { ...this.#at, path, headers: this.#headers, agent: false }
  }

  /** Where its entrance is, for people. */
  get address(): string {
    return this.#address
  }

  /** @param good - statuses that are answers too, beside those of success. */
  #ask(
    method: string,
    path: string,
    timeout?: number,
    good: number[] = [],
    body?: unknown,
  ): Promise<unknown> {
    const address = this.#address
    return new Promise((resolve, reject) => {
      const options = { ...this.#at, method, path, headers: this.#headers, agent: false as const }
      const asked = request({ ...options, ...(timeout === undefined ? {} : { timeout }) })
      asked.once('timeout', () => asked.destroy(new Error(`no answer in ${timeout} ms`)))
      asked.once('error', ({ message }) => {
        reject(new UnreachableError(`no node answers at ${address}: ${message}`))
      })
      asked.once('response', async response => {
        try {
          const body = parsed(await text(response))
          const { statusCode = 500 } = response
          if (statusCode < 300 || good.includes(statusCode)) resolve(body)
          else reject(new RefusedError(body.error?.message ?? `HTTP ${statusCode}`))
        } catch (error) {
          reject(new UnreachableError(`${address} is no node's: ${(error as Error).message}`))
        }
      })
      asked.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }
}

/** Where a node that listens everywhere is reached from its own machine. */
function reached({ host, port }: { host: string; port: number }) {
  if (host === '0.0.0.0') return { host: '127.0.0.1', port }
  return host === '::' ? { host: '::1', port } : { host, port }
}

function parsed(body: string): { error?: { message: string } } {
  return JSON.parse(body) as { error?: { message: string } }
}
