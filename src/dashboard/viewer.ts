// One viewer: a reply that never ends, in which samples are written as server-sent events.
import type { ServerResponse } from 'node:http'
import { HEADERS } from './assets.ts'
import type { Moment, Sample } from './frames.ts'

/** A viewer's stream. */
export class Viewer {
  readonly #response: ServerResponse
  /** What happened while the viewer was too slow to be told. */
  #owed: Moment[] = []

  constructor(response: ServerResponse, ended: () => void) {
    this.#response = response
    response.on('close', ended)
    response.on('error', () => {})
    response.writeHead(200, {
      ...HEADERS,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
  }

  /** Tells of something. A viewer that has not taken what came before is told of it once. */
  send(event: string, data: unknown): void {
    this.#response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  /** Whether what was sent has yet to leave. */
  get isBehind(): boolean {
    return this.#response.writableNeedDrain
  }

  /** Sends a sample; it is left out if the viewer is behind. */
  see(sample: Sample): void {
    if (this.isBehind) {
      this.#owed = [...this.#owed, ...sample.moments].slice(-200)
      return
    }
    const moments = [...this.#owed, ...sample.moments]
    this.#owed = []
    this.send('sample', { ...sample, moments })
  }

  end(): void {
    this.#response.end()
  }
}
