// What the tests of the admin entrance share: requests, as strangers and as friends send them.
import { type IncomingHttpHeaders, request } from 'node:http'
import { text } from 'node:stream/consumers'
import type { RouterStats, RouterStatus } from '../../src/router/index.ts'

/** What replies may have in JSON: each has some of it. */
export interface Answer extends RouterStatus {
  process: number
  stats: RouterStats
  changed: string[]
  error: { code: string; message: string }
}

/** A reply. */
export interface Reply {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** As JSON. */
  json: Answer
}

/** What to ask. */
export interface Ask {
  method?: string
  headers?: Record<string, string>
  body?: string
  token?: string
}

/** Asks an entrance, by its address as it says it. */
export function ask(address: string, path: string, asked: Ask = {}): Promise<Reply> {
  const { method = 'GET', headers = {}, body, token } = asked
  const at = address.startsWith('unix:')
    ? { socketPath: address.slice('unix:'.length) }
    : { host: new URL(`http://${address}`).hostname.replace(/[[\]]/g, ''), port: portOf(address) }
  const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return new Promise((resolve, reject) => {
    const sent = request({ ...at, path, method, headers: { ...bearer, ...headers }, agent: false })
    sent.once('error', reject)
    sent.once('response', async response => {
      try {
        const all = await text(response)
        const { statusCode: status = 0, headers } = response
        const isJson = headers['content-type'] === 'application/json' && all !== ''
        resolve({ status, headers, text: all, json: isJson ? JSON.parse(all) : {} })
      } catch (error) {
        reject(error)
      }
    })
    sent.end(body)
  })
}

/** The port of an address. */
export function portOf(address: string): number {
  return Number(/:(\d+)$/.exec(address)?.[1])
}
