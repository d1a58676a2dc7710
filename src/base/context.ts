// The asynchronous context (AsyncLocalStorage) that a function of the user is called in.
import { AsyncResource } from 'node:async_hooks'

/** The context of a call, to return to later. */
export interface Context {
  runInAsyncScope<T, A extends unknown[]>(f: (...args: A) => T, self: undefined, ...args: A): T
}

/** Nobody waits for the end of a context. */
const ENDLESS = { requireManualDestroy: true }

/** The context of the present call. */
export function presentContext(): Context {
  return new AsyncResource('breakwater', ENDLESS)
}

/** The context in which this package was loaded: that of no request. */
const neutral = presentContext()

/** Calls `f` in the context of nobody: what it begins outlasts the present call. */
export function neutrally<T>(f: () => T): T {
  return neutral.runInAsyncScope(f, undefined)
}

/** `f`, called in the context of nobody: for what the native side calls. */
export function inNeutralContext<A extends unknown[]>(f: (...args: A) => void) {
  return (...args: A): void => neutral.runInAsyncScope(f, undefined, ...args)
}
