// What a channel is to a session, and a session to its channel: how changes of other processes are heard
// of, and told.
import type { CacheKey } from '../../../base/types.ts'
import type { TierHost } from '../../contract.ts'
import type { Change, Message } from './messages.ts'

/** What a key of the store stands for. */
export type Stored = { readonly key: CacheKey } | { readonly tag: string } | 'everything'

/** What the channel needs to know about the store. */
export interface ChannelKeys {
  /** What the keys begin with that a cache has in the store; none of these begins with another. */
  readonly prefixes: readonly string[]
  /** What keys begin with that exist for a moment, to tell of what no other key stands for. */
  readonly marks: string
  /** The name of the bus: of this cache, and of no other. */
  readonly bus: string
  /** What a key stands for; `undefined` if it is nothing that the cache knows. */
  read(stored: Buffer): Stored | undefined
}

/** What the channel tells. */
export interface ChannelHost extends TierHost {
  /** Takes a message of another thread of this process; `false` if it is none. */
  takes?(message: Message): boolean
}

/** How a cache hears of changes elsewhere, and tells of its own. */
export interface Channel {
  /** Resolves when changes elsewhere are heard of, or cannot be for now. */
  readonly ready: Promise<void>
  /**
   * The client to write by so that this cache does not hear of what it writes; `undefined` if any will
   * do. Another one after each loss. What a script or a function of Redis writes comes back all the
   * same, as the server does not know who called it: unless a plain command touches the key last in
   * the same transaction, as `PEXPIRE` does.
   */
  writer(): object | undefined
  /** A server answered that it is not what it was: asks at once whether what stands still does. */
  doubt(): void
  /**
   * Tells the others, once the store has what is told of. By tracking they know of keys that were
   * written already: tell only what no written key stands for.
   *
   * @param at - when it was asked for, in microseconds of the process.
   */
  publish(change: Partial<Change>, at?: number): void
  /** Whether the server tells of written keys. */
  readonly tracks: boolean
  /**
   * A key that tells of a change when it is written and removed: for who tracks, in one step with the
   * change. `undefined` if nobody does.
   */
  mark(change: Partial<Change>, at?: number): Buffer | undefined
  close(): Promise<void>
}
