// What a pool and its workers say to each other.

/** What a thread is started with. */
export interface Assignment {
  /** The module of the tasks. */
  readonly file: string
  /** Which worker of the pool it is. */
  readonly worker: number
  /** `data` of the pool's options. */
  readonly data: unknown
}

/** What the pool tells a worker. */
export type Order =
  | { readonly kind: 'do'; readonly id: number; readonly key: string; readonly task: unknown }
  | { readonly kind: 'abort'; readonly id: number; readonly reason: string }
  | { readonly kind: 'ping' }
  | { readonly kind: 'end' }

/** What a worker tells the pool. Errors are texts. */
export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly error: string }
  | { readonly kind: 'alive' }
