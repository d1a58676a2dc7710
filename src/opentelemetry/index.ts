// `breakwater/opentelemetry`: the figures of caches and nodes as instruments, and what a read waits for
// as spans. The caller gives a meter and a tracer: nothing here imports a package of OpenTelemetry.
export type { Sources } from '../metrics/sources.ts'
export { type Meter, registerMetrics } from './instruments.ts'
export { metricProducer, type Producer } from './producer.ts'
export { registerSpans, type SpansOptions, type Tracer } from './spans.ts'
