/** What V8's garbage collector costs meanwhile. */
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'

/** Pauses of the collector, in milliseconds. */
export interface Pauses {
  longest: number
  /** Full collections and scavenges together. */
  total: number
}

/** Watches the collector until it is asked for what it saw. */
export function watchCollector(): () => Promise<Pauses> {
  const pauses: Pauses = { longest: 0, total: 0 }
  const observer = new PerformanceObserver(list => {
    const entries = list.getEntries() as unknown as { duration: number; detail: { kind: number } }[]
    for (const { duration, detail } of entries) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_WEAKCB) continue
      pauses.total += duration
      pauses.longest = Math.max(pauses.longest, duration)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return async () => {
    await turn()
    observer.disconnect()
    return pauses
  }
}
