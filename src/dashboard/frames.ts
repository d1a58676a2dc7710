// What travels between a dashboard and its viewers: shapes, samples and actions, as JSON.

/** What a figure is measured in, for whoever writes it. */
export type Unit = 'count' | 'rate' | 'bytes' | 'byteRate' | 'share' | 'ms'

/** A line of a chart. */
export interface Series {
  /** The column of the samples that it draws. */
  readonly column: string
  readonly label: string
  /** Its scale, if that is not the chart's: `'share'` has one of its own, from 0 to 100 %. */
  readonly unit?: Unit
}

/** A chart over time. */
export interface Chart {
  readonly id: string
  readonly title: string
  readonly unit: Unit
  readonly series: readonly Series[]
}

/** A figure at the top. */
export interface Gauge {
  readonly column: string
  readonly label: string
  readonly unit: Unit
  /** The column of which it is a part: shown as a bar. */
  readonly of?: string
}

/** A distribution over time: one row of cells a sample. */
export interface HeatMap {
  readonly title: string
  /** The upper end of each cell, in milliseconds; the last cell has no end. */
  readonly bounds: readonly number[]
}

/** How the cells of a column are written. */
export type Cell = Unit | 'text' | 'key' | 'state' | 'flag' | 'bar' | 'mode'

/** A column of a table. */
export interface Column {
  readonly id: string
  readonly label: string
  readonly cell: Cell
}

/** A table, whose rows each sample replaces. */
export interface TableShape {
  readonly id: string
  readonly title: string
  /** What stands where there are no rows. */
  readonly empty: string
  readonly columns: readonly Column[]
  /** The figure whose largest value over its mean is shown as imbalance. */
  readonly balance?: string
}

/** A key as it travels: its kind, and its text; the bytes of a key that is none are in base64. */
export interface KeyText {
  readonly kind: 'string' | 'number' | 'bytes'
  readonly text: string
  /** Whether `text` has the beginning alone: nothing can be done to such a key from here. */
  readonly cut?: boolean
}

export type Value = string | number | boolean | null | KeyText

/** The rows of a table: values in the order of its columns. */
export interface Rows {
  readonly rows: readonly (readonly Value[])[]
  /** How many rows there are beyond these. */
  readonly more: number
}

/** Something that happened, for the timeline. */
export interface Moment {
  /** Unix milliseconds. */
  readonly at: number
  readonly source: string
  /** A `note` is not marked in charts. */
  readonly level: 'note' | 'info' | 'good' | 'warn' | 'bad'
  readonly text: string
}

/** What can be asked of a source. */
export type ActionName =
  | 'inspect'
  | 'invalidate'
  | 'invalidatePrefix'
  | 'invalidateTag'
  | 'flush'
  | 'pin'
  | 'unpin'
  | 'route'
  | 'restart'
  | 'drain'

/** A source: what it shows, and what can be done to it. */
export interface Shape {
  readonly id: string
  readonly name: string
  readonly kind: 'cache' | 'node'
  /** The columns of its samples. */
  readonly columns: readonly string[]
  readonly gauges: readonly Gauge[]
  readonly charts: readonly Chart[]
  readonly heat?: HeatMap
  readonly tables: readonly TableShape[]
  readonly actions: readonly ActionName[]
  /** What its stream of what leaves is called; there is none, if it is left out. */
  readonly removals?: string
}

/** What a source has to say once. */
export interface Look {
  /** In the order of {@link Shape.columns}; `null` where nothing is known. */
  readonly values: readonly (number | null)[]
  readonly heat?: readonly number[]
  readonly tables: Readonly<Record<string, Rows>>
  /** What is in force: names and values. */
  readonly about: readonly (readonly [name: string, value: string])[]
  /** What stands beside its name: whether it serves. */
  readonly state: 'up' | 'degraded' | 'down'
  readonly stateText: string
}

/** One moment of all sources. */
export interface Sample {
  /** Unix milliseconds. */
  readonly at: number
  readonly looks: Readonly<Record<string, Look>>
  readonly moments: readonly Moment[]
}

/** The past of a source: for each sample its values and cells. */
export interface Past {
  readonly at: readonly number[]
  readonly values: readonly (readonly (number | null)[])[]
  readonly heat: readonly (readonly number[] | null)[]
}

/** What a viewer is told first. */
export interface Hello {
  /** Another one after each start of the process. */
  readonly boot: string
  readonly version: string
  readonly pid: number
  readonly startedAt: number
  /** Milliseconds between two samples. */
  readonly every: number
  /** For how many milliseconds the past is kept. */
  readonly keeps: number
  /** Whether this viewer may act. */
  readonly mayAct: boolean
  readonly shapes: readonly Shape[]
  readonly past: Readonly<Record<string, Past>>
  readonly moments: readonly Moment[]
}

/** A removal, for the stream of them. */
export interface Removal {
  readonly at: number
  readonly key: KeyText
  readonly reason: string
}

/** Removals of a short while, the first of them; `counts` has all, by their route or how they begin. */
export interface Removals {
  readonly removals: readonly Removal[]
  /** How many were not told since there were too many. */
  readonly more: number
  readonly counts: readonly (readonly [of: string, count: number])[]
}

/** What a viewer asks for. */
export interface Action {
  readonly source: string
  readonly action: ActionName
  readonly key?: KeyText
  /** A prefix, a tag, or the `match` of a route. */
  readonly text?: string
  readonly mode?: 'off' | 'shadow' | 'on'
}

/** What came of it. */
export interface Outcome {
  readonly ok: boolean
  readonly text: string
  /** Whether the source tells of it itself, for the timeline. */
  readonly isTold?: boolean
  /** What `inspect` found: names and values. */
  readonly facts?: readonly (readonly [string, string])[]
}
