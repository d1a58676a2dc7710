// How a node begins with what is read most, and keeps for the next one what it reads most itself.
import { now } from '../base/runtime.ts'
import { type Cancel, timersOf } from '../base/timers.ts'
import { readHot, writeHot } from './hot-file.ts'
import { askHot } from './hot-peer.ts'
import { opened, sealed } from './hot-reads.ts'
import type { CheckedWarm } from './warm.ts'

/** How long a file system may take that holds up the end of the node, in milliseconds. */
const LAST = 5000

/** What a node has begun with. */
export interface Begun {
  /** The reads that it was told of; `undefined` if it was told of none. */
  reads?: Uint8Array
  /** Whether it has made all of them before its time was over. */
  whole?: boolean
  /** In milliseconds. */
  took: number
  /** What was wrong, if anything was. */
  why?: Error
}

/** The node that begins. */
interface Beginner {
  /** What it reads most. */
  hottest(): Promise<Uint8Array | undefined>
  /** Has it read this of its store, for so many milliseconds at most; whether it has read all. */
  warm(reads: Uint8Array, within: number): Promise<boolean>
  /** Hears what it has begun with. */
  began(from: string, begun: Begun): void
  /** Hears that the file cannot be written. */
  failed(path: string, error: Error): void
}

export class WarmStart {
  readonly #node: Beginner
  #warm: CheckedWarm | undefined
  #cancel: Cancel = () => {}
  /** What is written now; never rejects. */
  #saving: Promise<void> = Promise.resolve()
  /** While it begins. */
  #beginning: AbortController | undefined
  #isClosing = false
  #failed = false

  constructor(node: Beginner) {
    this.#node = node
  }

  /** Whether the node is not warm yet. */
  get isBeginning(): boolean {
    return this.#beginning !== undefined
  }

  /** Begins; done within the budget, or when the node closes. Never rejects: a cold start is one as well. */
  async begin(warm: CheckedWarm | undefined): Promise<void> {
    if (warm === undefined || this.#isClosing) return
    const from = 'path' in warm.from ? warm.from.path : warm.from.peer.name
    const beginning = new AbortController()
    this.#beginning = beginning
    const { signal } = beginning
    const start = now()
    const took = () => Math.round(now() - start)
    try {
      const reads = await this.#take(warm, signal)
      if (reads === undefined) return this.#node.began(from, { took: took() })
      const whole = await until(signal, this.#node.warm(reads, Math.max(0, warm.budget - took())))
      this.#node.began(from, { reads, whole, took: took() })
    } catch (why) {
      if (!this.#isClosing) this.#node.began(from, { took: took(), why: why as Error })
    } finally {
      this.#beginning = undefined
    }
  }

  /** The reads to begin with, within the budget; `undefined` where none have been kept yet. */
  async #take(warm: CheckedWarm, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { from, tokenFile, budget } = warm
    const late = new Error(`no answer in ${budget} ms`)
    const cancel = timersOf(undefined).after(budget, () => this.#beginning?.abort(late), true)
    try {
      const taken = 'path' in from ? readHot(from.path) : askHot(from.peer, tokenFile, signal)
      const bytes = await until(signal, taken)
      return bytes && opened(bytes)
    } finally {
      cancel()
    }
  }

  /** From now on it is kept as these say. */
  keep(warm: CheckedWarm | undefined): void {
    this.#cancel()
    this.#warm = warm
    if (warm === undefined || !('path' in warm.from) || this.#isClosing) return
    this.#cancel = timersOf(undefined).after(warm.every, () => {
      this.#save().then(() => this.#warm === warm && this.keep(warm))
    })
  }

  /** The node is to close: nothing is begun any more. */
  end(): void {
    this.#isClosing = true
    this.#beginning?.abort()
  }

  /** Keeps it for the last time, if that does not take too long. */
  async close(): Promise<void> {
    this.end()
    this.#cancel()
    const over = new AbortController()
    const cancel = timersOf(undefined).after(LAST, () => over.abort(), true)
    await until(over.signal, this.#save()).catch(() => {})
    cancel()
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

/** What is waited for until `signal` aborts: then it rejects. */
function until<T>(signal: AbortSignal, awaited: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = () => reject(signal.reason)
    if (signal.aborted) give()
    else signal.addEventListener('abort', give, { once: true })
    awaited.then(resolve, reject).finally(() => signal.removeEventListener('abort', give))
  })
}
