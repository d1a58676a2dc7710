// A function that remembers its results in a cache.

import { CacheFullError, EntryTooLargeError, InvalidOptionError } from '../base/errors.ts'
import { Pending } from '../base/pending.ts'
import { Cache } from '../cache/cache.ts'
import type { StoreOptions } from '../cache/options.ts'
import type { Codec } from '../codec/codecs.ts'
import { keyOfArguments } from './arguments.ts'
import { codecOfResults, type MemoizeCodec, type Result } from './results.ts'

export type { MemoizeCodec, Result } from './results.ts'

/** Any function. */
type Fn = (...args: never[]) => unknown

/** Entries of a memoizer whose options bound nothing. */
const MAX = 1000

/**
 * The options of a memoizer: those of the {@link Cache} that keeps the results, and `key`. Without
 * `max`, `maxBytes` and `name`, `max` is 1,000.
 */
export interface MemoizeOptions<F extends Fn> extends Omit<StoreOptions, 'codec'> {
  /**
   * The key of a call. If left out, arguments must be primitive, and calls share a result only if
   * each of their arguments is the same, `1` and `'1'` being different.
   */
  key?: ((...args: Parameters<F>) => string | number) | undefined
  /**
   * How results are kept: `'heap'`, the default, gives the very result again, to this thread.
   * A memoizer with a `name`, which workers share, needs another.
   */
  codec?: MemoizeCodec<Awaited<ReturnType<F>>> | undefined
}

/** A function that remembers its results. */
export type Memoized<F extends Fn> = F & {
  /** What keeps the results, by the keys of their calls. */
  readonly cache: Cache<string | number, Result<Awaited<ReturnType<F>>>>
  /** The result of a call if it is remembered. Calls nothing and counts nothing. */
  peek(...args: Parameters<F>): Awaited<ReturnType<F>> | undefined
  /** Forgets the result of a call; whether there was one. */
  delete(...args: Parameters<F>): boolean
  /** Forgets all results. */
  clear(): void
}

/**
 * Makes a function remember its results, `undefined` included. What it throws, or rejects with, is
 * not remembered. Of a function that gives promises, concurrent calls of one key share one promise.
 *
 * `this` is passed on, but is no part of the key. A result that does not fit the cache is given to
 * its caller and not remembered. A result that was forgotten while it was being made is not
 * remembered either.
 *
 * @throws InvalidOptionError `ERR_INVALID_OPTION`: an option that cannot be, or, when called, an
 * argument that is no primitive while there is no `key`.
 *
 * @example
 * ```ts
 * import { memoize } from 'breakwater/memoize'
 *
 * let calls = 0
 * const square = memoize(
 *   async (n: number) => {
 *     calls += 1
 *     return n * n
 *   },
 *   { max: 1000, ttl: '5m', jitter: 0.1 },
 * )
 * assert.deepEqual(await Promise.all([square(4), square(4)]), [16, 16])
 * assert.equal(calls, 1)
 * square.delete(4)
 * assert.equal(await square(4), 16)
 * assert.equal(calls, 2)
 * ```
 *
 * @example Arguments that are objects need a key
 * ```ts
 * import { memoize } from 'breakwater/memoize'
 *
 * const area = memoize((box: { w: number; h: number }) => box.w * box.h, {
 *   key: box => `${box.w}x${box.h}`,
 * })
 * assert.equal(area({ w: 2, h: 3 }), 6)
 * assert.equal(area.peek({ w: 2, h: 3 }), 6)
 * ```
 */
export function memoize<F extends Fn>(fn: F, options: MemoizeOptions<F> = {}): Memoized<F> {
  if (typeof fn !== 'function') throw new InvalidOptionError('fn', fn, 'a function')
  return new Memo<F>(fn, options).memoized
}

class Memo<F extends Fn> {
  readonly memoized: Memoized<F>
  readonly #cache: Cache<string | number, Result<Awaited<ReturnType<F>>>>
  readonly #key: ((...args: Parameters<F>) => string | number) | undefined
  /** What is being made. */
  readonly #pending = new Pending<string | number, Promise<unknown>>()

  constructor(fn: F, options: MemoizeOptions<F>) {
    if (typeof options !== 'object' || options === null) {
      throw new InvalidOptionError('options', options, 'an object')
    }
    const { key, codec, ...rest } = options
    if (key !== undefined && typeof key !== 'function') {
      throw new InvalidOptionError('key', key, 'a function that gives a text or a number')
    }
    this.#key = key
    this.#cache = new Cache<string | number, Result<Awaited<ReturnType<F>>>>({
      ...bounded(rest),
      codec: codecFor(options),
    })
    this.memoized = this.#wrap(fn)
  }

  #wrap(fn: F): Memoized<F> {
    const memo = this
    function memoized(this: unknown, ...args: Parameters<F>): unknown {
      const key = memo.#keyOf(args)
      const kept = memo.#cache.get(key)
      if (kept !== undefined) return kept.promised ? Promise.resolve(kept.value) : kept.value
      return memo.#pending.of(key) ?? memo.#make(key, fn.apply(this as never, args))
    }
    const { name, length } = fn
    Object.defineProperties(memoized, {
      name: { value: name, configurable: true },
      length: { value: length, configurable: true },
      cache: { value: this.#cache },
      peek: { value: (...args: Parameters<F>) => this.#cache.peek(this.#keyOf(args))?.value },
      delete: { value: (...args: Parameters<F>) => this.#forget(this.#keyOf(args)) },
      clear: { value: () => this.#forgetAll() },
    })
    return memoized as unknown as Memoized<F>
  }

  #keyOf(args: Parameters<F>): string | number {
    if (this.#key === undefined) return keyOfArguments(args)
    const key: unknown = this.#key(...args)
    if (typeof key === 'string' || typeof key === 'number') return key
    throw new InvalidOptionError('key', key, 'a function that gives a text or a number')
  }

  #make(key: string | number, result: unknown): unknown {
    if (!isThenable(result)) {
      this.#keep(key, { promised: false, value: result as Awaited<ReturnType<F>> })
      return result
    }
    const pending: Promise<unknown> = Promise.resolve(result).then(
      value => {
        if (this.#pending.end(key, pending)) {
          this.#keep(key, { promised: true, value: value as Awaited<ReturnType<F>> })
        }
        return value
      },
      error => {
        this.#pending.end(key, pending)
        throw error
      },
    )
    this.#pending.begin(key, pending)
    return pending
  }

  #keep(key: string | number, result: Result<Awaited<ReturnType<F>>>): void {
    try {
      this.#cache.set(key, result)
    } catch (error) {
      if (!(error instanceof EntryTooLargeError || error instanceof CacheFullError)) throw error
    }
  }

  #forget(key: string | number): boolean {
    const pending = this.#pending.forget(key) !== undefined
    return this.#cache.delete(key) || pending
  }

  #forgetAll(): void {
    this.#pending.clear()
    this.#cache.clear()
  }
}

/** The codec of the cache, which keeps more than the bare results. */
function codecFor<F extends Fn>({ codec, name }: MemoizeOptions<F>) {
  if (name !== undefined && codec === undefined) {
    throw new InvalidOptionError('codec', codec, "given with a name: 'json' or 'structured', say")
  }
  return codecOfResults(codec === undefined ? 'heap' : codec) as Codec<
    Result<Awaited<ReturnType<F>>>
  >
}

function bounded(options: Omit<StoreOptions, 'codec'>): Omit<StoreOptions, 'codec'> {
  const { max, maxBytes, name } = options
  const free = max === undefined && maxBytes === undefined && name === undefined
  return free ? { ...options, max: MAX } : options
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
