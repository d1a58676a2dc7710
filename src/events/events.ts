// What a cache tells of what it does: to its listeners, and to whoever subscribed to the channels of
// the process (node:diagnostics_channel).
import type { Channel } from 'node:diagnostics_channel'
import { needFunction } from '../base/checks.ts'
import { InvalidOptionError } from '../base/errors.ts'
import { tell } from '../base/report.ts'
import type { RemovalListener } from '../base/types.ts'
import { channels, onSubscribers } from './channels.ts'

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
    /** Why: its end is near, or past. */
    readonly reason: 'early' | 'stale'
  }
  /** An entry made room for others. */
  evict: { readonly key: K }
  /** An entry's life ended, and it was removed. */
  expire: { readonly key: K }
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
  /** An operation of the tier ended. */
  tierCall: {
    /** As `'get'`, `'set'`, `'delete'`. */
    readonly operation: string
    /** Milliseconds. */
    readonly duration: number
    readonly failed: { readonly error: unknown } | undefined
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

interface Listening<E extends CacheEventName, K> {
  /** What was given to `on`. */
  readonly given: unknown
  readonly call: CacheListener<E, K>
}

/** One event of one cache. */
export class Topic<E extends CacheEventName, K> {
  /** Never changed: who is called now does not depend on what listeners add and take away. */
  #listeners: readonly Listening<E, K>[] = []
  readonly #channel: Channel
  readonly #cache: string | undefined
  readonly #changed: () => void

  /** @param changed - called when listeners come and go. */
  constructor(event: E, cache: string | undefined, changed: () => void = () => {}) {
    this.#channel = channels[event]
    this.#cache = cache
    this.#changed = changed
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

  /** Adds a listener, under the function that {@link Topic.remove} takes; the result removes it. */
  add(call: CacheListener<E, K>, given: unknown = call): () => void {
    // An object of its own, so that the same listener can be added twice.
    const listening = { given, call }
    this.#set([...this.#listeners, listening])
    return () => this.#set(this.#listeners.filter(each => each !== listening))
  }

  /** Removes a listener: of several of one function the last that was added. */
  remove(given: unknown): void {
    const last = this.#listeners.findLast(listening => listening.given === given)
    if (last !== undefined) this.#set(this.#listeners.filter(each => each !== last))
  }

  /** Tells all who listen. */
  emit(details: CacheEvents<K>[E]): void {
    const event: CacheEvent<E, K> = { cache: this.#cache, ...details }
    for (const { call } of this.#listeners) tell(call, event)
    if (this.#channel.hasSubscribers) this.#channel.publish(event)
  }

  /** Removes all listeners. */
  clear(): void {
    this.#set([])
  }

  #set(listeners: readonly Listening<E, K>[]): void {
    this.#listeners = listeners
    this.#changed()
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
  readonly expire: Topic<'expire', K>
  readonly breaker: Topic<'breaker', K>
  readonly tier: Topic<'tier', K>
  readonly tierCall: Topic<'tierCall', K>
  readonly write: Topic<'write', K>
  /** Ends hearing of removals. */
  #ceaseRemovals: (() => void) | undefined
  #hearRemovals: ((listener: RemovalListener<K, unknown>) => () => void) | undefined
  readonly #hitsHeard: (isHeard: boolean) => void

  /**
   * @param cache - the cache's name, which each event tells.
   * @param hitsHeard - told whether anybody hears of hits, now and whenever that changes.
   */
  constructor(cache: string | undefined, hitsHeard: (isHeard: boolean) => void = () => {}) {
    this.#hitsHeard = hitsHeard
    this.hit = new Topic('hit', cache, () => this.#onHitListeners())
    this.miss = new Topic('miss', cache)
    this.stale = new Topic('stale', cache)
    this.load = new Topic('load', cache)
    this.coalesced = new Topic('coalesced', cache)
    this.refresh = new Topic('refresh', cache)
    this.evict = new Topic('evict', cache, () => this.#onRemovalListeners())
    this.expire = new Topic('expire', cache, () => this.#onRemovalListeners())
    this.breaker = new Topic('breaker', cache)
    this.tier = new Topic('tier', cache)
    this.tierCall = new Topic('tierCall', cache)
    this.write = new Topic('write', cache)
    onSubscribers(this.#onHitListeners)
    this.#onHitListeners()
  }

  /**
   * Makes `evict` and `expire` of removals, which are listened to only while one of the two is heard.
   *
   * @param hear - adds a listener of removals; the result removes it.
   */
  tellRemovals(hear: (listener: RemovalListener<K, unknown>) => () => void): void {
    this.#hearRemovals = hear
    onSubscribers(this.#onRemovalListeners)
    this.#onRemovalListeners()
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
    const topic = this.#topic(event)
    needFunction('listener', listener)
    let isDone = false
    const own: CacheListener<E, K> = details => {
      // An event that comes while the listener runs is not the next.
      if (isDone) return
      isDone = true
      cease()
      listener(details)
    }
    const cease = topic.add(own, listener)
    return cease
  }

  /** Removes a listener that `on` or `once` added; nothing happens if there is none. */
  off<E extends CacheEventName>(event: E, listener: CacheListener<E, K>): void {
    this.#topic(event).remove(needFunction('listener', listener))
  }

  /** Tells of no more removals. */
  endRemovals(): void {
    this.#hearRemovals = undefined
    this.#onRemovalListeners()
  }

  /** Removes all listeners. */
  close(): void {
    this.endRemovals()
    for (const event of Object.keys(channels)) this.#topic(event as CacheEventName).clear()
  }

  /** Fields, since those who tell them of subscribers hold them weakly. */
  readonly #onHitListeners = (): void => this.#hitsHeard(this.hit.isHeard)

  readonly #onRemovalListeners = (): void => {
    const isHeard = this.#hearRemovals !== undefined && (this.evict.isHeard || this.expire.isHeard)
    if (isHeard) this.#ceaseRemovals ??= this.#hearRemovals?.(this.#removed)
    else {
      this.#ceaseRemovals?.()
      this.#ceaseRemovals = undefined
    }
  }

  readonly #removed: RemovalListener<K, unknown> = (key, _, reason) => {
    const topic = reason === 'evicted' ? this.evict : reason === 'expired' ? this.expire : undefined
    if (topic?.isHeard) topic.emit({ key })
  }

  #topic<E extends CacheEventName>(event: E): Topic<E, K> {
    if (typeof event === 'string' && Object.hasOwn(channels, event)) {
      return (this as Topics<K>)[event] as Topic<E, K>
    }
    throw new InvalidOptionError('event', event, `one of ${Object.keys(channels).join(', ')}`)
  }
}
