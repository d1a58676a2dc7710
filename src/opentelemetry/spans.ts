// Spans of what a read waits for: the read, its load, and what that asks the second tier. The loader is
// called within the span of its load, so that what it asks carries the trace on.
import { tracingChannel } from 'node:diagnostics_channel'
import { checkFlag, checkShape } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { reasonOf } from '../base/thrown.ts'
import type { FetchTrace, LoadTrace, TierTrace } from '../events/tracing.ts'

/** A tracer of OpenTelemetry, as `trace.getTracer('my-service')` gives. */
export interface Tracer {
  startActiveSpan(name: string, options: object, call: (span: never) => never): unknown
}

/** What spans tell. */
export interface SpansOptions {
  /** Whether they tell keys, which may name people; `false` if left out. */
  keys?: boolean | undefined
}

interface Span {
  setAttribute(name: string, value: string | boolean): unknown
  addLink(link: { context: unknown }): unknown
  recordException(error: Error | string): void
  setStatus(status: { code: number; message?: string }): unknown
  spanContext(): unknown
  end(): void
}

type Trace = FetchTrace | LoadTrace | TierTrace

/** What is told of a trace. */
interface Told<T extends Trace> {
  /** Beside the name of its cache. */
  name(trace: T): string
  attributes(trace: T): Record<string, string>
  /** Told when it ends. */
  ends?(trace: T, span: Span): void
}

/** `SpanStatusCode.ERROR`. */
const ERROR = 2

/**
 * Traces what reads of all caches of this thread wait for: a span `fetch` for each read that is not answered
 * at once, a span `load` below the one that began it, which the others link to, and spans of what that asks
 * the second tier. They are below the span that is active where the read was called; the loader is called
 * within its span. A read that the cache answers has no span. Without this, nothing is traced.
 *
 * @returns a function that ends that.
 * @throws InvalidOptionError (`ERR_INVALID_OPTION`): no tracer, or an option that cannot be
 *
 * @example
 * ```ts
 * import { trace } from '@opentelemetry/api'
 * import { Cache } from 'breakwater'
 * import { registerSpans } from 'breakwater/opentelemetry'
 *
 * const stop = registerSpans(trace.getTracer('my-service'))
 * const pages = new Cache({ name: 'traced pages', max: 100, loader: async (path: string) => `page ${path}` })
 * assert.equal(await pages.fetch('/'), 'page /') // with spans `fetch traced pages` and `load traced pages`
 * stop()
 * await pages.close()
 * ```
 */
export function registerSpans(tracer: Tracer, options: SpansOptions = {}): () => void {
  if (typeof (tracer as Partial<Tracer> | null)?.startActiveSpan !== 'function') {
    throw new InvalidOptionError('tracer', tracer, 'a tracer of @opentelemetry/api')
  }
  const { keys = false } = checkShape('options', options, ['keys'])
  checkFlag('keys', keys)
  const keyOf = ({ key }: FetchTrace | LoadTrace) =>
    keys ? { 'breakwater.key': textOf(key) } : undefined
  const spans: Spans = new WeakMap()
  const stops = [
    follow<FetchTrace>(tracer, 'fetch', spans, {
      name: () => 'fetch',
      attributes: trace => ({ ...keyOf(trace) }),
      ends({ coalesced, load }, span) {
        span.setAttribute('breakwater.coalesced', coalesced)
        const leader = coalesced && load !== undefined ? spans.get(load) : undefined
        if (leader !== undefined) span.addLink({ context: leader.spanContext() })
      },
    }),
    follow<LoadTrace>(tracer, 'load', spans, {
      name: () => 'load',
      attributes: trace => ({ 'breakwater.reason': trace.reason, ...keyOf(trace) }),
    }),
    follow<TierTrace>(tracer, 'tier', spans, {
      name: ({ operation }) => `tier ${operation}`,
      attributes: ({ operation }) => ({ 'breakwater.operation': operation }),
    }),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}

/** The spans of what is traced. */
type Spans = WeakMap<object, Span>

/** Makes a span of all that a channel traces. */
function follow<T extends Trace>(
  tracer: Tracer,
  channel: string,
  spans: Spans,
  told: Told<T>,
): () => void {
  const subscribers = {
    start(trace: T) {
      const { within, cache } = trace
      const name = cache === undefined ? told.name(trace) : `${told.name(trace)} ${cache}`
      const named = cache === undefined ? {} : { 'breakwater.cache': cache }
      const attributes = { ...named, ...told.attributes(trace) }
      trace.within = call => {
        const traced = (span: Span) => {
          spans.set(trace, span)
          return within === undefined ? call() : within(call)
        }
        return tracer.startActiveSpan(name, { attributes }, traced as never) as never
      }
    },
    error(trace: T) {
      const message = reasonOf(trace.error)
      spans.get(trace)?.recordException(trace.error instanceof Error ? trace.error : message)
      spans.get(trace)?.setStatus({ code: ERROR, message })
    },
    asyncEnd(trace: T) {
      const span = spans.get(trace)
      if (span === undefined) return
      told.ends?.(trace, span)
      span.end()
    },
  }
  const traces = tracingChannel<string, T>(`breakwater:${channel}`)
  traces.subscribe(subscribers as never)
  return () => void traces.unsubscribe(subscribers as never)
}

/** A key as an attribute: bytes in hexadecimal. */
function textOf(key: unknown): string {
  return key instanceof Uint8Array ? Buffer.from(key).toString('hex') : String(key)
}
