// What all errors of this package have in common, whichever copy of it made them.

import './platform.ts'

/** Marks the errors of this package, whichever copy of it made them. */
const BRAND: unique symbol = Symbol.for('breakwater.error') as never

/** What all errors of this package are. Match on `code`: texts may change, codes do not. */
export class BreakwaterError extends Error {
  /** Says what went wrong; never changes between versions. */
  readonly code: string

  /** The code of all errors of a class. */
  static readonly code: string | undefined = undefined

  /**
   * An error that another copy of this package made is an instance as well, whichever module
   * registry or realm it was made in: all have a brand and their class's code.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: the class that is asked for, which may be another
    return isInstance(this, value)
  }

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true })
  }

  /** @internal */
  get [BRAND](): true {
    return true
  }
}

/** Marks an error as one of this package: it came from another thread, as text. */
export function adopt(error: Error): void {
  Object.defineProperty(error, BRAND, { value: true })
}

/**
 * Whether a value is an error of this package, whichever copy of it made it.
 *
 * @example
 * ```ts
 * import { Cache, isBreakwaterError } from 'breakwater'
 *
 * try {
 *   new Cache({ max: -1 })
 * } catch (error) {
 *   assert.ok(isBreakwaterError(error) && error.code === 'ERR_INVALID_OPTION')
 * }
 * ```
 */
export function isBreakwaterError(value: unknown): value is BreakwaterError {
  return typeof value === 'object' && value !== null && BRAND in value
}

/** Whether the class made the value, in this copy of the package or in another. */
function isInstance(type: typeof BreakwaterError, value: unknown): boolean {
  if (Function.prototype[Symbol.hasInstance].call(type, value)) return true
  if (!isBreakwaterError(value)) return false
  // A class that a user derived has no code of its own, and is known by its prototype alone.
  return type === BreakwaterError || (Object.hasOwn(type, 'code') && value.code === type.code)
}
