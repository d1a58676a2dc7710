// What the tests of OpenTelemetry share: the real SDK, its results by names.
import { metrics } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricProducer,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import type { ExecutionContext } from 'ava'
import type { CacheOptions } from '../../src/index.ts'

/** The built package, whose threads run; its name leads elsewhere beside packages of their own. */
export const { Cache } = (await import(
  '../../dist/index.js' as string
)) as typeof import('../../src/index.ts')
export const { createRouter } = (await import(
  '../../dist/router/index.js' as string
)) as typeof import('../../src/router/index.ts')
export const { metricProducer, registerMetrics, registerSpans } = (await import(
  '../../dist/opentelemetry/index.js' as string
)) as typeof import('../../src/opentelemetry/index.ts')

let names = 0

/** A cache of texts that nobody else has. */
export function cached(t: ExecutionContext, options: CacheOptions<string, string> = {}) {
  const name = `otel-${process.pid}-${names++}`
  const cache = new Cache<string, string>({ name, max: 100, ...options })
  t.teardown(() => cache.close())
  return { cache, name }
}

/** A value, by the name of its metric and its attributes. */
export type Values = Map<string, number | { count: number; sum: number }>

/** A meter of the real SDK, and what it has collected. */
export function metered(t: ExecutionContext, metricProducers: MetricProducer[] = []) {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, metricProducers })
  const provider = new MeterProvider({ readers: [reader] })
  t.teardown(() => provider.shutdown())
  const collect = async () => {
    exporter.reset()
    await provider.forceFlush()
    return exporter.getMetrics().flatMap(({ scopeMetrics }) => {
      return scopeMetrics.flatMap(scope => scope.metrics)
    })
  }
  const values = async (): Promise<Values> =>
    new Map(
      (await collect()).flatMap(({ descriptor, dataPoints }) =>
        dataPoints.map(({ attributes, value }) => {
          const labels = Object.values(attributes).join(',')
          return [`${descriptor.name}{${labels}}`, value as number] as const
        }),
      ),
    )
  return { meter: provider.getMeter('test'), provider, collect, values }
}

/** A meter of an application that set no SDK up. */
export const idleMeter = metrics.getMeter('nobody')
