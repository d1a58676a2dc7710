// Waiting for a time, or until a signal says that there is no use in it any more.
import type { Timers } from './timers.ts'

/** Resolves after `ms`, or at once when the signal aborts: look which it was. Keeps the process. */
export function pause(timers: Timers, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve()
    const end = () => {
      cancel()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const cancel = timers.after(ms, end, true)
    signal?.addEventListener('abort', end)
  })
}
