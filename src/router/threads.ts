// The worker threads of a router: started, replaced when one fails, stopped.

import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { clearTimeout, setTimeout } from '../base/runtime.ts'
import type { Entrance } from './entrances.ts'
import type { NetTls } from './net.ts'
import type { DriverName } from './options.ts'
import { faultError } from './sockets.ts'
import type { Assignment, News, Order } from './worker.ts'

/** How long clients may take to accept their last replies, in milliseconds. */
const DRAIN = 5000
/** How long to wait before a worker that failed is replaced, in milliseconds. */
const PAUSE = 100

/** Worker threads that accept from the same entrances. */
export class Threads {
  readonly #workers = new Set<Worker>()
  readonly #router: number
  readonly #entrances: readonly Entrance[]
  readonly #wanted: DriverName
  readonly #failed: (error: Error) => void
  #driver: 'native' | 'net' | undefined
  #tls: NetTls | undefined
  #stopping = false

  /**
   * `failed` hears of each worker that fails, whose connections are lost and which is replaced, and of
   * each bug that cost less.
   */
  constructor(
    router: number,
    entrances: readonly Entrance[],
    driver: DriverName,
    tls: NetTls | undefined,
    failed: (error: Error) => void,
  ) {
    this.#router = router
    this.#entrances = entrances
    this.#tls = tls
    this.#wanted = driver
    this.#failed = failed
  }

  /** Which driver the workers use; `undefined` before one of them listens. */
  get driver(): 'native' | 'net' | undefined {
    return this.#driver
  }

  /** Starts so many workers; done when all of them listen. */
  async start(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#start()))
  }

  /** Has every worker answer what it received and end. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(Array.from(this.#workers, stop))
    for (const entrance of this.#entrances) entrance.close()
  }

  /** Has all workers, and those to come, meet clients this way from now on. */
  setTls(tls: NetTls): void {
    this.#tls = tls
    for (const worker of this.#workers) worker.postMessage({ kind: 'tls', tls } satisfies Order)
  }

  #start(): Promise<void> {
    const assignment: Assignment = {
      router: this.#router,
      shares: this.#entrances.map(entrance => entrance.share()),
      driver: this.#wanted,
      tls: this.#tls,
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
        if (news.kind === 'fault') return this.#failed(faultError(news.fault))
        listening = true
        this.#driver = news.driver
        resolve()
      })
      worker.once('exit', () => {
        this.#workers.delete(worker)
        // Before it listened, whoever started it decides what to do.
        if (!listening) reject(failure)
        else if (!this.#stopping) this.#replace(failure)
      })
    })
  }

  #replace(failure: Error): void {
    this.#failed(failure)
    if (this.#stopping) return
    setTimeout(() => {
      if (!this.#stopping) this.#start().catch(error => this.#replace(error as Error))
    }, PAUSE)
  }
}

/** Asks a worker to end, and ends it if it takes too long. */
function stop(worker: Worker): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(() => worker.terminate(), DRAIN)
    worker.once('exit', () => {
      clearTimeout(timer)
      resolve()
    })
    worker.postMessage({ kind: 'stop' } satisfies Order)
  })
}
