// What a worker does once it serves, whether it is a thread or a process: what it is told, and what it
// tells.
import { queueMicrotask, setImmediate } from '../base/runtime.ts'
import { FaultCost } from '../native/router.ts'
import type { Edition, News, Order } from './messages.ts'
import { type Fault, faultError, type ThreadDriver } from './sockets.ts'

/** How a worker speaks with its router. */
export interface Line {
  tell(news: News): void
  /** Hears all orders, those too that came before. */
  hear(told: (order: Order) => void): void
  /** Ends the worker, once everything has been told. */
  leave(): void
}

/** A driver, and what a worker has to do about it when the configuration changes. */
export interface Work {
  driver: 'native' | 'net'
  served: ThreadDriver
  reload(edition: Edition): void | Promise<void>
}

/** Tells that clients are served, and does what is asked, until the end. */
export function work(line: Line, { driver, served, reload }: Work): void {
  line.tell({ kind: 'listening', driver })
  line.hear(order => {
    if (order.kind === 'meet') return served.meet()
    const done = order.kind === 'stop' ? stop(order.drain) : take(order.edition)
    // A worker that cannot go on fails, and is replaced.
    done.catch(raise)
  })
  const stop = async (drain: Parameters<ThreadDriver['drain']>[0]) => {
    await served.drain(drain)
    line.leave()
  }
  const take = async (edition: Edition) => {
    await reload(edition)
    line.tell({ kind: 'reloaded' })
  }
}

/** Tells of bugs. Without a driver the worker fails, and is replaced. */
export function tellFaults(line: Line): (fault: Fault) => void {
  return fault => {
    if (fault.cost === FaultCost.driver) setImmediate(() => fail(faultError(fault)))
    else line.tell({ kind: 'fault', fault })
  }
}

/** Ends the worker by an error, whoever awaits what. */
export function raise(error: unknown): void {
  queueMicrotask(() => fail(error))
}

function fail(error: unknown): never {
  throw error
}
