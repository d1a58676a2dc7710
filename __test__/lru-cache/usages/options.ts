// How projects build caches: with options in a variable, in a function, typed or inferred.
import { LRUCache } from 'lru-cache'

interface Session {
  user: string
  roles: string[]
}

export const inferred = new LRUCache({ max: 500 })
export const typed = new LRUCache<string, Session>({ max: 500, ttl: 1000 * 60 * 5 })
// biome-ignore lint/complexity/noBannedTypes: as many projects write it
export const anything = new LRUCache<string, {}>({ max: 5 })
export const numbers: LRUCache<number, number> = new LRUCache({ max: 10 })
export const unions = new LRUCache<string | symbol, Session | false>({ max: 10 })
export const byObject = new LRUCache<object, Map<string, unknown>>({ max: 10 })
export const promises = new LRUCache<string, Promise<Session>>({ max: 10 })
export const functions = new LRUCache<string, (...args: unknown[]) => unknown>({ max: 10 })
export const tuples = new LRUCache<`${string}:${number}`, readonly [number, number]>({ max: 10 })

// biome-ignore lint/suspicious/noExplicitAny: as many projects write it
export const whatever = new LRUCache<any, any>({ max: 10 })
whatever.set(1, 'a').set('b', 2)
// biome-ignore lint/suspicious/noExplicitAny: as many projects write it
export const values: LRUCache<string, any> = new LRUCache<string, any>({ max: 10, ttl: 5 })
values.get('a')?.b.c

export const bySize = new LRUCache<string, Buffer>({
  maxSize: 50 * 1024 * 1024,
  maxEntrySize: 5 * 1024 * 1024,
  sizeCalculation: (value, key) => value.byteLength + key.length,
})

export const byTime = new LRUCache<string, string>({ ttl: 60_000, ttlAutopurge: true })

const options = {
  max: 100,
  maxSize: 5000,
  sizeCalculation: () => 1,
  dispose: (value: Session, key: string) => {
    console.log(key, value.user)
  },
  ttl: 1000 * 60 * 5,
  allowStale: false,
  updateAgeOnGet: false,
  updateAgeOnHas: false,
}
export const fromVariable = new LRUCache(options)
fromVariable.set('a', { user: 'b', roles: [] })

const declared: LRUCache.Options<string, Session, unknown> = { max: 100, ttl: 5 }
export const fromDeclared = new LRUCache(declared)
export const fromDeclaredToo = new LRUCache<string, Session>(declared)

const satisfying = {
  max: 100,
  ttl: 5,
  onInsert: (value, key, reason) => console.log(value.user, key.length, reason),
} satisfies LRUCache.Options<string, Session, unknown>
export const fromSatisfying = new LRUCache<string, Session>(satisfying)

export const limits: LRUCache.Options<string, Session, void>[] = [
  { max: 1 } satisfies LRUCache.OptionsMaxLimit<string, Session, void>,
  { maxSize: 1 } satisfies LRUCache.OptionsSizeLimit<string, Session, void>,
  { ttl: 1, ttlAutopurge: true } satisfies LRUCache.OptionsTTLLimit<string, Session, void>,
]

/** Partial options from a caller, completed here. */
export function create(given: Partial<LRUCache.OptionsBase<string, Session, unknown>> = {}) {
  return new LRUCache<string, Session>({ max: 1000, ...given })
}
export type Created = ReturnType<typeof create>
export const created: Created = create({ ttl: 5 })

/** A cache as the options of another. */
export const copied = new LRUCache<string, Session>(typed)
export const copiedToo = new LRUCache(typed)

/** Options read from constructor parameters. */
export type Given = ConstructorParameters<typeof LRUCache<string, Session>>[0]
export const given: Given = { max: 4 }

export class Store {
  private readonly cache: LRUCache<string, Session>
  private static shared?: LRUCache<string, Session>

  constructor(options?: LRUCache.Options<string, Session, unknown>) {
    this.cache = new LRUCache(options ?? { max: 10 })
  }

  static get instance(): LRUCache<string, Session> {
    Store.shared ??= new LRUCache<string, Session>({ max: 10 })
    return Store.shared
  }

  get(id: string): Session | undefined {
    return this.cache.get(id)
  }

  async getOrLoad(id: string, load: () => Promise<Session>): Promise<Session> {
    const hit = this.cache.get(id)
    if (hit) return hit
    const session = await load()
    this.cache.set(id, session, { ttl: 100 })
    return session
  }
}
