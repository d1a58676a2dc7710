// What a cache tells of what it does: to its listeners, and to whoever subscribed to the channels of
// the process (node:diagnostics_channel).
import { type Channel, channel, tracingChannel } from 'node:diagnostics_channel'
import { needFunction } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { tell } from '../base/report.ts'
import type { RemovalReason } from '../base/types.ts'

/**
 * The events of a cache and what they tell. They carry keys, which may be of strangers or name
 * people: think before they go to a log. They come from the isolate that does a thing, whatever
 * others do with the same cache.
 */
export interface CacheEvents<K = unknown> {
  /** A read found a value that is fresh. */
  hit: { readonly key: K }
  /** A read found none. */
  miss: { readonly key: K }
  /** A value whose life had ended was given. */
  stale: {
    readonly key: K
    /** Milliseconds since its end, if known. */
    readonly age: number | undefined
    /** Why: it is loaded anew meanwhile, the load failed or took too long, or may not begin. */
    readonly reason: 'revalidate' | 'error' | 'timeout' | 'busy'
  }
  /** A load ended. */
  load: {
    readonly key: K
    /** What for: a read that found nothing, or a value that is loaded anew before it is missed. */
    readonly reason: 'miss' | 'refresh'
    /** Milliseconds. */
    readonly duration: number
    /** What it threw, if it failed: an object around it, since anything can be thrown. */
    readonly failed: { readonly error: unknown } | undefined
  }
  /** A read waits for a load that was under way. */
  coalesced: { readonly key: K }
  /** A value is being loaded anew in the background. */
  refresh: {
    readonly key: K
    /** Why: its end is near, it is past, or the key is hot. */
    readonly reason: 'early' | 'stale' | 'hot'
  }
  /** An entry left. */
  evict: { readonly key: K; readonly reason: RemovalReason }
  /** A breaker changed its state. */
  breaker: {
    readonly of: 'loader' | 'tier'
    readonly state: 'closed' | 'open' | 'half-open'
  }
  /** An operation of the tier failed and was passed over, or its news were lost or came back. */
  tier: {
    readonly state: 'failed' | 'lost' | 'regained'
    readonly operation: string | undefined
    readonly error: unknown
  }
  /** A batch or a single entry was written to the origin, or given up. */
  write: {
    readonly by: 'through' | 'behind'
    readonly keys: readonly K[]
    /** Milliseconds. */
    readonly duration: number
    readonly failed: { readonly error: unknown } | undefined
  }
}

/** The name of an event. */
export type CacheEventName = keyof CacheEvents

/** An event with the name of its cache. All who hear of it share the object. */
export type CacheEvent<E extends CacheEventName, K = unknown> = CacheEvents<K>[E] & {
  readonly cache: string | undefined
}

/**
 * Told of an event, within the call that caused it. What it throws is reported as an uncaught
 * exception and stops neither that call nor other listeners.
 */
export type CacheListener<E extends CacheEventName, K = unknown> = (event: CacheEvent<E, K>) => void

/** A load, as subscribers of the tracing channel see it. */
export interface LoadTrace {
  readonly cache: string | undefined
  readonly key: unknown
  readonly reason: 'miss' | 'refresh'
  /** What it gave, from `asyncStart` on. */
  result?: unknown
  /** What it threw, from `error` on. */
  error?: unknown
}

/**
 * The channels, by event: `breakwater:hit` and so on. Held for good, so that a channel is the same
 * object whoever asks for it.
 */
const channels: Readonly<Record<CacheEventName, Channel>> = {
  hit: channel('breakwater:hit'),
  miss: channel('breakwater:miss'),
  stale: channel('breakwater:stale'),
  load: channel('breakwater:load'),
  coalesced: channel('breakwater:coalesced'),
  refresh: channel('breakwater:refresh'),
  evict: channel('breakwater:evict'),
  breaker: channel('breakwater:breaker'),
  tier: channel('breakwater:tier'),
  write: channel('breakwater:write'),
}

/** `tracing:breakwater:load:start` and so on. */
const loads = tracingChannel<'breakwater:load', LoadTrace>('breakwater:load')

/** Whether anybody traces loads. Node.js 20 has no such field for all five before 20.13. */
function isTraced(): boolean {
  const { start, end, asyncStart, asyncEnd, error } = loads
  return (
    start.hasSubscribers ||
    end.hasSubscribers ||
    asyncStart.hasSubscribers ||
    asyncEnd.hasSubscribers ||
    error.hasSubscribers
  )
}

/** Runs a load, traced if anybody wants that. */
export function traceLoad<T>(load: () => Promise<T>, trace: LoadTrace): Promise<T> {
  return isTraced() ? loads.tracePromise(load, trace) : load()
}

/** One event of one cache. */
export class Topic<E extends CacheEventName, K> {
  /** Never changed: who is called now does not depend on what listeners add and take away. */
  #listeners: readonly CacheListener<E, K>[] = []
  readonly #channel: Channel
  readonly #cache: string | undefined

  constructor(event: E, cache: string | undefined) {
    this.#channel = channels[event]
    this.#cache = cache
  }

  /**
   * Whether anybody would hear of it: look before you make what {@link Topic.emit} takes. Asked of
   * the channel each time, since it tells nobody when somebody subscribes; that is a field too.
   */
  get isHeard(): boolean {
    return this.#listeners.length > 0 || this.#channel.hasSubscribers
  }

  /** Whether the cache itself has listeners: those the channel has do not count. */
  get hasListeners(): boolean {
    return this.#listeners.length > 0
  }

  /** Adds a listener; the result takes it away. */
  add(listener: CacheListener<E, K>): () => void {
    // A function of its own, so that the same listener can be added twice.
    const own: CacheListener<E, K> = event => listener(event)
    this.#listeners = [...this.#listeners, own]
    return () => {
      this.#listeners = this.#listeners.filter(each => each !== own)
    }
  }

  /** Tells all who listen. */
  emit(details: CacheEvents<K>[E]): void {
    const event: CacheEvent<E, K> = { cache: this.#cache, ...details }
    for (const listener of this.#listeners) tell(listener, event)
    if (this.#channel.hasSubscribers) this.#channel.publish(event)
  }

  /** Takes all listeners away. */
  clear(): void {
    this.#listeners = []
  }
}

type Topics<K> = { readonly [E in CacheEventName]: Topic<E, K> }

/** The events of one cache: `if (events.hit.isHeard) events.hit.emit({ key })`. */
export class Events<K> implements Topics<K> {
  readonly hit: Topic<'hit', K>
  readonly miss: Topic<'miss', K>
  readonly stale: Topic<'stale', K>
  readonly load: Topic<'load', K>
  readonly coalesced: Topic<'coalesced', K>
  readonly refresh: Topic<'refresh', K>
  readonly evict: Topic<'evict', K>
  readonly breaker: Topic<'breaker', K>
  readonly tier: Topic<'tier', K>
  readonly write: Topic<'write', K>

  /** @param cache - the cache's name, which each event tells. */
  constructor(cache: string | undefined) {
    this.hit = new Topic('hit', cache)
    this.miss = new Topic('miss', cache)
    this.stale = new Topic('stale', cache)
    this.load = new Topic('load', cache)
    this.coalesced = new Topic('coalesced', cache)
    this.refresh = new Topic('refresh', cache)
    this.evict = new Topic('evict', cache)
    this.breaker = new Topic('breaker', cache)
    this.tier = new Topic('tier', cache)
    this.write = new Topic('write', cache)
  }

  /**
   * Calls `listener` at each such event.
   *
   * @returns a function that ends that.
   * @throws InvalidOptionError (`ERR_INVALID_OPTION`): no such event, or no function.
   */
  on<E extends CacheEventName>(event: E, listener: CacheListener<E, K>): () => void {
    const topic = this.#topic(event)
    return topic.add(needFunction('listener', listener))
  }

  /** Calls `listener` at the next such event. See {@link Events.on}. */
  once<E extends CacheEventName>(event: E, listener: CacheListener<E, K>): () => void {
    needFunction('listener', listener)
    let isDone = false
    const off = this.on(event, details => {
      // An event that comes while the listener runs is not the next.
      if (isDone) return
      isDone = true
      off()
      listener(details)
    })
    return off
  }

  /** Takes all listeners away. */
  close(): void {
    for (const event of Object.keys(channels)) this.#topic(event as CacheEventName).clear()
  }

  #topic<E extends CacheEventName>(event: E): Topic<E, K> {
    if (typeof event === 'string' && Object.hasOwn(channels, event)) {
      return (this as Topics<K>)[event] as Topic<E, K>
    }
    throw new InvalidOptionError('event', event, `one of ${Object.keys(channels).join(', ')}`)
  }
}
