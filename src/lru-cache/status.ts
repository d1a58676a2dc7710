// What a method tells of its work.
import type { DisposeReason, Milliseconds, Size } from './types.ts'

/** Filled in by the method that it is given to: what happened, and why. */
export interface Report<K, V> {
  /** The method. */
  op?: 'get' | 'set' | 'memo' | 'fetch' | 'delete' | 'has' | 'peek'
  /** What `set` did; `miss`: the entry is too large and was not stored. */
  set?: 'add' | 'update' | 'replace' | 'miss' | 'deleted'
  /** Why an entry was removed. */
  delete?: DisposeReason
  /** What `peek` found. */
  peek?: 'hit' | 'miss' | 'stale'
  /** Whether `memo` found a value. */
  memo?: 'hit' | 'miss'
  /** What was given as `context`. */
  context?: unknown
  /** How long the entry lives. */
  ttl?: Milliseconds
  /** When its life began. */
  start?: Milliseconds
  /** The moment that its age was computed for. */
  now?: Milliseconds
  /** How long it still lives; below 0 if it is stale. */
  remainingTTL?: Milliseconds
  /** The size of the entry. */
  entrySize?: Size
  /** The size of all entries. */
  totalCalculatedSize?: Size
  /** The entry is larger than `maxEntrySize`. */
  maxEntrySizeExceeded?: true
  /** The key. */
  key?: K
  /** The value that was stored or found. */
  value?: V
  /** The value that was replaced. */
  oldValue?: V
  /** What `has` found. */
  has?: 'hit' | 'stale' | 'miss'
  /** What `fetch` found; `get`: the cache has no `fetchMethod`. */
  fetch?: 'get' | 'inflight' | 'miss' | 'hit' | 'stale' | 'refresh'
  /** Whether a refresh was asked for. */
  forceRefresh?: boolean
  /** The `fetchMethod` was called. */
  fetchDispatched?: true
  /** What it gave was stored. */
  fetchUpdated?: true
  /** Why the fetch failed. */
  fetchError?: Error
  /** It was aborted. */
  fetchAborted?: true
  /** It was aborted, and what it gave counts all the same. */
  fetchAbortIgnored?: true
  /** The `fetchMethod` gave a result. */
  fetchResolved?: true
  /** The `fetchMethod` failed. */
  fetchRejected?: true
  /** What `get` found. */
  get?: 'stale' | 'hit' | 'miss' | 'fetching' | 'stale-fetching'
  /** A stale value was given back. */
  returnedStale?: true
  /** A trace of this fetch was begun. */
  trace?: boolean
}
