// What a worker does once it serves, whether it is a thread or a process: what it is told, and what it
// tells.
import type { HookError } from '../base/errors.ts'
import { queueMicrotask, setImmediate } from '../base/runtime.ts'
import { FaultCost } from '../native/router.ts'
import type { CheckedHooks } from './hooks/define.ts'
import { type HookModule, hooksOf, type Refusal, refusalOf } from './hooks/module.ts'
import type { Edition, News, Order, Question } from './messages.ts'
import { type Fault, faultError, type NativeDriver, type ThreadDriver } from './sockets.ts'

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
  /** What has a say in requests. */
  hooks: CheckedHooks | undefined
  reload(edition: Edition): void | Promise<void>
  /** Reads of the store what is read most: see {@link NativeDriver.warm}. */
  warm?: NativeDriver['warm']
  /** Lets clients in, once it has read what is read most: without it they are let in already. */
  enter?(): void
  /** Answers what a process is asked. */
  answer?(question: Question): unknown
}

/** Tells that clients are served, and does what is asked, until the end. */
export function work(line: Line, how: Work): void {
  const { driver, served, reload, warm, answer } = how
  let { hooks, enter } = how
  line.tell(enter === undefined ? { kind: 'listening', driver } : { kind: 'cold' })
  const obey = async (order: Exclude<Order, { kind: 'meet' }>) => {
    switch (order.kind) {
      case 'prepare':
        return line.tell({ kind: 'prepared', refusal: await refusalFor(order.hooks) })
      case 'reload':
        await take(order.edition)
        return line.tell({ kind: 'reloaded' })
      case 'ask':
        return line.tell({ kind: 'answered', number: order.number, answer: await answer?.(order) })
      case 'warm':
        if (enter === undefined) {
          return line.tell({ kind: 'warmed', whole: (await warmed(order)) ?? false })
        }
        await warmed(order)
        enter()
        enter = undefined
        return line.tell({ kind: 'listening', driver })
      case 'stop':
        await served.drain(order.drain)
        return line.leave()
    }
  }
  const warmed = async ({ hot, within, behind }: Order & { kind: 'warm' }) =>
    hot && warm?.(hot, within, behind)
  const take = async (edition: Edition) => {
    const next = edition.hooks && (await hooksOf(edition.hooks))
    await reload(edition)
    if (next === hooks) return
    hooks = next
    served.setHooks(hooks)
  }
  line.hear(order => {
    if (order.kind === 'meet') return served.meet()
    // A worker that cannot go on fails, and is replaced.
    obey(order).catch(raise)
  })
}

/** Why hooks cannot be read, if they cannot. */
function refusalFor(hooks: HookModule): Promise<Refusal | undefined> {
  return hooksOf(hooks).then(() => undefined, refusalOf)
}

/** Reads the hooks of a worker before it serves, or tells why it cannot, and ends it. */
export async function hooksFor(
  line: Line,
  hooks: HookModule | undefined,
): Promise<CheckedHooks | undefined> {
  try {
    return hooks && (await hooksOf(hooks))
  } catch (error) {
    line.tell({ kind: 'refused', refusal: refusalOf(error) })
    line.leave()
    return new Promise(() => {})
  }
}

/** Tells of hooks that fail. */
export function tellHooks(line: Line): (error: HookError) => void {
  return ({ message }) => line.tell({ kind: 'hook', message })
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
