// The parts of a cache, and how entries enter and leave them.
import { checkJitter, drawLife } from '../base/jitter.ts'
import { Pending } from '../base/pending.ts'
import { now } from '../base/runtime.ts'
import { Ages } from './ages.ts'
import { Hooks } from './hooks.ts'
import type { OptionsBase } from './interface.ts'
import type { Keys } from './keys/keys.ts'
import { LargeKeys, MAP_FIRST } from './keys/large.ts'
import { MapKeys } from './keys/map.ts'
import { isMovable, moveOut } from './keys/packing.ts'
import { Auto } from './policy/auto.ts'
import { Queues } from './policy/queues.ts'
import type { RunningFetch } from './running-fetch.ts'
import type { Settings } from './settings.ts'
import { type SizeStatus, Sizes } from './sizes.ts'
import { Slots } from './slots.ts'
import { Counts } from './stats.ts'
import type { Count, DisposeReason, Milliseconds, Policy, Size } from './types.ts'

/** Room is made for so many entries at first. */
const FIRST = 256

/** A record of two words, for the links. */
const LINKS = 1

/** So many slots may be no entries. */
const OTHERS = 1

/** From so many entries on, keys may leave the V8 heap: below, a Map is as fast for all of them. */
const PACKED_FROM = 65_536

/** So many times the entries there are, at most, room is reserved for. */
const AHEAD = 16

/** What a cache consists of. An entry is a slot: a place in each of its parts. */
export class Core<K extends NonNullable<unknown>, V extends NonNullable<unknown>, FC> {
  keys: Keys<K> = new MapKeys<K>()
  readonly slots: Slots
  /** Of a slot. A first fetch has none yet; one that refreshes has the old value. */
  readonly values: (V | undefined)[] = [undefined]
  /** How many entries. */
  size: Count = 0
  /** Made by the first entry that may expire. */
  ages: Ages | undefined
  readonly sizes: Sizes | undefined
  /** The order of entries, if it is not that of their use. */
  readonly queues: Queues | undefined
  /** The fetches that are under way, by the slots that wait for them. */
  readonly fetches: Pending<number, RunningFetch<V>> | undefined
  /** Whether a `set` without options and ttl need only store. */
  readonly plain: boolean
  /** With how many entries the index becomes one of many keys; -1: it is. */
  #packs: Count = PACKED_FROM
  readonly counts = new Counts()

  readonly hooks: Hooks<K, V>
  /** The most entries; 0: any number. */
  max: Count
  /** The most that their sizes may add up to; 0: anything. */
  maxSize: Size

  /** @param options - checked. */
  constructor(
    readonly cache: Settings<K, V, FC>,
    options: OptionsBase<K, V, FC>,
  ) {
    const { max = 0, maxSize = 0, fetchMethod } = options
    this.max = max
    this.maxSize = maxSize
    this.hooks = new Hooks(cache)
    this.slots = new Slots(LINKS, max === 0 ? FIRST : Math.min(max + OTHERS, FIRST))
    this.queues = queuesOf(options.policy, this.slots)
    const sized = maxSize !== 0 || Boolean(options.maxEntrySize)
    this.sizes = sized ? new Sizes(this.slots.capacity) : undefined
    this.fetches = fetchMethod === undefined ? undefined : new Pending()
    this.plain = !sized && !this.hooks.some && fetchMethod === undefined
  }

  /** The ages, which the first call makes. */
  aging(): Ages {
    this.ages ??= new Ages(this.cache, this.slots.capacity, slot => this.expire(slot))
    return this.ages
  }

  /** Whether an entry is older than it may be. */
  stale(slot: number): boolean {
    return this.ages?.stale(slot) === true
  }

  /** Whether a slot's entry is being fetched. */
  fetching(slot: number): boolean {
    return this.fetches?.of(slot) !== undefined
  }

  /** An entry was used. */
  use(slot: number): void {
    if (this.queues === undefined) this.slots.touch(slot)
    else this.queues.read(slot)
  }

  /** Whether an entry must leave before another can come. */
  get full(): boolean {
    return this.max !== 0 && this.size >= this.max
  }

  /** Makes room for one more entry. */
  makeRoom(): void {
    while (this.full) this.evict()
  }

  /** How long an entry lives, of its ttl: drawn, if there is a jitter. */
  draw(ttl: Milliseconds, jitter = this.cache.jitter): Milliseconds {
    if (jitter === 0 || ttl === 0) return ttl
    return drawLife(ttl, checkJitter(jitter), this.cache.random)
  }

  /** Puts in a key that was looked for last and is not there, when there is room. */
  insert(key: K, value: V | undefined): number {
    if (this.size === this.#packs) this.#pack(key)
    const slot = this.slots.take() || this.#grow()
    this.keys.add(key, slot)
    this.values[slot] = value
    if (this.queues === undefined) this.slots.link(slot, 0)
    else this.queues.admit(slot, this.keys.hash(slot))
    this.size++
    return slot
  }

  /** Counts an entry's size in, and evicts others that do not fit beside it. */
  weigh(slot: number, size: Size, status: SizeStatus | undefined): void {
    const { sizes } = this
    if (sizes === undefined) return
    while (this.maxSize !== 0 && sizes.total + size > this.maxSize && this.size > 1) {
      this.evict(slot)
    }
    sizes.add(slot, size, status)
  }

  /** The entry that is needed least, except for one, if there is another. */
  victim(except = 0): number {
    if (this.queues !== undefined) return this.queues.victim(except)
    const oldest = this.slots.newer(0)
    return oldest === except ? this.slots.newer(oldest) : oldest
  }

  /** Evicts the entry that is needed least, except for one. */
  evict(except = 0): void {
    const slot = this.victim(except)
    const fetch = this.fetches?.of(slot)
    const value = this.values[slot]
    this.counts.evictions++
    if (fetch !== undefined || this.hooks.leaving) {
      const key = this.keys.keyOf(slot)
      fetch?.abort('evicted')
      if (value !== undefined) this.hooks.leaves(value, key, 'evict')
      // Those who were told may have taken it out themselves.
      if (this.keys.find(key) !== slot) return
    }
    if (this.queues?.isMain(slot) === false) this.queues.remember(this.keys.hash(slot))
    this.drop(slot)
  }

  /** Stores a value where nobody listens and nothing ages or is weighed. */
  put(key: K, value: V): void {
    this.counts.sets++
    const slot = this.keys.find(key)
    if (slot !== 0) {
      this.values[slot] = value
      this.use(slot)
    } else if (!this.full) {
      this.insert(key, value)
    } else if (this.queues === undefined) {
      this.#replace(this.slots.newer(0), key, value)
    } else {
      this.evict()
      this.insert(key, value)
    }
  }

  /** Another entry takes a slot over. */
  #replace(slot: number, key: K, value: V): void {
    this.counts.evictions++
    this.keys.remove(slot)
    this.keys.add(key, slot)
    this.values[slot] = value
    this.slots.touch(slot)
  }

  /** Changes the bounds, and evicts what does not fit any more. */
  resize(max = this.max, maxSize = this.maxSize): void {
    this.max = max
    this.maxSize = maxSize
    const tooMany = () => max !== 0 && this.size > max
    const tooLarge = () => maxSize !== 0 && (this.sizes?.total ?? 0) > maxSize
    while (this.size > 0 && (tooMany() || tooLarge())) this.evict()
    this.hooks.settle()
  }

  /** Deletes a key. */
  delete(key: K, reason: DisposeReason): boolean {
    const slot = this.size === 0 ? 0 : this.keys.find(key)
    if (slot !== 0) this.remove(slot, key, reason)
    if (slot !== 0 && reason === 'delete') this.counts.deletes++
    this.hooks.settle()
    return slot !== 0
  }

  /** Takes an entry out because its time is over. */
  expire(slot: number): void {
    if (!this.keys.holds(slot)) return
    this.remove(slot, this.keys.keyOf(slot), 'expire')
    this.hooks.settle()
  }

  /** Takes an entry out and tells of it. */
  remove(slot: number, key: K, reason: DisposeReason): void {
    if (reason === 'expire') this.counts.expirations++
    const told = this.#tell(slot, key, reason)
    if (!told || this.keys.find(key) === slot) this.drop(slot)
  }

  /** Takes an entry out. */
  drop(slot: number): void {
    this.queues?.leave(slot)
    this.keys.remove(slot)
    this.values[slot] = undefined
    this.sizes?.remove(slot)
    this.ages?.end(slot)
    this.fetches?.forget(slot)
    this.slots.unlink(slot)
    this.slots.release(slot)
    this.size--
  }

  /** Takes all entries out, from the oldest on. */
  clear(): void {
    if (this.hooks.leaving || this.fetches !== undefined) this.#tellAll()
    this.keys.clear()
    this.values.length = 1
    this.slots.clear()
    this.queues?.clear()
    this.ages?.clear()
    this.sizes?.clear()
    this.fetches?.clear()
    this.size = 0
    this.hooks.settle()
  }

  #tellAll(): void {
    const slots: number[] = []
    for (let slot = this.slots.newer(0); slot !== 0; slot = this.slots.newer(slot)) slots.push(slot)
    for (const slot of slots) {
      if (this.keys.holds(slot)) this.#tell(slot, this.keys.keyOf(slot), 'delete')
    }
  }

  /** Tells of an entry that is about to leave; whether anybody was told. */
  #tell(slot: number, key: K, reason: DisposeReason): boolean {
    const fetch = this.fetches?.of(slot)
    if (fetch !== undefined) fetch.abort('deleted')
    else if (this.hooks.leaving) this.hooks.leaves(this.values[slot] as V, key, reason)
    else return false
    return true
  }

  /** Makes the index one of many keys, if they are of a kind that can leave the V8 heap. */
  #pack(key: K): void {
    const large = this.#large(key)
    if (large === undefined) {
      this.#packs *= 4
    } else {
      this.keys = large
      this.#packs = -1
    }
    this.keys.find(key)
  }

  #large(key: K): LargeKeys<K> | undefined {
    const { keys, slots, max } = this
    // Strings wait in their Map for the first that is new. Numbers gain at once.
    const few = max !== 0 && max <= MAP_FIRST
    if (few && typeof key === 'string' && keys instanceof MapKeys && isMovable(keys, slots)) {
      return new LargeKeys<K>(keys, slots, now)
    }
    const wanted = max === 0 ? 2 * this.size : Math.min(max + OTHERS, AHEAD * this.size)
    const moved = moveOut(keys, slots, Math.max(wanted, slots.capacity))
    return moved && new LargeKeys(moved, slots, now)
  }

  /** Makes room for more slots and takes one. */
  #grow(): number {
    const { slots, max } = this
    const capacity = 2 * slots.capacity
    slots.reshape(slots.shift, max === 0 ? capacity : Math.min(capacity, max + OTHERS))
    return slots.take()
  }
}

/** The order of entries under a policy, if it is not that of their use. */
function queuesOf(policy: Policy | undefined, slots: Slots): Queues | undefined {
  if (policy === 'lfu') return new Queues(slots)
  return policy === 'auto' ? new Auto(slots) : undefined
}
