// Loads of single keys, gathered into batches.

import { types } from 'node:util'
import { Awaited, type Held } from '../base/awaited.ts'
import { checkCount, checkDuration, checkShape, needFunction } from '../base/checks.ts'
import { type Context, presentContext } from '../base/context.ts'
import { article } from '../base/describe.ts'
import { BatchResultError } from '../base/errors.ts'
import { nextTick, queueMicrotask } from '../base/runtime.ts'
import type { Cancel, Timers } from '../base/timers.ts'
import type { CacheKey, Duration } from '../base/types.ts'

/** What a batch loader is told besides the keys. */
export interface BatchContext {
  /** Aborts when nobody waits for any key of the batch any more. */
  readonly signal: AbortSignal
}

/**
 * Loads many keys at once. Gives an array with a place for each key, in their order, or a `Map` of
 * those that it found (by the keys as they were given: bytes are found only by the same object). In
 * both an `Error` fails its key alone, and `undefined` says that there is no value.
 */
export type BatchLoader<K, V> = (
  keys: readonly K[],
  context: BatchContext,
) => PromiseLike<BatchResult<V>> | BatchResult<V>

/** What a batch loader gives. */
export type BatchResult<V> =
  | readonly (V | undefined | Error)[]
  | ReadonlyMap<CacheKey, V | undefined | Error>

/** How loads are gathered. */
export interface BatchOptions {
  /** The most keys in a batch, which goes out at once when it has them; 100 if left out. */
  maxBatch?: number | undefined
  /**
   * When a batch goes out that is not full: at the end of the tick (`'tick'`, if left out), or so
   * long after its first key.
   */
  when?: 'tick' | Duration | undefined
}

/** Checks how loads are gathered and fills in what was left out. */
export function checkBatch(
  given: BatchOptions | undefined,
  option = 'batch',
): { maxBatch: number; delay: 'tick' | number } {
  const { maxBatch = 100, when = 'tick' } = checkShape(option, given, ['maxBatch', 'when'])
  return {
    maxBatch: checkCount(`${option}.maxBatch`, maxBatch),
    delay: when === 'tick' ? 'tick' : checkDuration(`${option}.when`, when),
  }
}

/** A load that waits for a key; it hears whether somebody waits for it in turn. */
interface Caller<V> extends Held {
  readonly context: Context
  resolve: (value: V | undefined) => void
  reject: (error: unknown) => void
}

interface Batch<K, V> {
  /** Who waits for each key. A key of which all have left before the batch went is not asked for. */
  readonly callers: Map<K, Set<Caller<V>>>
  readonly controller: AbortController
  /** Those of its callers for which somebody waits. */
  readonly wanted: Set<Caller<V>>
  /** Whether there are such. */
  readonly awaited: Awaited
  /** Takes it back as long as it has not gone out. */
  cancel: Cancel
}

/** Gathers the loads of one isolate. */
export class Batcher<K, V> {
  readonly #loader: BatchLoader<K, V>
  readonly #maxBatch: number
  readonly #delay: 'tick' | number
  readonly #timers: Timers
  /** The one that takes keys. */
  #open: Batch<K, V> | undefined

  constructor(loader: BatchLoader<K, V>, options: BatchOptions | undefined, timers: Timers) {
    const { maxBatch, delay } = checkBatch(options)
    this.#loader = needFunction('batchLoader', loader)
    this.#maxBatch = maxBatch
    this.#delay = delay
    this.#timers = timers
  }

  /**
   * Loads a key with the batch that is being gathered. Two loads of a key in one batch are one.
   *
   * @param signal - lets this caller leave: the load fails with its reason.
   * @param awaited - whether anybody waits for it; somebody does if left out.
   * @throws BatchResultError (`ERR_BATCH_RESULT`), or what the batch loader throws.
   */
  load(key: K, signal?: AbortSignal, awaited = new Awaited(true)): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      this.#open ??= this.#begin()
      const batch = this.#open
      const abort = () => {
        reject(signal?.reason)
        this.#leave(batch, key, caller)
      }
      const settled = () => {
        awaited.letGo(caller)
        signal?.removeEventListener('abort', abort)
      }
      const caller: Caller<V> = {
        context: presentContext(),
        ref: () => want(batch, caller, true),
        unref: () => want(batch, caller, false),
        resolve: value => {
          settled()
          resolve(value)
        },
        reject: error => {
          settled()
          reject(error)
        },
      }
      signal?.addEventListener('abort', abort, { once: true })
      want(batch, caller, awaited.isOn)
      awaited.hold(caller)
      const callers = batch.callers.get(key)
      if (callers) callers.add(caller)
      else batch.callers.set(key, new Set([caller]))
      if (batch.callers.size >= this.#maxBatch) this.#send(batch)
    })
  }

  #begin(): Batch<K, V> {
    const batch: Batch<K, V> = {
      callers: new Map(),
      controller: new AbortController(),
      wanted: new Set(),
      awaited: new Awaited(),
      cancel: () => {},
    }
    batch.cancel =
      this.#delay === 'tick'
        ? atEndOfTick(() => this.#send(batch))
        : this.#timers.after(this.#delay, () => this.#send(batch), batch.awaited)
    return batch
  }

  /** A caller waits no longer. */
  #leave(batch: Batch<K, V>, key: K, caller: Caller<V>): void {
    const callers = batch.callers.get(key)
    want(batch, caller, false)
    callers?.delete(caller)
    if (callers?.size === 0) batch.callers.delete(key)
    if (batch.callers.size > 0) return
    if (this.#open === batch) this.#close(batch)
    else batch.controller.abort()
  }

  /** The batch takes no more keys. */
  #close(batch: Batch<K, V>): void {
    batch.cancel()
    if (this.#open === batch) this.#open = undefined
  }

  async #send(batch: Batch<K, V>): Promise<void> {
    this.#close(batch)
    const { callers, controller } = batch
    const keys = [...callers.keys()]
    const [first] = [...callers.values()][0] ?? []
    const load = () => this.#loader(keys, { signal: controller.signal })
    try {
      const result = await first!.context.runInAsyncScope(load, undefined)
      const find = finder(keys, result)
      for (const [i, key] of keys.entries()) settle(callers.get(key), find(key, i))
    } catch (error) {
      for (const each of callers.values()) for (const caller of each) caller.reject(error)
    }
  }
}

/** Whether somebody waits for a load: then the process waits for the batch. */
function want<K, V>(batch: Batch<K, V>, caller: Caller<V>, isWanted: boolean): void {
  if (isWanted) batch.wanted.add(caller)
  else batch.wanted.delete(caller)
  batch.awaited.isOn = batch.wanted.size > 0
}

/** Looks up what a batch loader gave for a key. */
function finder<K, V>(keys: readonly K[], result: BatchResult<V>) {
  if (types.isMap(result)) return (key: K) => result.get(key as CacheKey) as V | undefined | Error
  if (!Array.isArray(result)) throw new BatchResultError(keys.length, nameOf(result))
  if (result.length !== keys.length) {
    throw new BatchResultError(keys.length, `an array of ${result.length}`)
  }
  return (_: K, place: number) => result[place] as V | undefined | Error
}

function settle<V>(callers: Set<Caller<V>> | undefined, value: V | undefined | Error): void {
  for (const caller of callers ?? []) {
    if (value instanceof Error || types.isNativeError(value)) caller.reject(value)
    else caller.resolve(value)
  }
}

function nameOf(value: unknown): string {
  return article(value === null ? 'null' : typeof value)
}

/**
 * Calls `f` when all promises that settle in this tick have been followed: functions of `nextTick`
 * run before the queue of promise jobs, but those that such a job adds run when it is empty. Callers
 * that come to their loads over a few `await`s still share a batch, and nothing waits for I/O.
 */
function atEndOfTick(f: () => void): Cancel {
  let isCancelled = false
  queueMicrotask(() => {
    nextTick(() => {
      if (!isCancelled) f()
    })
  })
  return () => {
    isCancelled = true
  }
}
