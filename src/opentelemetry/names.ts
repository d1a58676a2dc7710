// What OpenTelemetry calls the metrics of the catalogue: it has units beside names, where Prometheus has
// them in names. Who translates one to the other ends at the same names.
import type { MetricInfo } from '../metrics/metric.ts'

const UNITS: Record<string, string> = { seconds: 's', bytes: 'By', ratio: '1' }

/** The name and the unit of a metric. */
export function instrumentOf({ name }: MetricInfo): { name: string; unit: string } {
  const words = name.replace(/_total$/, '').split('_')
  const unit = UNITS[words.at(-1) ?? '']
  if (unit !== undefined) words.pop()
  const [product, kind, ...rest] = words
  return { name: `${product}.${kind}.${rest.join('_')}`, unit: unit ?? '' }
}
