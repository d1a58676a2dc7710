// Metrics with whole histograms, as a reader of OpenTelemetry's SDK takes them from sources of its own.
import { dateNow } from '../base/runtime.ts'
import { version } from '../base/version.ts'
import { BOUNDS, type Distribution, labelsOf, type Metric, type Sample } from '../metrics/metric.ts'
import { type Sources, watchSources } from '../metrics/sources.ts'
import { countOf } from './instruments.ts'
import { instrumentOf } from './names.ts'

/** What a reader of metrics takes: its option `metricProducers`. */
export interface Producer {
  /** Everything that there is now, counted since the process began. */
  collect(): Promise<never>
  /** Watches the caches no more. */
  stop(): void
}

/** As the SDK has them in `DataPointType`. */
const POINTS = { histogram: 0, gauge: 2, counter: 3 } as const
/** `AggregationTemporality.CUMULATIVE`. */
const CUMULATIVE = 1
/** `ValueType.DOUBLE`. */
const DOUBLE = 1

/**
 * The metrics of caches and nodes, all of `docs/metrics.md`, for a reader of OpenTelemetry's SDK: with
 * the distributions of latencies, which no instrument can observe.
 *
 * @throws InvalidOptionError (`ERR_INVALID_OPTION`): a cache without a name
 *
 * @example
 * ```ts
 * import { AggregationTemporality, InMemoryMetricExporter } from '@opentelemetry/sdk-metrics'
 * import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
 * import { Cache } from 'breakwater'
 * import { metricProducer } from 'breakwater/opentelemetry'
 *
 * const pages = new Cache({ name: 'exported pages', max: 100, loader: (path: string) => `page ${path}` })
 * const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
 * const metricProducers = [metricProducer({ caches: [pages] })]
 * const reader = new PeriodicExportingMetricReader({ exporter, metricProducers })
 * const provider = new MeterProvider({ readers: [reader] })
 * await pages.fetch('/')
 * await provider.forceFlush()
 * const { metrics } = exporter.getMetrics()[0]!.scopeMetrics[0]!
 * const loads = metrics.find(({ descriptor }) => descriptor.name === 'breakwater.cache.loads')
 * assert.equal(loads?.dataPoints[0]?.value, 1)
 * await provider.shutdown()
 * await pages.close()
 * ```
 */
export function metricProducer(sources: Sources): Producer {
  const watched = watchSources(sources)
  const scope = { name: 'breakwater', version: version() }
  const startTime = timeOf(dateNow() - process.uptime() * 1_000)
  return {
    async collect() {
      const endTime = timeOf(dateNow())
      const metrics = watched
        .readAll()
        .filter(({ samples }) => samples.length > 0)
        .map(({ metric, samples }) => dataOf(metric, samples, startTime, endTime))
      const resourceMetrics = { resource: { attributes: {} }, scopeMetrics: [{ scope, metrics }] }
      return { resourceMetrics, errors: [] } as never
    },
    stop: () => watched.stop(),
  }
}

/** Seconds and nanoseconds. */
type Time = [number, number]

function timeOf(ms: number): Time {
  return [Math.floor(ms / 1_000), Math.round((ms % 1_000) * 1e6)]
}

/** A metric as the SDK has it: `MetricData`. */
function dataOf(metric: Metric<never>, samples: Sample[], startTime: Time, endTime: Time) {
  const { name, unit } = instrumentOf(metric)
  return {
    descriptor: { name, unit, description: metric.help, valueType: DOUBLE },
    aggregationTemporality: CUMULATIVE,
    dataPointType: POINTS[metric.type],
    isMonotonic: metric.type === 'counter',
    dataPoints: samples.map(sample => {
      const { value } = sample
      return {
        startTime,
        endTime,
        attributes: labelsOf(metric, sample),
        value: typeof value === 'number' ? value : histogramOf(value),
      }
    }),
  }
}

function histogramOf({ counts, sum }: Distribution) {
  const filled = Array.from({ length: BOUNDS.length + 1 }, (_, at) => counts[at] ?? 0)
  return { buckets: { boundaries: BOUNDS, counts: filled }, sum, count: countOf(filled) }
}
