// A reply on its way to whoever asked: its headers, and a body that is sent whole or as it comes.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { AdminReply } from './route.ts'

/**
 * Sends a reply; rejects if its client goes while it is sent as it comes.
 *
 * @param always - headers that it has where it does not say otherwise.
 */
export async function send(
  { method }: IncomingMessage,
  response: ServerResponse,
  { status = 200, headers = {}, body = '' }: AdminReply,
  always: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const plain = typeof body === 'string' || Buffer.isBuffer(body)
  const chunks = !plain && isChunks(body) ? body : undefined
  const type = plain || chunks ? 'text/plain; charset=utf-8' : 'application/json'
  const bytes = plain ? body : chunks ? undefined : `${JSON.stringify(body)}\n`
  // An empty reply may be word that the client has the file: its length would be the file's.
  const length = bytes ? { 'content-length': String(Buffer.byteLength(bytes)) } : {}
  const all = { ...always, 'content-type': type, ...length, ...headers }
  for (const [name, value] of Object.entries(all)) response.setHeader(name, value)
  response.statusCode = status
  if (method === 'HEAD' || chunks === undefined) response.end(bytes)
  else await pipeline(Readable.from(chunks), response, { signal })
}

function isChunks(body: unknown): body is AsyncIterable<string | Buffer> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body
}
