// `breakwater/metrics`: the figures of caches and nodes where teams already look.
import type { MetricInfo } from './metric.ts'
import { kinds } from './sources.ts'

export type { MetricInfo } from './metric.ts'
export { type MetricRegistry, registerMetrics } from './prometheus.ts'
export { metricsRoute } from './scrape.ts'
export type { Sources } from './sources.ts'

/** Every metric that caches and nodes have, as `docs/metrics.md` lists them. */
export const METRICS: readonly MetricInfo[] = kinds.flatMap(({ metrics }) =>
  metrics.map(({ name, type, help, labels }) => ({ name, type, help, labels })),
)
