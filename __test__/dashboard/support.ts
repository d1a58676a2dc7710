// What the tests of the dashboard share: a page that is served, and a viewer that is no browser.
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { ExecutionContext } from 'ava'
import type { Action, Hello, Outcome, Sample } from '../../src/dashboard/frames.ts'
import type * as entry from '../../src/dashboard/index.ts'

export const TOKEN = 'sixteen-or-longer'

/** The built package, which has the files of the page. */
export const built = (await import(
  '../../dist/index.js' as string
)) as typeof import('../../src/index.ts')
export const { dashboard } = (await import(
  '../../dist/dashboard/index.js' as string
)) as typeof entry

/** Serves a handler on a free port until the test ends. */
export async function served(
  t: ExecutionContext,
  handler: Parameters<typeof createServer>[1] & object,
): Promise<number> {
  const server = createServer(handler as never).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => end(server))
  return (server.address() as AddressInfo).port
}

/** Ends a server and all who are connected to it. */
export function end(server: Server): void {
  server.close()
  server.closeAllConnections()
}

/** A reply that has come. */
export interface Reply {
  status: number
  headers: IncomingMessage['headers']
  body: string
}

interface Asked {
  method?: string
  headers?: Record<string, string>
  body?: string
}

/** Opens a request; the reply, as soon as its head is here. */
export async function open(
  port: number,
  path: string,
  asked: Asked = {},
): Promise<IncomingMessage> {
  const { method = 'GET', headers = {}, body } = asked
  const sent = request({ port, host: '127.0.0.1', path, method, headers })
  sent.end(body)
  const [reply] = (await once(sent, 'response')) as [IncomingMessage]
  return reply.on('error', () => {})
}

/** Asks for something that ends. */
export async function ask(port: number, path: string, asked: Asked = {}): Promise<Reply> {
  const reply = await open(port, path, asked)
  return { status: reply.statusCode ?? 0, headers: reply.headers, body: await text(reply) }
}

/** Asks for an action, with the token. */
export async function act(port: number, action: Partial<Action>, path = '/act'): Promise<Outcome> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` }
  const { body } = await ask(port, path, { method: 'POST', headers, body: JSON.stringify(action) })
  return JSON.parse(body) as Outcome
}

/** Somebody who watches. */
export class Watcher {
  readonly #events: AsyncGenerator<[string, unknown]>
  readonly #reply: IncomingMessage

  private constructor(reply: IncomingMessage) {
    this.#reply = reply
    this.#events = eventsOf(reply)
  }

  static async open(
    t: ExecutionContext,
    port: number,
    path = '/events',
    headers: Record<string, string> = {},
  ): Promise<Watcher> {
    const reply = await open(port, path, { headers })
    t.is(reply.statusCode, 200)
    t.teardown(() => reply.destroy())
    return new Watcher(reply)
  }

  async next<T>(name: string): Promise<T> {
    for (;;) {
      const { value, done } = await this.#events.next()
      if (done) throw new Error('the stream has ended')
      if (value[0] === name) return value[1] as T
    }
  }

  hello(): Promise<Hello> {
    return this.next('hello')
  }

  /** The first sample that is as wanted. */
  async sample(wanted: (sample: Sample) => boolean = () => true): Promise<Sample> {
    for (;;) {
      const sample = await this.next<Sample>('sample')
      if (wanted(sample)) return sample
    }
  }

  leave(): void {
    this.#reply.destroy()
  }
}

async function* eventsOf(reply: IncomingMessage): AsyncGenerator<[string, unknown]> {
  let pending = ''
  reply.setEncoding('utf8')
  for await (const chunk of reply) {
    pending += chunk
    for (let at = pending.indexOf('\n\n'); at >= 0; at = pending.indexOf('\n\n')) {
      const [, name = '', data = 'null'] =
        /^event: (\w+)\ndata: (.*)$/s.exec(pending.slice(0, at)) ?? []
      pending = pending.slice(at + 2)
      yield [name, JSON.parse(data)]
    }
  }
}

/** Waits until something is so. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(resolve => setTimeout(resolve, 20))
}
