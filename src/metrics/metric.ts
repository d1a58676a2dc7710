// What a metric is: its row of the catalogue, and how it is read.

/** A row of the catalogue. */
export interface MetricInfo {
  /** Its name, as Prometheus has it: its unit stands at its end. */
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** What it means. */
  readonly help: string
  /** The names of its labels. Their values are names of caches, nodes, routes and stores: never keys. */
  readonly labels: readonly string[]
}

/** One value of a metric, of one set of labels. */
export interface Sample {
  /** The values of its labels, in their order; without that of the source. */
  readonly labels: readonly string[]
  readonly value: number | Distribution
}

/** What a histogram has: counts of times by powers of two of microseconds. */
export interface Distribution {
  /** How many took less than 1 µs, then from 1 to 2 µs, from 2 to 4 µs and so on. */
  readonly counts: readonly number[]
  /** How long all of them took together, in seconds. */
  readonly sum: number
}

/** A metric that is read of a source, whose name is its first label. */
export interface Metric<S> extends MetricInfo {
  read(source: S): Sample[]
}

/** The upper bounds of the buckets of a histogram, in seconds. The last one has none. */
export const BOUNDS: readonly number[] = Array.from({ length: 27 }, (_, power) => 2 ** power / 1e6)

/** A metric with the label of its source and these others. */
export function metric<S>(
  type: MetricInfo['type'],
  name: string,
  help: string,
  labels: readonly string[],
  read: (source: S) => Sample[],
): Metric<S> {
  return { type, name, help, labels, read }
}

/** One value, unless there is none. */
export function one(value: number | Distribution | undefined, ...labels: string[]): Sample[] {
  return value === undefined ? [] : [{ labels, value }]
}

/** A value for each name. */
export function each(values: Record<string, number | Distribution>): Sample[] {
  return Object.entries(values).map(([name, value]) => ({ labels: [name], value }))
}

/** The labels of a sample by their names: those of the source come first. */
export function labelsOf(
  { labels }: MetricInfo,
  { labels: values }: Sample,
): Record<string, string> {
  return Object.fromEntries(labels.map((name, at) => [name, values[at] ?? '']))
}
