/** What the native module offers: see `EXPORTS` and `METHODS` in crates/node/src/lib.rs. */
declare module '#binding' {
  type Key = string | number | Uint8Array

  /** What a value is to the native side; a `number` stands for bytes left in the scratch area. */
  type Stored = string | number

  /** What a cache was asked to be. */
  interface Description {
    readonly id: number
    /** Whether it was made just now. */
    readonly created: boolean
    readonly name?: string
    readonly policy: string
    readonly codec: string
    readonly max?: number
    readonly maxBytes?: number
    readonly ttl?: number
    readonly jitter: number
  }

  /** A cache as one instance of this isolate holds it. */
  interface Native {
    readonly description: Description

    get(key: Key): Stored | undefined
    peek(key: Key): Stored | undefined
    has(key: Key): boolean
    getInto(key: Key, bytes: Uint8Array): number | undefined
    ttl(key: Key): number | undefined
    set(key: Key, value: unknown, ttl?: number): void
    delete(key: Key): boolean
    expire(key: Key, ttl: number): boolean
    clear(): void
    getMany(keys: readonly Key[]): unknown[]
    setMany(keys: readonly Key[], values: readonly unknown[], ttls?: readonly number[]): void
    deleteMany(keys: readonly Key[]): number
    scan(cursor: bigint, budget: number, values: 0 | 1): unknown[]
    size(): number
    bytes(): number
    stats(): import('./types.ts').CacheStats
    resetStats(): void
    hotKeys(n: number): (Key | number)[]
    bounds(): [number | undefined, number | undefined]
    resize(max: number | undefined, maxBytes: number | undefined): void
    listen(must: 0 | 1): number
    unlisten(): void
    close(): void
    save(path: string): Promise<number>
    load(path: string): Promise<number>
  }

  interface Binding {
    setup(
      fail: (code: string, ...details: never[]) => Error,
      deliver: (removals: unknown[]) => void,
    ): ArrayBuffer
    open(options: object): Native
    attach(id: number): Native
    take(bytes: Uint8Array): void
    createClock(): object
    advanceClock(clock: object, ms: number): void
    readClock(clock: object): number
  }

  export type { Native, Stored }

  const binding: Binding
  export default binding
}
