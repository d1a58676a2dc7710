// What a cache has and a shared one has not: fields that cannot be changed.
import { defaultPerf } from '../options.ts'
import type { Milliseconds, Perf, Size } from '../types.ts'

/** Each is as in a cache that was not given the option, or as the engine does it anyhow. */
export class Unshared {
  get maxSize(): Size {
    return 0
  }

  get maxEntrySize(): Size {
    return 0
  }

  get sizeCalculation(): never {
    return undefined as never
  }

  get backgroundFetchSize(): number {
    return 1
  }

  get perf(): Perf {
    return defaultPerf
  }

  get ttlResolution(): Milliseconds {
    return 1
  }

  /** The engine removes entries when their time is over. */
  get ttlAutopurge(): boolean {
    return true
  }

  get dispose(): undefined {
    return undefined
  }

  get disposeAfter(): undefined {
    return undefined
  }

  get onInsert(): undefined {
    return undefined
  }

  get noDisposeOnSet(): boolean {
    return false
  }

  get allowStale(): boolean {
    return false
  }

  get noDeleteOnStaleGet(): boolean {
    return false
  }

  get allowStaleOnFetchAbort(): boolean {
    return false
  }

  /** A fetch that fails leaves what is there. */
  get noDeleteOnFetchRejection(): boolean {
    return true
  }

  get [Symbol.toStringTag](): string {
    return 'LRUCache'
  }
}
