// What becomes of errors that no caller is to blame for.
import { nextTick } from './runtime.ts'
import { textOf } from './thrown.ts'

/** Makes an error of a listener an uncaught exception. */
export function report(error: unknown): void {
  nextTick(() => {
    throw error
  })
}

/** Calls a function of the user; what it throws is reported and stops nothing here. */
export function tell<A extends unknown[]>(f: (...args: A) => void, ...args: A): void {
  try {
    f(...args)
  } catch (error) {
    report(error)
  }
}

/** Tells the process of an error that nobody waits for, and goes on. */
export function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error(textOf(error)))
}
