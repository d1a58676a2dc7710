// Writes that depend on what is there, each one step across all threads: counters, first come first
// served, and values that are made of the one before.
//
// A second tier takes no part in the decision, which is made by what this process has: what was stored
// goes there as a `set` does.
import { needFunction } from '../base/checks.ts'
import { InvalidOptionError, InvalidValueError } from '../base/errors.ts'
import type { Lifetimes } from '../base/lifetimes.ts'
import type { CacheKey, SetOptions } from '../base/types.ts'
import type { Values } from '../codec/values.ts'
import { binding, type Stored, takeBytes } from '../native/native.ts'
import type { Note } from '../native/note.ts'

/** How {@link Cache.increment} counts. */
export interface IncrementOptions extends SetOptions {
  /** What a key that is not there counts from; 0 if left out. */
  initial?: number | undefined
}

/** A value that is to be stored: how long it lives here, and what is noted with it. */
export interface Prepared {
  readonly here: number | undefined
  readonly note: Note | undefined
  /** 1 if `touch` is to know the life as the entry's own. */
  readonly own: 0 | 1
}

/** The cache that is written to. */
export interface ConditionalHost<K extends CacheKey, V> {
  readonly at: number
  readonly codec: string
  readonly values: Values<V>
  readonly lives: Lifetimes<K, V>
  /** Has the policy know what was read, before it chooses who leaves. */
  tellReads(): void
  prepare(options: SetOptions | undefined, life: number | undefined): Prepared
  /** A value was stored: the second tier gets it. */
  stored(key: K, encoded: unknown, options: SetOptions | undefined, life: number | undefined): void
  peek(key: K): V | undefined
  ttl(key: K): number | undefined
  set(key: K, value: V, options: SetOptions | undefined): unknown
  delete(key: K): unknown
  /** A key was removed: the second tier hears of it. */
  removed(key: K): void
}

/** Writes on a condition of one instance. */
export class ConditionalWrites<K extends CacheKey, V> {
  readonly #host: ConditionalHost<K, V>
  /** Objects on the heap are one isolate's: nobody can come between its steps. */
  readonly #isAlone: boolean

  constructor(host: ConditionalHost<K, V>) {
    this.#host = host
    this.#isAlone = host.values.slots !== undefined
  }

  /** Adds to a number; the sum. */
  increment(key: K, by: number, given?: IncrementOptions | null): number {
    const options = given ?? {}
    const { initial = 0 } = options
    if (!Number.isFinite(by)) throw new InvalidOptionError('by', by, 'a number that is finite')
    if (!Number.isFinite(initial)) {
      throw new InvalidOptionError('initial', initial, 'a number that is finite')
    }
    const { codec, at, lives } = this.#host
    const isPlain = codec === 'number' || codec === 'any'
    const isNoted = options.tags !== undefined || options.version !== undefined
    const life = lives.of(options, (initial + by) as V, key)
    const prepared = this.#host.prepare(options, life)
    if (!isPlain || isNoted || prepared.note !== undefined || prepared.own === 1) {
      return this.#sum(key, by, initial, options)
    }
    this.#host.tellReads()
    const sum = binding.increment(at, key, by, initial, prepared.here)
    this.#host.stored(key, sum, options, this.#host.ttl(key))
    return sum
  }

  /** Stores a value unless there is one; whether it did. */
  setIfAbsent(key: K, value: V, options: SetOptions | undefined): boolean {
    if (this.#isAlone) {
      if (this.#host.peek(key) !== undefined) return false
      this.#host.set(key, value, options)
      return true
    }
    const { at, lives, values } = this.#host
    const life = lives.of(options, value, key)
    const { here, note, own } = this.#host.prepare(options, life)
    const encoded = values.encode(value)
    this.#host.tellReads()
    const stored = binding.setIfAbsent(at, key, encoded, here, note, own)
    if (stored) this.#host.stored(key, encoded, options, life)
    return stored
  }

  /** Makes a value of the one before; the new one. */
  update(
    key: K,
    change: (value: V | undefined) => V | undefined,
    options: SetOptions | undefined,
  ): V | undefined {
    needFunction('change', change)
    return this.#update(key, change, () => options)
  }

  /** Sums as {@link ConditionalWrites.update} does, where the native side cannot. */
  #sum(key: K, by: number, initial: number, options: IncrementOptions): number {
    const add = (value: unknown) => {
      const sum = (value === undefined ? initial : (value as number)) + by
      if (typeof value === 'number' || value === undefined) {
        if (Number.isFinite(sum)) return sum as V
        throw new InvalidValueError(this.#host.codec, 'a sum that is not finite')
      }
      throw new InvalidValueError(this.#host.codec, 'a sum with what is no number')
    }
    const { initial: _, ...given } = options
    // An entry that is there keeps its end.
    const kept = { ...given, ttl: undefined, jitter: undefined }
    return this.#update(key, add, isNew => (isNew ? given : kept)) as number
  }

  #update(
    key: K,
    change: (value: V | undefined) => V | undefined,
    optionsOf: (isNew: boolean) => SetOptions | undefined,
  ): V | undefined {
    if (this.#isAlone) return this.#updateAlone(key, change, optionsOf)
    const { at, values } = this.#host
    let before: unknown
    for (let tries = 0; ; tries++) {
      const stored = taken(binding.peek(at, key))
      const options = optionsOf(stored === undefined)
      const value = stored === undefined ? undefined : values.decode(copyOf(stored))
      // An older version than there is, which another try would not change.
      if (tries > 0 && options?.version !== undefined && isSame(stored, before)) return value
      before = stored
      const next = change(value)
      if (next === undefined) {
        if (stored === undefined) return undefined
        if (!binding.compareAndDelete(at, key, stored)) continue
        this.#host.removed(key)
        return undefined
      }
      if (this.#replace(key, stored, next, options)) return next
    }
  }

  /** Stores a value if what was expected is still there; whether it did. */
  #replace(key: K, expected: unknown, value: V, options: SetOptions | undefined): boolean {
    const { at, values, lives } = this.#host
    const keeps = expected !== undefined && options?.ttl === undefined && !lives.ttlOf
    const life = keeps ? undefined : lives.of(options, value, key)
    const prepared = this.#host.prepare(options, life)
    const here = keeps ? undefined : prepared.here
    const encoded = values.encode(value)
    this.#host.tellReads()
    const stored = binding.compareAndSet(
      at,
      key,
      expected,
      encoded,
      here,
      prepared.note,
      prepared.own,
    )
    if (stored) this.#host.stored(key, encoded, options, keeps ? this.#host.ttl(key) : life)
    return stored
  }

  #updateAlone(
    key: K,
    change: (value: V | undefined) => V | undefined,
    optionsOf: (isNew: boolean) => SetOptions | undefined,
  ): V | undefined {
    const before = this.#host.peek(key)
    const options = optionsOf(before === undefined)
    const next = change(before)
    if (next === undefined) {
      if (before !== undefined) this.#host.delete(key)
      return undefined
    }
    const keeps = before !== undefined && options?.ttl === undefined && !this.#host.lives.ttlOf
    const left = keeps ? this.#host.ttl(key) : undefined
    this.#host.set(key, next, left === undefined ? options : { ...options, ttl: left, jitter: 0 })
    return next
  }
}

/** What is stored, with bytes that are its own. */
function taken(stored: Stored | undefined): unknown {
  return stored === true ? takeBytes() : stored
}

/** What a codec may hand on as it is, and a caller may write to. */
function copyOf(stored: unknown): unknown {
  return stored instanceof Uint8Array ? Buffer.from(stored) : stored
}

function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return Object.is(a, b)
}
