// Metrics as observable instruments: a meter reads them when it collects.
import { InvalidOptionError } from '../base/errors.ts'
import { labelsOf, type Metric } from '../metrics/metric.ts'
import { type Sources, watchSources } from '../metrics/sources.ts'
import { instrumentOf } from './names.ts'

/** A meter of OpenTelemetry, as `metrics.getMeter('my-service')` gives. */
export interface Meter {
  createObservableCounter(name: string, options: InstrumentOptions): unknown
  createObservableGauge(name: string, options: InstrumentOptions): unknown
  addBatchObservableCallback(callback: never, instruments: never[]): void
  removeBatchObservableCallback(callback: never, instruments: never[]): void
}

interface InstrumentOptions {
  description: string
  unit: string
}

interface Result {
  observe(instrument: unknown, value: number, attributes: Record<string, string>): void
}

/** What a metric is told by: a histogram by two, since no instrument takes one that is counted already. */
interface Instruments {
  readonly value?: unknown
  readonly count?: unknown
  readonly sum?: unknown
}

/**
 * Has a meter of OpenTelemetry observe the metrics of caches and nodes: all of `docs/metrics.md`. They
 * are read when it collects. Of a histogram it observes how many there were, as `.count`, and their sum;
 * {@link metricProducer} gives the whole.
 *
 * @returns a function that ends that.
 * @throws InvalidOptionError (`ERR_INVALID_OPTION`): no meter, or a cache without a name
 *
 * @example
 * ```ts
 * import { metrics } from '@opentelemetry/api'
 * import { Cache } from 'breakwater'
 * import { registerMetrics } from 'breakwater/opentelemetry'
 *
 * const pages = new Cache({ name: 'observed pages', max: 100 })
 * const stop = registerMetrics(metrics.getMeter('my-service'), { caches: [pages] })
 * stop()
 * await pages.close()
 * ```
 */
export function registerMetrics(meter: Meter, sources: Sources): () => void {
  if (typeof (meter as Partial<Meter> | null)?.addBatchObservableCallback !== 'function') {
    throw new InvalidOptionError('meter', meter, 'a meter of @opentelemetry/api')
  }
  const watched = watchSources(sources)
  const known = new Map(
    watched.readAll().map(({ metric }) => [metric, instrumentsOf(meter, metric)] as const),
  )
  const observe = (result: Result) => {
    for (const { metric, samples } of watched.readAll()) {
      const { value, count, sum } = known.get(metric) as Instruments
      for (const sample of samples) {
        const labels = labelsOf(metric, sample)
        if (typeof sample.value === 'number') {
          result.observe(value, sample.value, labels)
        } else {
          result.observe(count, countOf(sample.value.counts), labels)
          result.observe(sum, sample.value.sum, labels)
        }
      }
    }
  }
  const all = [...known.values()].flatMap(each => Object.values(each)) as never[]
  meter.addBatchObservableCallback(observe as never, all)
  return () => {
    meter.removeBatchObservableCallback(observe as never, all)
    watched.stop()
  }
}

function instrumentsOf(meter: Meter, metric: Metric<never>): Instruments {
  const { name, unit } = instrumentOf(metric)
  const description = metric.help
  if (metric.type === 'histogram') {
    return {
      count: meter.createObservableCounter(`${name}.count`, { description, unit: '' }),
      sum: meter.createObservableCounter(`${name}.sum`, { description, unit }),
    }
  }
  const options = { description, unit }
  return metric.type === 'counter'
    ? { value: meter.createObservableCounter(name, options) }
    : { value: meter.createObservableGauge(name, options) }
}

/** How many a histogram has. */
export function countOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}
