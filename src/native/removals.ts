// Takes removals from the native side to whoever listens.
import { report } from '../base/report.ts'
import type { RemovalReason } from '../base/types.ts'

/** An instance that listens: gets the key, the value as the native side gives it, and why. */
export type Receiver = (key: unknown, stored: unknown, reason: RemovalReason) => void

/** By their numbers. Weak, so that a cache that is forgotten is collected although it listens. */
export type Receivers = Map<number, WeakRef<Receiver>>

/** By the engine's numbers. */
const reasons: readonly RemovalReason[] = ['evicted', 'expired', 'deleted', 'replaced', 'cleared']

/** Hands on `[number, key, value, reason]` of each removal, flat. Throws nothing. */
export function deliver(receivers: Receivers, removals: unknown[]): void {
  for (let i = 0; i < removals.length; i += 4) {
    const id = removals[i] as number
    const receiver = receivers.get(id)?.deref()
    if (receiver === undefined) {
      receivers.delete(id)
      continue
    }
    const reason = reasons[removals[i + 3] as number] as RemovalReason
    try {
      receiver(removals[i + 1], removals[i + 2], reason)
    } catch (error) {
      report(error)
    }
  }
}
