// Asks another node, by its admin entrance, what it reads most.
import type { IncomingMessage, RequestOptions } from 'node:http'
import { builtin } from '../base/builtin.ts'
import { LONGEST, tooLong } from './hot-reads.ts'
import type { Peer } from './warm.ts'

/** Where a node is asked for it. */
export const HOT_PATH = '/hot'

/** What another node answers, until `signal` aborts. Rejects with why it does not. */
export async function askHot(
  { url, socketPath }: Peer,
  tokenFile: string | undefined,
  signal: AbortSignal,
): Promise<Buffer> {
  const token = tokenFile && (await builtin('node:fs').promises.readFile(tokenFile, 'utf8'))
  const headers = token === undefined ? {} : { authorization: `Bearer ${token.trim()}` }
  const at = socketPath === undefined ? {} : { socketPath }
  const reply = await asked(new URL(HOT_PATH, url), { ...at, headers, signal, agent: false })
  if (reply.statusCode !== 200) {
    reply.destroy()
    throw new Error(`it answers with HTTP ${reply.statusCode}`)
  }
  return whole(reply)
}

function asked(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  const { request } = builtin(url.protocol === 'https:' ? 'node:https' : 'node:http')
  return new Promise((resolve, reject) => {
    request(url, options, resolve).once('error', reject).end()
  })
}

/** All that is answered, as long as that is not too much. */
async function whole(reply: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of reply) {
    length += (chunk as Buffer).length
    if (length > LONGEST) throw tooLong()
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}
