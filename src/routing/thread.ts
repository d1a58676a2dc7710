// A worker thread of a pool: loads the module of the tasks, and does them.
import { parentPort, workerData } from 'node:worker_threads'
import { inNeutralContext } from '../base/context.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { fromText, toText } from '../base/failure.ts'
import { queueMicrotask } from '../base/runtime.ts'
import type { Answer, Assignment, Order } from './pool/messages.ts'
import { resultOf } from './pool/transfer.ts'
import type { TaskContext, TaskHandler } from './pool/types.ts'

const { file, worker, data } = workerData as Assignment
const port = parentPort as NonNullable<typeof parentPort>

/** What a module of tasks exports. */
interface TaskModule {
  default?: TaskHandler<unknown, unknown> | { default?: TaskHandler<unknown, unknown> }
  close?: () => unknown
}

/** A task under way. Its signal is made when it is asked for. */
class Context implements TaskContext {
  readonly key: string
  readonly worker = worker
  readonly data = data
  #controller: AbortController | undefined
  #reason: { readonly error: unknown } | undefined

  constructor(key: string) {
    this.key = key
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#reason) this.#controller.abort(this.#reason.error)
    return this.#controller.signal
  }

  abort(error: unknown): void {
    this.#reason = { error }
    this.#controller?.abort(error)
  }
}

const underWay = new Map<number, Context>()

import(file)
  .then(serve)
  // The worker fails with it.
  .catch(error => queueMicrotask(() => raise(error)))

function raise(error: unknown): never {
  throw error
}

/** Does tasks until the end is asked for. */
function serve(module: TaskModule): void {
  const handler = handlerOf(module)
  const obey = (order: Order): void => {
    if (order.kind === 'do') void perform(handler, order.id, order.key, order.task)
    else if (order.kind === 'abort') underWay.get(order.id)?.abort(fromText(order.reason))
    else if (order.kind === 'ping') answer({ kind: 'alive' })
    else void end(module)
  }
  port.on('message', inNeutralContext(obey))
  answer({ kind: 'ready' })
}

/** The function of a module; of one of CommonJS as well, whatever compiled it. */
function handlerOf({ default: exported }: TaskModule): TaskHandler<unknown, unknown> {
  const found = typeof exported === 'object' ? exported?.default : exported
  if (typeof found === 'function') return found
  throw new InvalidOptionError('file', file, 'a module whose default export is a function')
}

async function perform(
  handler: TaskHandler<unknown, unknown>,
  id: number,
  key: string,
  task: unknown,
): Promise<void> {
  const context = new Context(key)
  underWay.set(id, context)
  try {
    const { value, transfer } = resultOf(await handler(task, context))
    answer({ kind: 'done', id, value }, transfer)
  } catch (error) {
    answer({ kind: 'failed', id, error: toText(error) })
  } finally {
    underWay.delete(id)
  }
}

function answer(what: Answer, transfer: readonly object[] = []): void {
  port.postMessage(what, transfer as never)
}

/** Lets the module close what it has open, and ends. */
async function end(module: TaskModule): Promise<void> {
  try {
    await module.close?.()
  } finally {
    process.exit(0)
  }
}
