// The stream of an admin entrance, as `breakwater top` reads it.
import { type IncomingMessage, type RequestOptions, request } from 'node:http'
import type { RemoteNode } from './remote.ts'

/** How long a stream may be silent, in milliseconds. */
const SILENCE = 10_000

/** Events until the node ends the stream, or somebody here does. */
export interface Stream extends AsyncIterable<[name: string, data: unknown]> {
  end(): void
}

/** Opens the stream. Throws what the node says if it refuses, and what the system says otherwise. */
export function events(node: RemoteNode): Stream {
  const ending = new AbortController()
  const options = { ...node.stream('/events'), signal: ending.signal, timeout: SILENCE }
  return {
    end: () => ending.abort(),
    async *[Symbol.asyncIterator]() {
      try {
        yield* read(options)
      } catch (error) {
        if (!ending.signal.aborted) throw error
      }
    },
  }
}

async function* read(options: RequestOptions): AsyncGenerator<[string, unknown]> {
  const reply = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(options, resolve)
    sent.on('error', reject)
    sent.on('timeout', () => sent.destroy(new Error('the node is silent')))
    sent.end()
  })
  reply.setEncoding('utf8')
  let text = ''
  for await (const chunk of reply) {
    text += chunk
    if (reply.statusCode !== 200) continue
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/s.exec(text.slice(0, end)) ?? []
      text = text.slice(end + 2)
      if (name !== undefined && data !== undefined) yield [name, JSON.parse(data)]
    }
  }
  if (reply.statusCode !== 200) throw new Error(refusal(text) ?? `status ${reply.statusCode}`)
}

function refusal(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { error: { message: string } }).error.message
  } catch {
    return undefined
  }
}
