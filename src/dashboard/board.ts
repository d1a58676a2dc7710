// A dashboard, whoever serves it: what is replied to each request, once it is known that it may be.
import { randomUUID } from 'node:crypto'
import { type AdminReply, Refusal } from '../admin/route.ts'
import { dateNow, now, timeOrigin } from '../base/runtime.ts'
import { version } from '../base/version.ts'
import { act, BadAction, checkAction } from './actions.ts'
import { HEADERS } from './assets.ts'
import type { Hello, Moment, Sample } from './frames.ts'
import { sendRemovals } from './removals.ts'
import { KEEPS, Sampler } from './sampler.ts'
import type { Source } from './source.ts'
import { type Sending, stream } from './stream.ts'

/** The most viewers at once. */
const MOST_VIEWERS = 100
/** The most moments that a viewer is owed. */
const MOST_OWED = 200
const OF_STREAMS = {
  ...HEADERS,
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
}

/** What is replied. */
export class Board {
  readonly #sources: readonly Source[]
  readonly #sampler: Sampler
  /** Another one after each start of the process. */
  readonly #boot = randomUUID()
  #viewers = 0

  constructor(sources: readonly Source[], every: number) {
    this.#sources = sources
    this.#sampler = new Sampler(sources, every)
  }

  /** The stream of figures. */
  events(mayAct: boolean, signal: AbortSignal): AdminReply {
    if (this.#viewers >= MOST_VIEWERS) {
      return new Refusal(503, 'BUSY', `${MOST_VIEWERS} viewers watch already`).reply()
    }
    const body = stream(signal, to => {
      this.#viewers++
      to.send('hello', this.#hello(mayAct))
      const stop = this.#sampler.watch(viewer(to))
      return () => {
        this.#viewers--
        stop()
      }
    })
    return { headers: OF_STREAMS, body }
  }

  /** The stream of a source's removals. */
  removals(id: string | null, signal: AbortSignal): AdminReply {
    const source = this.#sources.find(({ shape }) => shape.id === id)
    const listen = source?.removals?.bind(source)
    if (listen === undefined) {
      return new Refusal(404, 'NOT_FOUND', 'this source does not tell what leaves').reply()
    }
    return { headers: OF_STREAMS, body: stream(signal, to => sendRemovals(listen, to)) }
  }

  /** Does what is asked. */
  async act(body: unknown): Promise<AdminReply> {
    try {
      const action = checkAction(body)
      const outcome = await act(this.#sources, action)
      if (outcome.ok && action.action !== 'inspect' && !outcome.isTold) {
        const { source, text = '' } = action
        const of = text === '' ? '' : ` ${text.slice(0, 64)}`
        const said = `Dashboard: ${action.action}${of}. ${outcome.text}`
        this.#sampler.tell({ at: dateNow(), source, level: 'info', text: said })
      }
      return { headers: HEADERS, body: outcome }
    } catch (error) {
      if (!(error instanceof BadAction)) throw error
      return new Refusal(400, 'ACTION', error.message).reply()
    }
  }

  #hello(mayAct: boolean): Hello {
    const past = this.#sources.map(({ shape: { id } }) => [id, this.#sampler.past(id)] as const)
    return {
      boot: this.#boot,
      version: version(),
      pid: process.pid,
      startedAt: Math.round(timeOrigin + now() - process.uptime() * 1000),
      every: this.#sampler.every,
      keeps: KEEPS,
      mayAct,
      shapes: this.#sources.map(({ shape }) => shape),
      past: Object.fromEntries(past),
      moments: this.#sampler.moments,
    }
  }
}

/** Sends samples; one that a viewer is too slow for is left out, and what happened told later. */
function viewer(to: Sending): (sample: Sample) => void {
  let owed: Moment[] = []
  return sample => {
    const moments = [...owed, ...sample.moments]
    owed = to.isBehind ? moments.slice(-MOST_OWED) : []
    if (!to.isBehind) to.send('sample', { ...sample, moments })
  }
}
