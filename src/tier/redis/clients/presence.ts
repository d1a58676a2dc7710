// Whether the user's client is open. One listener a client serves all caches over it: many would make
// Node.js warn of a leak.
import { inNeutralContext } from '../../../base/context.ts'
import type { Cancel } from '../../../base/timers.ts'
import type { Client } from './client.ts'

/** Who wants to know of one client, and how to stop listening to it. */
interface Watch {
  readonly told: Set<() => void>
  readonly cancel: Cancel
}

const watches = new WeakMap<object, Watch>()

/** Calls `f` whenever a client may have been opened or closed, until it is cancelled. */
export function onPresence(client: Client, f: () => void): Cancel {
  const watch = watches.get(client.of) ?? begin(client)
  watch.told.add(f)
  return () => {
    watch.told.delete(f)
    if (watch.told.size > 0 || watches.get(client.of) !== watch) return
    watches.delete(client.of)
    watch.cancel()
  }
}

function begin(client: Client): Watch {
  const told = new Set<() => void>()
  // Connections that are made since outlast the call that opened the client.
  const tell = inNeutralContext(() => {
    for (const f of told) f()
  })
  const cancel = client.onState(tell)
  const watch = { told, cancel }
  watches.set(client.of, watch)
  return watch
}
