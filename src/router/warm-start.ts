// How a node begins with what is read most, and keeps for the next one what it reads most itself.
import { now } from '../base/runtime.ts'
import { type Cancel, timersOf } from '../base/timers.ts'
import { readHot, writeHot } from './hot-file.ts'
import { askHot } from './hot-peer.ts'
import { opened, sealed } from './hot-reads.ts'
import type { CheckedWarm } from './warm.ts'

/** The node that begins. */
interface Beginner {
  /** What it reads most. */
  hottest(): Promise<Uint8Array | undefined>
  /** Has it read this of its store, for so many milliseconds at most. */
  warm(reads: Uint8Array, within: number): Promise<void>
  /** Hears that it has begun with so much, or without anything. */
  began(from: string, begun: { reads?: Uint8Array; took: number; why?: Error | undefined }): void
  /** Hears that the file cannot be written. */
  failed(path: string, error: Error): void
}

export class WarmStart {
  readonly #node: Beginner
  readonly #closing = new AbortController()
  #warm: CheckedWarm | undefined
  #cancel: Cancel = () => {}
  /** What is written now; never rejects. */
  #saving: Promise<void> = Promise.resolve()
  #isBeginning = false
  #failed = false

  constructor(node: Beginner) {
    this.#node = node
  }

  /** Whether the node is not warm yet. */
  get isBeginning(): boolean {
    return this.#isBeginning
  }

  /** Begins; done within the budget, or when the node closes. Never rejects: a cold start is one as well. */
  async begin(warm: CheckedWarm | undefined): Promise<void> {
    if (warm === undefined) return
    const from = 'path' in warm.from ? warm.from.path : warm.from.peer.origin
    this.#isBeginning = true
    const over = new AbortController()
    const cancel = timersOf(undefined).after(warm.budget, () => over.abort(), true)
    const signal = AbortSignal.any([over.signal, this.#closing.signal])
    const start = now()
    const took = () => Math.round(now() - start)
    try {
      const reads = await until(signal, take(warm, signal))
      if (reads === undefined) return this.#node.began(from, { took: took() })
      const within = Math.max(0, warm.budget - (now() - start))
      // What is left of the budget is kept where it is read.
      await until(this.#closing.signal, this.#node.warm(reads, within))
      this.#node.began(from, { reads, took: took() })
    } catch (error) {
      const why = over.signal.aborted ? new Error(`no answer in ${warm.budget} ms`) : error
      if (!this.#closing.signal.aborted) {
        this.#node.began(from, { took: took(), why: why as Error })
      }
    } finally {
      cancel()
      this.#isBeginning = false
    }
  }

  /** From now on it is kept as these say. */
  keep(warm: CheckedWarm | undefined): void {
    this.#cancel()
    this.#warm = warm
    if (warm === undefined || !('path' in warm.from) || this.#closing.signal.aborted) return
    this.#cancel = timersOf(undefined).after(warm.every, () => {
      this.#save().then(() => this.#warm === warm && this.keep(warm))
    })
  }

  /** The node is to close: nothing is begun any more. */
  end(): void {
    this.#closing.abort()
  }

  /** Keeps it for the last time. */
  async close(): Promise<void> {
    this.end()
    this.#cancel()
    await this.#save()
    this.#warm = undefined
  }

  #save(): Promise<void> {
    const { from } = this.#warm ?? {}
    if (from === undefined || !('path' in from)) return this.#saving
    this.#saving = this.#saving
      .then(() => this.#write(from.path))
      .then(
        () => {
          this.#failed = false
        },
        error => {
          if (!this.#failed) this.#node.failed(from.path, error as Error)
          this.#failed = true
        },
      )
    return this.#saving
  }

  /** A node that has read nothing leaves what others have kept. */
  async #write(path: string): Promise<void> {
    const reads = await this.#node.hottest()
    if (reads !== undefined && reads.length > 0) await writeHot(path, sealed(reads))
  }
}

/** The reads to begin with; `undefined` where none have been kept yet. */
async function take(
  { from, tokenFile }: CheckedWarm,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const bytes =
    'path' in from ? await readHot(from.path) : await askHot(from.peer, tokenFile, signal)
  return bytes && opened(bytes)
}

/** What is waited for until `signal` aborts: then it rejects. */
function until<T>(signal: AbortSignal, awaited: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = () => reject(signal.reason)
    if (signal.aborted) give()
    else signal.addEventListener('abort', give, { once: true })
    awaited.then(resolve, reject).finally(() => signal.removeEventListener('abort', give))
  })
}
