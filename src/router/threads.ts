// Workers that are threads of this process: they share the router, and what it remembers.
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { needThreadDescriptors } from '../base/descriptors.ts'
import { type Entrance, giveBack, shareAll } from './entrances.ts'
import type { HookModule } from './hooks/module.ts'
import type { Edition } from './messages.ts'
import type { NetTls } from './net.ts'
import type { DriverName } from './options.ts'
import type { ThreadAssignment } from './thread.ts'
import type { Heard, Kind, Member } from './workers.ts'

/** What threads need to know of their router. */
interface Serving {
  /** Its number in the process. */
  router: number
  entrances: readonly Entrance[]
  driver: DriverName
  tls: NetTls | undefined
  hooks: HookModule | undefined
}

export class Threads implements Kind {
  readonly mode = 'threads'
  readonly #serving: Serving

  constructor(serving: Serving) {
    this.#serving = { ...serving }
  }

  start({ news, ended }: Heard): Member {
    const { router, entrances, driver, tls, hooks } = this.#serving
    const shares = shareAll(entrances)
    const taken = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
    const workerData: ThreadAssignment = { router, shares, taken, driver, tls, hooks }
    const file = new URL(`./thread${extname(import.meta.url)}`, import.meta.url)
    let worker: Worker
    try {
      needThreadDescriptors()
      worker = new Worker(file, { workerData, name: 'breakwater-router' })
    } catch (error) {
      giveBack(shares)
      throw error
    }
    let failure = new Error('a worker thread of the router ended')
    worker.once('error', error => {
      failure = error as Error
    })
    worker.on('message', news)
    worker.once('exit', () => {
      // It ended before it could begin.
      if (Atomics.load(taken, 0) === 0) giveBack(shares)
      ended(failure)
    })
    return {
      tell: order => worker.postMessage(order),
      kill: () => void worker.terminate(),
    }
  }

  take({ tls, hooks }: Edition): void {
    this.#serving.tls = tls
    this.#serving.hooks = hooks
  }
}
