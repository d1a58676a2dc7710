/** What the native module offers: the lists of functions in crates/node/src. */
declare module '#binding' {
  type Note = import('./note.ts').Note
  type Key = string | number | Uint8Array

  /** What a value is to the native side; `true` stands for bytes left in the scratch area. */
  type Stored = string | number | true

  /** What a cache was asked to be. When this object is collected the instance is closed. */
  interface Native {
    /** What the methods know the instance by. */
    readonly number: number
    /** What other isolates know the cache by. */
    readonly id: number
    /** Whether it was made just now. */
    readonly created: boolean
    readonly name?: string
    readonly policy: string
    readonly weigh: string
    readonly codec: string
    readonly max?: number
    readonly maxBytes?: number
    readonly ttl?: number
    readonly jitter: number
    /** Whether isolates may keep copies of values. */
    readonly near: boolean
    readonly systemClock: boolean
    /** How long entries stay after their end, in milliseconds. */
    readonly grace: number
    readonly shards: number
    /** Whether the clock that was given, if any was, is the cache's. */
    readonly sameClock: boolean
    /** Names the process. */
    readonly process: string
  }

  /** What a facade, one load of this package's JavaScript, offers to the native side. */
  interface Facade {
    makeError(code: string, ...details: never[]): Error
    deliver(removals: unknown[]): void
    /** Has `nextTurn` called when the event loop has turned. */
    later(): void
    fly(news: unknown[]): void
    /** The area that byte values leave through. */
    scratch: Buffer
  }

  /** What the native side offers to one facade, beside what that brought. */
  interface Binding extends Facade {
    open(options: object): Native
    attach(id: number, process: string, clock?: object): Native
    take(bytes: Uint8Array): void
    /** Delivers removals that were left for the next turn of the event loop. */
    nextTurn(): void
    createClock(): object
    advanceClock(clock: object, ms: number): void
    readClock(clock: object): number

    /** The number of a trace that is yet to be read. */
    openTrace(): number
    /** Ends what is done with it, and frees it. */
    closeTrace(trace: number): void
    /** Requests, keys, whether there are sizes and times (1 or 0), bytes of the values of all keys. */
    readTrace(
      trace: number,
      path: string,
      format: string,
      most: number,
    ): Promise<[number, number, number, number, number]>
    /** Of each plan requests, hits, those that had expired, bytes and bytes of hits, flat. */
    simulateTrace(
      trace: number,
      plans: readonly (string | number)[],
      threads: number,
    ): Promise<number[]>
    /** The hit ratio of LRU at each of the capacities and its standard error, flat. */
    curveOfTrace(
      trace: number,
      rate: number,
      inBytes: number,
      capacities: readonly number[],
    ): Promise<number[]>
    /** Bytes that were read, or requests that were simulated, of what is under way. */
    traceProgress(trace: number): number

    /** The number of a recording, with sizes if that is 1, and the first line of its trace. */
    openRecorder(withSizes: number): [recorder: number, header: string]
    /** Frees it. */
    closeRecorder(recorder: number): void
    /** Takes what `MONITOR` tells: what is to be asked over the other connection. */
    recordMonitored(recorder: number, bytes: Uint8Array): Buffer
    /** Takes the answers. */
    recordAnswered(recorder: number, bytes: Uint8Array): void
    /** How many rows are complete, so many at the most, and their text. */
    recordedRows(recorder: number, most: number): [count: number, text: string]

    // Methods of an instance: `at` is its number.
    get(at: number, key: Key): Stored | undefined
    /** As `get`; the port tells by which stamp the value can be kept. */
    getNear(at: number, key: Key): Stored | undefined
    /** The version words and the port. */
    openNear(at: number): [ArrayBuffer, ArrayBuffer] | undefined
    /** The port, also where there is no near cache; `undefined` where no memory can be shared. */
    openPort(at: number): ArrayBuffer | undefined
    /** As `getNear`, also of what is stale or negative: the port says which. */
    getWithState(at: number, key: Key): Stored | undefined
    /** As `getWithState`, where no memory can be shared: the port without its log is left in `area`. */
    getWithStateInto(at: number, key: Key, area: Uint8Array): Stored | undefined
    /** `own`: 1 if `touch` is to know the ttl as the entry's own, not the cache's. */
    setNoted(
      at: number,
      key: Key,
      value: unknown,
      ttl: number | undefined,
      note: Note | undefined,
      own?: 0 | 1,
    ): boolean
    /**
     * The sum. An entry keeps its deadline; a new one gets this ttl, or the cache's. Fails with
     * `ERR_INVALID_VALUE` if the key has no number, or the sum is not finite.
     */
    increment(at: number, key: Key, by: number, initial: number, ttl?: number): number
    /** Whether it was stored: the key had nothing, or only what is over. */
    setIfAbsent(
      at: number,
      key: Key,
      value: unknown,
      ttl?: number,
      note?: Note,
      own?: 0 | 1,
    ): boolean
    /**
     * Stores `value` if the key still has `expected`, as the codec encodes it (`undefined`: nothing);
     * whether it did. Without a ttl an entry keeps its deadline, without a note it keeps that.
     */
    compareAndSet(
      at: number,
      key: Key,
      expected: unknown,
      value: unknown,
      ttl?: number,
      note?: Note,
      own?: 0 | 1,
    ): boolean
    /** Removes the key if it still has `expected`, as the codec encodes it; whether it did. */
    compareAndDelete(at: number, key: Key, expected: unknown): boolean
    /** Has the entry end when it would if it was stored now; whether there was one. */
    touch(at: number, key: Key): boolean
    /** As `get`, and `touch` if there is an entry. */
    getAndTouch(at: number, key: Key): Stored | undefined
    /**
     * State (1 fresh, 2 early, 3 stale, 4 negative), milliseconds left (infinity: it does not end) and
     * since it was stored or touched, bytes charged, number of tags, version, reads of late (0 to 3,
     * under `lfu`), milliseconds that loading it took. -1 is for what is not known.
     */
    info(
      at: number,
      key: Key,
    ):
      | [
          state: 1 | 2 | 3 | 4,
          left: number,
          age: number,
          bytes: number,
          tags: number,
          version: number,
          hits: number,
          cost: number,
        ]
      | undefined
    deleteOlder(at: number, key: Key, version: number, ttl: number): boolean
    epoch(at: number): number
    invalidateTag(at: number, tag: string, soft: 0 | 1): void
    /** Above 0: lead, by this lease, which is the flight's number; below: wait for that flight; 0: look again. */
    join(at: number, key: Key, unless: number, tags?: readonly string[]): number
    /**
     * Ends a flight with what was loaded: above 0 if it was stored. Below 0 if it was a failure and the
     * lease is another's: as of `fail`. `own`: as of `setNoted`.
     */
    land(
      at: number,
      lease: number,
      value: unknown,
      ttl: number | undefined,
      note: Note | undefined,
      kind?: number,
      own?: 0 | 1,
    ): number
    /** False if another one leads meanwhile, or has: this instance waits for what that tells. */
    fail(at: number, lease: number, text: string): boolean
    give(at: number, lease: number, value: unknown, kind?: number): void
    /** Takes no part in a flight any more; false if it leads and others wait for what it loads. */
    leave(at: number, flight: number): boolean
    /** Whether what a lease brings is stored if nothing happens until then. */
    mayStore(at: number, lease: number): boolean
    /**
     * Who waited longest leads instead, if this instance has that lease still; if nobody waits the
     * flight has ended. See mail.ts for what it tells.
     */
    handOver(at: number, flight: number, lease: number): number
    /** As `handOver`, whichever lease it is; if nobody else waits the flight keeps its lease until somebody joins. */
    overdue(at: number, flight: number): number
    used(at: number, records: number): void
    now(at: number): number
    /** The beat of the version words goes on for the next ten seconds: see src/near/time.ts. */
    beat(at: number): void
    peek(at: number, key: Key): Stored | undefined
    has(at: number, key: Key): boolean
    getInto(at: number, key: Key, bytes: Uint8Array): number | undefined
    ttl(at: number, key: Key): number | undefined
    set(at: number, key: Key, value: unknown, ttl?: number): void
    delete(at: number, key: Key): boolean
    expire(at: number, key: Key, ttl: number): boolean
    clear(at: number): void
    getMany(at: number, keys: readonly Key[]): unknown[]
    setMany(
      at: number,
      keys: readonly Key[],
      values: readonly unknown[],
      ttls?: readonly number[],
    ): void
    deleteMany(at: number, keys: readonly Key[]): number
    scan(at: number, cursor: bigint, budget: number, values: 0 | 1): unknown[]
    size(at: number): number
    bytes(at: number): number
    stats(at: number): import('../base/types.ts').CacheStats
    resetStats(at: number): void
    hotKeys(at: number, n: number): (Key | number)[]
    skew(at: number): [top1: number, top10: number, top100: number]
    hottest(at: number, n: number): (Key | number)[]
    bounds(at: number): [number | undefined, number | undefined]
    resize(at: number, max: number | undefined, maxBytes: number | undefined): void
    listen(at: number, must: 0 | 1): number
    unlisten(at: number): void
    close(at: number): void
    save(at: number, path: string): Promise<number>
    load(at: number, path: string): Promise<number>
  }

  export type { Binding, Native, Stored }

  interface Module {
    /**
     * Adds the functions of `Binding` to the object. They know the instances of this facade alone, and
     * are let go with it.
     */
    setup(facade: Facade): Binding
  }

  const native: Module
  export default native
}
