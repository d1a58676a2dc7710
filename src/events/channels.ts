// The channels of node:diagnostics_channel that caches publish on, and who is told of their subscribers.
import { type Channel, channel } from 'node:diagnostics_channel'

/**
 * The channels, by event: `breakwater:hit` and so on. Held for good, so that a channel is the same
 * object whoever asks for it.
 */
export const channels = {
  hit: channel('breakwater:hit'),
  miss: channel('breakwater:miss'),
  stale: channel('breakwater:stale'),
  load: channel('breakwater:load'),
  coalesced: channel('breakwater:coalesced'),
  refresh: channel('breakwater:refresh'),
  evict: channel('breakwater:evict'),
  expire: channel('breakwater:expire'),
  breaker: channel('breakwater:breaker'),
  tier: channel('breakwater:tier'),
  tierCall: channel('breakwater:tierCall'),
  write: channel('breakwater:write'),
} as const satisfies Record<string, Channel>

/** Where a channel keeps who is told: one list for all copies of this package. */
const WATCHERS: unique symbol = Symbol.for('breakwater.watchers') as never

type Watched = Channel & { [WATCHERS]?: Set<() => void> }

/** Those who are told, by what keeps them. Weak, so that a cache that is forgotten is collected. */
const told = new Set<WeakRef<() => void>>()
const forget = new FinalizationRegistry<WeakRef<() => void>>(ref => told.delete(ref))

/**
 * Calls `changed` whenever somebody subscribes to a channel of hits or removals or ceases to, as long
 * as it is held elsewhere. Only while somebody does has the native side to tell of removals, and a near
 * copy of hits; all other events look at their channel when they are told.
 */
export function onSubscribers(changed: () => void): void {
  for (const each of [channels.hit, channels.evict, channels.expire]) watch(each)
  const ref = new WeakRef(changed)
  told.add(ref)
  forget.register(changed, ref)
}

function tellAll(): void {
  for (const ref of told) ref.deref()?.()
}

/** Node.js tells nobody of subscribers: the two methods of this one object do. */
function watch(watched: Watched): void {
  const watchers = watched[WATCHERS]
  if (watchers !== undefined) {
    watchers.add(tellAll)
    return
  }
  const all = new Set([tellAll])
  Object.defineProperty(watched, WATCHERS, { value: all })
  for (const method of ['subscribe', 'unsubscribe'] as const) {
    Object.defineProperty(watched, method, {
      configurable: true,
      writable: true,
      value(this: Watched, ...args: Parameters<Channel['subscribe']>) {
        // The prototype changes with the first subscriber and the last.
        const done = Object.getPrototypeOf(watched)[method].apply(watched, args)
        for (const tell of all) tell()
        return done
      },
    })
  }
}
