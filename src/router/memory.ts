// What a router remembers of its store, for those who run it: looked at, forgotten, watched. The store
// itself is not changed by any of it.
import { dateNow, setImmediate } from '../base/runtime.ts'
import { type Cancel, timersOf } from '../base/timers.ts'
import type { NativeRouter } from '../native/router.ts'

/** What is known of a key, as {@link RouterMemory.inspect} gives it. */
export interface KnownKey {
  /** Its route: see {@link RouterRoute.match}. */
  route: string
  /** What that does. */
  mode: 'on' | 'shadow' | 'off'
  /** The store that takes its writes; `undefined` while none is known. */
  store: string | undefined
  /** Its share of the reads that are not remembered, from 0 to 1, if it is hot. */
  hotShare: number | undefined
  /** Whether it is hot by {@link HotKeysOptions.pinned}. */
  pinned: boolean
  /**
   * What lies in memory: `'reply'`, the reply to its `GET`; `'reads'`, something else that was read of
   * it, perhaps, which only the same request finds; `'stale'`, what may have changed unheard, given to
   * routes with `staleIfError` alone; or `'nothing'`.
   */
  memory: 'reply' | 'reads' | 'stale' | 'nothing'
  /** Which of the generations that were drawn it has: a change ends it, and all that was read with it. */
  generation: number | undefined
  /** Bytes that its generation and the reply to its `GET` are charged. */
  bytes: number
  /** Reads of late, up to 3, if the policy counts them. */
  recentReads: number | undefined
  /** The reply to its `GET`. */
  reply: KnownReply | undefined
  /** The processes in whose memories it lies, by their numbers; empty where the workers are threads. */
  processes: number[]
}

/** The reply to a `GET` that lies in memory. */
export interface KnownReply {
  database: number
  /** Whether it says that there is no such key. */
  absent: boolean
  /** How many milliseconds ago the store was asked. */
  age: number
  /** How many milliseconds it will be given; `undefined` if that has no end. */
  ttl: number | undefined
  /** The value: bytes of a client's. `null` if there is none. */
  value: Buffer | null
}

/** Why something is not given any more. */
export type InvalidationCause =
  /** A client of this node writes. */
  | 'write'
  /** The store tells of a change. */
  | 'news'
  /** A comparison with the store has found another value: see {@link RouterRoute.verify}. */
  | 'verified'
  /** The key lives in another store now. */
  | 'moved'
  /** Somebody asked for it: see {@link RouterMemory}. */
  | 'hand'

/** What left the memory since the last time, since it had changed. */
export interface Invalidations {
  /** How many keys, by their routes. */
  routes: { match: string; count: number }[]
  /** The first 64 of each cause; of long ones the beginning, of 512 bytes. */
  keys: { key: Buffer; isWhole: boolean; cause: InvalidationCause }[]
  /** What made everything leave, each time. */
  everything: InvalidationCause[]
}

/** Something that was asked for by hand. */
export interface MemoryOrder {
  /** Unix milliseconds. */
  at: number
  order: 'invalidate' | 'invalidatePrefix' | 'flush'
  /** The beginning of the key, or of the prefix. */
  of: string
  /** Of how many keys something was there; of `'flush'`, all. */
  count: number
}

/**
 * What a router remembers of the store behind it. None of its methods changes anything in a store. Where
 * the workers are processes, each of which has a memory of its own, all of them are meant; a call rejects
 * with `ERR_ROUTER_STATE` if one of them does not answer.
 */
export interface RouterMemory {
  /**
   * What is known of a key. It counts no hit. Of several processes that remember it, the youngest reply is
   * told, and the bytes of all.
   */
  inspect(key: string | Uint8Array): Promise<KnownKey>
  /** What was read of a key is not given any more; whether anything was there. */
  invalidate(key: string | Uint8Array): Promise<boolean>
  /**
   * What was read of all keys that begin so is not given any more; of how many anything was there, in each
   * process. Other work has its turn meanwhile: what is read while it runs may be given.
   */
  invalidatePrefix(prefix: string | Uint8Array): Promise<number>
  /** Nothing that was read is given any more, and its room is free. */
  flush(): Promise<void>
  /**
   * Tells of what leaves since it has changed, four times a second if there was any, each process for
   * itself, until the result is called. While nobody listens, nothing is counted.
   */
  listen(listener: (news: Invalidations) => void): () => void
  /** What was asked for by hand of late: the last 20. */
  readonly orders: readonly MemoryOrder[]
}

/** How often listeners are told, in milliseconds. */
const EVERY = 250
/** The orders that are kept, and the most characters of what each was of. */
const MOST_ORDERS = 20
const SHOWN = 64

/** What was asked for by hand of late. */
export class Orders {
  list: readonly MemoryOrder[] = []

  note(order: MemoryOrder['order'], of: string | Uint8Array, count: number): void {
    const text = typeof of === 'string' ? of : Buffer.from(of).toString()
    const noted = { at: dateNow(), order, of: text.slice(0, SHOWN), count }
    this.list = [...this.list, noted].slice(-MOST_ORDERS)
  }
}

/** Those who are told of what leaves, each as often as it listens. */
export class MemoryListeners {
  readonly #all = new Set<(news: Invalidations) => void>()
  readonly #change: (listened: boolean) => void

  /** @param change - is called when the first one comes, and when the last one goes. */
  constructor(change: (listened: boolean) => void) {
    this.#change = change
  }

  add(listener: (news: Invalidations) => void): () => void {
    if (this.#all.size === 0) this.#change(true)
    // One that listens twice is told twice.
    const own = (news: Invalidations) => listener(news)
    this.#all.add(own)
    return () => {
      if (this.#all.delete(own) && this.#all.size === 0) this.#change(false)
    }
  }

  get any(): boolean {
    return this.#all.size > 0
  }

  tell(news: Invalidations): void {
    for (const listener of [...this.#all]) listener(news)
  }
}

/** The memory of a native router. */
export class NativeMemory implements RouterMemory {
  readonly #native: NativeRouter
  readonly #listeners = new MemoryListeners(listened => (listened ? this.#begin() : this.#end()))
  readonly #orders = new Orders()
  #cancel: Cancel | undefined

  constructor(native: NativeRouter) {
    this.#native = native
  }

  async inspect(key: string | Uint8Array): Promise<KnownKey> {
    const { held, share, ...known } = this.#native.knownKey(bytesOf(key))
    const reply = held?.get
    return {
      ...known,
      hotShare: share,
      memory:
        held === undefined
          ? 'nothing'
          : held.isFresh
            ? reply === undefined
              ? 'reads'
              : 'reply'
            : 'stale',
      generation: held?.generation,
      bytes: held?.bytes ?? 0,
      recentReads: held?.hits,
      reply: reply && {
        database: reply.db,
        absent: reply.absent,
        age: reply.age,
        ttl: reply.left,
        value: valueIn(reply.bytes),
      },
      processes: [],
    }
  }

  async invalidate(key: string | Uint8Array): Promise<boolean> {
    const was = this.#native.forgetKey(bytesOf(key))
    this.#orders.note('invalidate', key, was ? 1 : 0)
    return was
  }

  async invalidatePrefix(prefix: string | Uint8Array): Promise<number> {
    const bytes = bytesOf(prefix)
    let [from, all] = [0, 0]
    do {
      const { next, count } = this.#native.forgetPrefix(bytes, from)
      ;[from, all] = [next, all + count]
      // Others have their turn.
      if (from !== 0) await new Promise<void>(resolve => setImmediate(resolve))
    } while (from !== 0)
    this.#orders.note('invalidatePrefix', prefix, all)
    return all
  }

  async flush(): Promise<void> {
    this.#native.forgetEverything()
    this.#orders.note('flush', '', 0)
  }

  listen(listener: (news: Invalidations) => void): () => void {
    return this.#listeners.add(listener)
  }

  get orders(): readonly MemoryOrder[] {
    return this.#orders.list
  }

  #begin(): void {
    this.#native.watchInvalidations(1)
    const tell = () => {
      this.#cancel = timersOf(undefined).after(EVERY, tell)
      const news = this.#news()
      if (news === undefined) return this.#cancel()
      const isAny = news.routes.length > 0 || news.everything.length > 0
      if (isAny) this.#listeners.tell(news)
    }
    this.#cancel = timersOf(undefined).after(EVERY, tell)
  }

  #end(): void {
    this.#cancel?.()
    try {
      this.#native.watchInvalidations(0)
    } catch {
      // The router was let go.
    }
  }

  /** What has left; `undefined` once the router was let go. */
  #news(): Invalidations | undefined {
    try {
      const { routes, keys, everything } = this.#native.invalidated()
      return {
        routes: grouped(routes, 2).map(([match, count]) => ({ match, count })) as never,
        keys: grouped(keys, 3).map(([key, isWhole, cause]) => ({ key, isWhole, cause })) as never,
        everything,
      }
    } catch {
      return undefined
    }
  }
}

/** A flat list in groups. */
function grouped(flat: readonly unknown[], size: number): unknown[][] {
  return Array.from({ length: flat.length / size }, (_, at) =>
    flat.slice(at * size, (at + 1) * size),
  )
}

/** A key, as it is asked for. */
export function bytesOf(key: string | Uint8Array): Uint8Array {
  return typeof key === 'string' ? Buffer.from(key) : key
}

/** What a reply to `GET` says: it is one string with its length before it, or nothing. */
function valueIn(reply: Buffer): Buffer | null {
  const head = reply.indexOf('\r\n')
  return reply[0] === 0x24 ? reply.subarray(head + 2, -2) : null
}
