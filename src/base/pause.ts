// Waiting for a time, or until a signal says that there is no use in it any more.
import type { Awaited } from './awaited.ts'
import type { Timers } from './timers.ts'

/**
 * Resolves after `ms`, or at once when the signal aborts: look which it was.
 *
 * @param keeps - whether the process stays alive for it, or who may wait for it.
 */
export function pause(
  timers: Timers,
  ms: number,
  signal?: AbortSignal,
  keeps: boolean | Awaited = true,
): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve()
    const end = () => {
      cancel()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const cancel = timers.after(ms, end, keeps)
    signal?.addEventListener('abort', end)
  })
}
