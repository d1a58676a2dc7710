// A trace in native memory: read from a file, simulated, measured.
import { binding } from '../native/native.ts'
import { type Told, watched } from './progress.ts'

/** The formats of traces, each of which may be compressed by gzip or zstd. */
export const formats = ['lines', 'csv', 'u32', 'lis', 'oracleGeneral'] as const
/** One of {@link formats}. */
export type Format = (typeof formats)[number]

/** The policies that can be simulated, in the order in which they are shown. */
export const simulated = [
  'lru',
  'lfu',
  'auto',
  'auto-bytes',
  'sieve',
  's3-fifo',
  'arc',
  'w-tinylfu',
  'optimum',
] as const
/** One of {@link simulated}. */
export type Simulated = (typeof simulated)[number]

/** What is to be simulated. */
export interface Plan {
  readonly policy: Simulated
  /** What the cache of each node may hold: entries, or bytes. */
  readonly capacity: number
  readonly inBytes: boolean
  /** Milliseconds after which a value is loaded again. */
  readonly ttl: number | undefined
  readonly nodes: number
  /** Whether a request goes to any node, and not to that of its key. */
  readonly random: boolean
}

/** What came of it. */
export interface Outcome {
  readonly requests: number
  readonly hits: number
  /** Requests whose value was there, and too old. */
  readonly expired: number
  readonly bytes: number
  readonly hitBytes: number
}

/** What LRU would answer with a capacity. */
export interface Point {
  readonly capacity: number
  /** From 0 to 1. */
  readonly hitRatio: number
  /** Its standard error; 0 if all keys were measured. */
  readonly error: number
}

/** The format that a file's name tells: `lines`, if it tells none. */
export function formatOf(file: string): Format {
  const name = file.replace(/\.(gz|zstd?)$/i, '')
  if (/oracleGeneral/i.test(name)) return 'oracleGeneral'
  const end = /\.(csv|u32|lis)$/i.exec(name)?.[1]?.toLowerCase()
  return (end as Format | undefined) ?? 'lines'
}

/** A trace that was read. */
export class Trace {
  private constructor(
    readonly number: number,
    readonly requests: number,
    /** How many keys there are. */
    readonly keys: number,
    readonly hasSizes: boolean,
    readonly hasTimes: boolean,
    /** The bytes of the values of all keys; their number, if the trace has no sizes. */
    readonly bytes: number,
  ) {}

  /**
   * Reads at most so many requests of a file. `told` hears how many bytes of it were read.
   * @throws TraceError `ERR_TRACE`: it cannot be read, does not have the format, or is empty.
   */
  static async read(file: string, format: Format, most: number, told?: Told): Promise<Trace> {
    const number = binding.openTrace()
    try {
      const read = binding.readTrace(number, file, format, most)
      const [requests, keys, sizes, times, bytes] = await watched(number, read, told)
      return new Trace(number, requests, keys, sizes === 1, times === 1, bytes)
    } catch (error) {
      binding.closeTrace(number)
      throw error
    }
  }

  /** Runs all plans, so many at a time. `told` hears how many requests were run, of all plans. */
  async simulate(plans: readonly Plan[], threads: number, told?: Told): Promise<Outcome[]> {
    const flat = plans.flatMap(({ policy, capacity, inBytes, ttl, nodes, random }) => [
      policy,
      capacity,
      Number(inBytes),
      ttl ?? 0,
      nodes,
      Number(random),
    ])
    const simulated = binding.simulateTrace(this.number, flat, threads)
    const figures = await watched(this.number, simulated, told)
    return plans.map((_, at) => {
      const [requests, hits, expired, bytes, hitBytes] = figures.slice(at * 5, at * 5 + 5) as [
        number,
        number,
        number,
        number,
        number,
      ]
      return { requests, hits, expired, bytes, hitBytes }
    })
  }

  /** What LRU would answer at each of some capacities, measured on this share of the keys. */
  async curve(rate: number, inBytes: boolean, capacities: readonly number[]): Promise<Point[]> {
    const flat = await binding.curveOfTrace(this.number, rate, Number(inBytes), capacities)
    return capacities.map((capacity, at) => {
      const [hitRatio, error] = flat.slice(at * 2, at * 2 + 2) as [number, number]
      return { capacity, hitRatio, error }
    })
  }

  /** Frees its memory. */
  close(): void {
    binding.closeTrace(this.number)
  }
}
