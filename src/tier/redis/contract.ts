// What the session of a cache wants of its invalidation channel.
import type { CacheKey } from '../../types.ts'
import type { Connection } from './client.ts'

/** What was written or removed here. */
export interface News {
  readonly keys?: readonly CacheKey[] | undefined
  readonly tags?: readonly string[] | undefined
  /** Everything. */
  readonly clear?: boolean | undefined
}

/** How the caches over one store hear of each other's changes. */
export interface Channel {
  /** Resolves when changes elsewhere are heard of, or cannot be for now. */
  readonly ready: Promise<void>
  /** What writes have to go through, for the server not to tell us of them; any if `undefined`. */
  writer(): Connection | undefined
  /** Tells the others. Called after the store has it. */
  publish(news: News): void
  close(): void | Promise<void>
}
