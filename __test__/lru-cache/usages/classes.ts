// Subclasses, wrappers, interfaces, and the types of the namespace by their names.
import { LRUCache } from 'lru-cache'

interface Node {
  name: string
  children?: Node[]
}

/** Bounds in the constructor. */
export class Children extends LRUCache<Node, Node[]> {
  constructor(maxSize = 16 * 1024) {
    super({ maxSize, sizeCalculation: nodes => nodes.length + 1 })
  }
}

/** A method more, and one overridden. */
export class Counting<K extends {}, V extends {}, FC = unknown> extends LRUCache<K, V, FC> {
  hits = 0
  misses = 0

  override get(key: K, options: LRUCache.GetOptions<K, V, FC> = {}): V | undefined {
    const value = super.get(key, options)
    if (value === undefined) this.misses++
    else this.hits++
    return value
  }

  override set(key: K, value: V | undefined, options?: LRUCache.SetOptions<K, V, FC>): this {
    return super.set(key, value, options)
  }

  override delete(key: K): boolean {
    return super.delete(key)
  }

  getOrSet(key: K, make: () => V): V {
    const found = this.get(key)
    if (found !== undefined) return found
    const value = make()
    this.set(key, value)
    return value
  }
}
export const counting = new Counting<string, Node>({ max: 5 })
counting.set('a', { name: 'a' }).getOrSet('b', () => ({ name: 'b' }))

/** What an application asks of any cache. */
interface KeyValueCache<V> {
  get(key: string): Promise<V | undefined>
  set(key: string, value: V, options?: { ttl?: number | null }): Promise<void>
  delete(key: string): Promise<boolean | undefined>
}

export class InMemory<V extends {} = string> implements KeyValueCache<V> {
  readonly #cache: LRUCache<string, V>

  constructor(options?: LRUCache.Options<string, V, unknown>) {
    this.#cache = new LRUCache({
      sizeCalculation: InMemory.sizeOf,
      maxSize: 30 * 1024 ** 2,
      ...options,
    })
  }

  static sizeOf<T extends {}>(item: T): number {
    return typeof item === 'string' ? item.length : Buffer.byteLength(JSON.stringify(item), 'utf8')
  }

  async get(key: string): Promise<V | undefined> {
    return this.#cache.get(key)
  }

  async set(key: string, value: V, options?: { ttl?: number | null }): Promise<void> {
    if (options?.ttl) this.#cache.set(key, value, { ttl: options.ttl * 1000 })
    else this.#cache.set(key, value)
  }

  async delete(key: string): Promise<boolean> {
    return this.#cache.delete(key)
  }

  keys(): string[] {
    return Array.from(this.#cache.keys())
  }
}

/** Where a Map will do as well. */
export interface MapLike<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V): unknown
  has(key: K): boolean
  delete(key: K): boolean
  clear(): void
  readonly size: number
}
export const mapLike: MapLike<string, Node> = new LRUCache<string, Node>({ max: 5 })
export const either: MapLike<string, Node> = Math.random() > 2 ? new Map() : mapLike

/** A cache in the place of another with fewer demands. */
export function sizeOf(cache: LRUCache<string, Node>): number {
  return cache.size
}
sizeOf(counting)
sizeOf(new LRUCache<string, Node>({ max: 5 }))

/** All the types, by their names. */
export type Named = [
  LRUCache.Size,
  LRUCache.Milliseconds,
  LRUCache.Count,
  LRUCache.DisposeReason,
  LRUCache.Disposer<string, Node>,
  LRUCache.InsertReason,
  LRUCache.Inserter<string, Node>,
  LRUCache.SizeCalculator<string, Node>,
  LRUCache.FetcherOptions<string, Node>,
  LRUCache.FetcherOptions<string, Node, Date>,
  LRUCache.Status<string, Node>,
  LRUCache.FetcherFetchOptions<string, Node>,
  LRUCache.FetchOptions<string, Node, Date>,
  LRUCache.FetchOptionsWithContext<string, Node, Date>,
  LRUCache.FetchOptionsNoContext<string, Node>,
  LRUCache.MemoOptions<string, Node>,
  LRUCache.MemoOptionsWithContext<string, Node, Date>,
  LRUCache.MemoOptionsNoContext<string, Node>,
  LRUCache.MemoizerOptions<string, Node>,
  LRUCache.MemoizerMemoOptions<string, Node>,
  LRUCache.HasOptions<string, Node, Date>,
  LRUCache.GetOptions<string, Node, Date>,
  LRUCache.PeekOptions<string, Node, Date>,
  LRUCache.SetOptions<string, Node, Date>,
  LRUCache.Fetcher<string, Node>,
  LRUCache.Memoizer<string, Node>,
  LRUCache.OptionsBase<string, Node, Date>,
  LRUCache.OptionsMaxLimit<string, Node, Date>,
  LRUCache.OptionsTTLLimit<string, Node, Date>,
  LRUCache.OptionsSizeLimit<string, Node, Date>,
  LRUCache.Options<string, Node, Date>,
  LRUCache.Entry<Node>,
]

/** What a cache holds, taken from its type. */
export type KeyOf<C> = C extends LRUCache<infer K, infer _V, infer _FC> ? K : never
export type ValueOf<C> = C extends LRUCache<infer _K, infer V, infer _FC> ? V : never
export const key: KeyOf<Counting<string, Node>> = 'a'
export const value: ValueOf<LRUCache<string, Node>> = { name: 'a' }

/** A decorator of methods. */
export function memoized<This, Args extends [string], R extends {}>(
  method: (this: This, ...args: Args) => R,
): (this: This, ...args: Args) => R {
  const caches = new WeakMap<object, LRUCache<string, R>>()
  return function (this: This, ...args: Args): R {
    const self = this as object
    let cache = caches.get(self)
    if (cache === undefined) {
      cache = new LRUCache<string, R>({ max: 100 })
      caches.set(self, cache)
    }
    const found = cache.get(args[0])
    if (found !== undefined) return found
    const made = method.apply(this, args)
    cache.set(args[0], made)
    return made
  }
}

/** A registry of caches. */
export const registry = new Map<string, LRUCache<string, object>>()
registry.set('nodes', new LRUCache<string, object>({ max: 5 }))
export const isCache = (thing: unknown): thing is LRUCache<string, object> =>
  thing instanceof LRUCache
