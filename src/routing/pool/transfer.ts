// Results that a worker moves to whoever asked, instead of copying them.
import type { Transferable } from 'node:worker_threads'

const BRAND: unique symbol = Symbol.for('breakwater.transfer') as never

/** A value, and what of it is moved. */
export interface Transferred<T> {
  readonly value: T
  readonly transfer: readonly Transferable[]
}

/**
 * Has a task's result moved where it would be copied: what is in `transfer`, as an `ArrayBuffer`,
 * cannot be used any more by the worker.
 *
 * @example
 * ```ts
 * import { transfer } from 'breakwater/routing'
 *
 * export default function pixels(size: number) {
 *   const image = new Uint8Array(size)
 *   return transfer(image, [image.buffer])
 * }
 * ```
 */
export function transfer<T>(value: T, transfer: readonly Transferable[]): T {
  return { value, transfer, [BRAND]: true } as never
}

/** What a task gave, and what of it is to be moved. */
export function resultOf(given: unknown): Transferred<unknown> {
  const isMarked = typeof given === 'object' && given !== null && BRAND in given
  return isMarked ? (given as unknown as Transferred<unknown>) : { value: given, transfer: [] }
}
