// A trace in native memory: read from a file, simulated, measured.
import { binding } from '../native/native.ts'

/** The formats of traces, each of which may be compressed by gzip or zstd. */
export const formats = ['lines', 'csv', 'u32', 'lis', 'oracleGeneral'] as const
/** One of {@link formats}. */
export type Format = (typeof formats)[number]

/** The policies that can be simulated, in the order in which they are shown. */
export const simulated = ['lru', 'lfu', 'sieve', 's3-fifo', 'arc', 'w-tinylfu', 'optimum'] as const
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
   * Reads at most so many requests of a file.
   * @throws TraceError `ERR_TRACE`: it cannot be read, does not have the format, or is empty.
   */
  static async read(file: string, format: Format, most: number): Promise<Trace> {
    const number = binding.openTrace()
    try {
      const [requests, keys, sizes, times, bytes] = await binding.readTrace(
        number,
        file,
        format,
        most,
      )
      return new Trace(number, requests, keys, sizes === 1, times === 1, bytes)
    } catch (error) {
      binding.closeTrace(number)
      throw error
    }
  }

  /** Runs all plans, so many at a time. */
  async simulate(plans: readonly Plan[], threads: number): Promise<Outcome[]> {
    const flat = plans.flatMap(({ policy, capacity, inBytes, ttl, nodes, random }) => [
      policy,
      capacity,
      Number(inBytes),
      ttl ?? 0,
      nodes,
      Number(random),
    ])
    const told = await binding.simulateTrace(this.number, flat, threads)
    return plans.map((_, at) => {
      const [requests, hits, expired, bytes, hitBytes] = told.slice(at * 5, at * 5 + 5) as [
        number,
        number,
        number,
        number,
        number,
      ]
      return { requests, hits, expired, bytes, hitBytes }
    })
  }

  /** The hit ratio of LRU at each of some capacities, measured on this share of the keys. */
  curve(rate: number, inBytes: boolean, capacities: readonly number[]): Promise<number[]> {
    return binding.curveOfTrace(this.number, rate, Number(inBytes), capacities)
  }

  /** Frees its memory. */
  close(): void {
    binding.closeTrace(this.number)
  }
}
