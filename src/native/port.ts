// The memory that an instance and the native side share: crates/node/src/cache/port.rs knows it as well.
import { binding, type Stored } from './native.ts'

/** The fields, 8 bytes each. */
export const HITS = 0
export const DEADLINE = 1
export const VERSION = 2
export const HASH = 3
export const LENGTH = 4
export const STAMPED = 5
/** What `getWithState` found: one of `State`. */
export const STATE = 6
/** Milliseconds until the end of a value that `getWithState` found; of a stale one, since its end. */
export const LEFT = 7
/** Milliseconds that loading it took. */
export const COST = 8
/** From here on: the log of copies that were used. */
export const LOG = 16
export const RECORDS = 64

/** What `getWithState` finds. */
export const State = {
  NOTHING: 0,
  FRESH: 1,
  /** Fresh, and to be loaded anew soon. */
  EARLY: 2,
  STALE: 3,
  /** The last load gave `undefined`. */
  UNDEFINED: 4,
  /** The last load gave `null`. */
  NULL: 5,
  /** The last load failed: the value is its error as text. */
  ERROR: 6,
} as const

/** As `getWithState` of the binding. */
export type GetWithState = (at: number, key: string | number | Uint8Array) => Stored | undefined

/** An instance's port, and the function that fills it. */
export function openPort(at: number): {
  port: Float64Array
  getWithState: GetWithState
} {
  const memory = binding.openPort(at)
  if (memory !== undefined)
    return { port: new Float64Array(memory), getWithState: binding.getWithState }
  // Some runtimes (Electron) take no memory from outside: what is found is copied.
  const port = new Float64Array(LOG)
  const area = new Uint8Array(port.buffer)
  return { port, getWithState: (at, key) => binding.getWithStateInto(at, key, area) }
}
