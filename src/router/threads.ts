// The worker threads of a router: started, replaced when one fails, restarted one by one, stopped.

import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { clearTimeout, now, setTimeout } from '../base/runtime.ts'
import type { Drain } from './drain.ts'
import type { Entrance } from './entrances.ts'
import type { NetTls } from './net.ts'
import type { DriverName } from './options.ts'
import { faultError } from './sockets.ts'
import type { ThreadCounts } from './status.ts'
import type { Assignment, News, Order } from './worker.ts'

/** How long a worker may take to end beyond the time that its clients have, in milliseconds. */
export const LEEWAY = 5000
/** A worker that fails this long after the last one is replaced at once. */
const CALM = 10_000
/** Otherwise it is replaced after so long, twice as long each time, up to the longest. */
const SHORTEST = 25
const LONGEST = 500

/** What threads need to know of their router. */
export interface Serving {
  /** Its number in the process. */
  router: number
  entrances: readonly Entrance[]
  driver: DriverName
  tls: NetTls | undefined
  /** How connections are ended, as it is now. */
  drain: () => Drain
  /**
   * Hears of each worker that fails, whose connections are lost and which is replaced, and of each bug
   * that cost less.
   */
  failed: (error: Error) => void
}

/** Worker threads that accept from the same entrances. */
export class Threads {
  /** Those that are to serve. */
  readonly #workers = new Set<Worker>()
  /** Done when those end that are to end. */
  readonly #ending = new Set<Promise<void>>()
  readonly #serving: Serving
  #driver: 'native' | 'net' | undefined
  #tls: NetTls | undefined
  #meets = false
  #stopping = false
  #restarting = false
  /** How many there are to be. */
  #wanted = 0
  /** Workers that were replaced since they failed. */
  #replaced = 0
  /** How many failed soon after each other, and when the last one did. */
  #failures = 0
  #failedAt = Number.NEGATIVE_INFINITY

  constructor(serving: Serving) {
    this.#serving = serving
    this.#tls = serving.tls
  }

  /** Which driver the workers use; `undefined` before one of them listens. */
  get driver(): 'native' | 'net' | undefined {
    return this.#driver
  }

  /** How many there are. */
  counts(): ThreadCounts {
    return {
      wanted: this.#wanted,
      serving: this.#workers.size,
      ending: this.#ending.size,
      replaced: this.#replaced,
      restarting: this.#restarting,
    }
  }

  /** Has so many workers serve; done when all of them listen, and ends those that are too many. */
  async resize(count: number): Promise<void> {
    this.#wanted = count
    const missing = Math.max(0, count - this.#workers.size)
    await Promise.all(Array.from({ length: missing }, () => this.#start()))
    for (const worker of [...this.#workers].slice(count)) this.#end(worker)
  }

  /** Puts a new worker in the place of each, one after the other: the old one ends once the new one serves. */
  async restart(): Promise<void> {
    this.#restarting = true
    try {
      await this.#restart()
    } finally {
      this.#restarting = false
    }
  }

  async #restart(): Promise<void> {
    for (const worker of [...this.#workers]) {
      // One that failed meanwhile has been replaced.
      if (this.#stopping || !this.#workers.has(worker)) continue
      try {
        await this.#start()
      } catch (error) {
        this.#fill()
        throw error
      }
      await this.#end(worker)
    }
  }

  /** Has every worker answer what it received and end. */
  async stop(): Promise<void> {
    this.#stopping = true
    // Whoever comes now is refused, rather than left to wait for nobody.
    for (const entrance of this.#serving.entrances) entrance.close()
    for (const worker of [...this.#workers]) this.#end(worker)
    await Promise.all(this.#ending)
  }

  /** Has all workers, and those to come, meet clients this way from now on. */
  setTls(tls: NetTls): void {
    this.#tls = tls
    for (const worker of this.#workers) worker.postMessage({ kind: 'tls', tls } satisfies Order)
  }

  /** Has all workers, and those to come, meet the store before a client needs that. */
  meet(): void {
    this.#meets = true
    for (const worker of this.#workers) worker.postMessage({ kind: 'meet' } satisfies Order)
  }

  #start(): Promise<void> {
    const { router, entrances, driver } = this.#serving
    const assignment: Assignment = {
      router,
      shares: entrances.map(entrance => entrance.share()),
      driver,
      tls: this.#tls,
      meets: this.#meets,
    }
    const file = new URL(`./worker${extname(import.meta.url)}`, import.meta.url)
    const worker = new Worker(file, { workerData: assignment, name: 'breakwater-router' })
    this.#workers.add(worker)
    let [listening, failure] = [false, new Error('a worker thread of the router ended')]
    worker.once('error', error => {
      failure = error as Error
    })
    return new Promise((resolve, reject) => {
      worker.on('message', (news: News) => {
        if (news.kind === 'fault') return this.#serving.failed(faultError(news.fault))
        listening = true
        this.#driver = news.driver
        resolve()
      })
      worker.once('exit', () => {
        const isWanted = this.#workers.delete(worker)
        // Before it listened, whoever started it decides what to do.
        if (!listening) reject(failure)
        else if (isWanted) this.#replace(failure)
      })
    })
  }

  #replace(failure: Error): void {
    this.#serving.failed(failure)
    if (this.#stopping) return
    this.#replaced++
    setTimeout(() => this.#fill(), this.#pause())
  }

  /** Starts a worker if one is missing: a restart may have done so already. */
  #fill(): void {
    if (this.#stopping || this.#workers.size >= this.#wanted) return
    this.#start().catch(error => this.#replace(error as Error))
  }

  /** How long to wait before a worker that failed is replaced. */
  #pause(): number {
    const calm = now() - this.#failedAt > CALM
    this.#failedAt = now()
    this.#failures = calm ? 0 : this.#failures + 1
    return calm ? 0 : Math.min(SHORTEST * 2 ** (this.#failures - 1), LONGEST)
  }

  /** Has a worker answer what it received and end, and ends it if it takes too long. */
  #end(worker: Worker): Promise<void> {
    if (!this.#workers.delete(worker)) return Promise.resolve()
    const drain = this.#serving.drain()
    const ended = new Promise<void>(resolve => {
      const limit = drain.over + drain.within + LEEWAY
      const timer = setTimeout(() => worker.terminate(), limit)
      worker.once('exit', () => {
        clearTimeout(timer)
        resolve()
      })
      worker.postMessage({ kind: 'stop', drain } satisfies Order)
    })
    this.#ending.add(ended)
    return ended.finally(() => this.#ending.delete(ended))
  }
}
