// What a routing node can be asked for: the interface Router, and what its calls return.
import type { RouterConfig } from './config.ts'
import type { ListenOptions, RouterAddress } from './entrances.ts'
import type { RouterMemory } from './memory.ts'
import type { RouterOptions } from './options.ts'
import type { RouterStats } from './stats.ts'
import type { RouterStatus } from './status.ts'

/** What a reload came to. */
export interface ReloadResult {
  /**
   * What has changed, by the paths of options: `'maxClients'`, `'routes[user:*].ttl'`,
   * `'users[ada]'` for one that came or went. Empty if nothing has.
   */
  changed: string[]
}

/** A routing node. */
export interface Router {
  /**
   * Binds and serves. Rejects with the error of the system, whose `code` is `EADDRINUSE` where the
   * port is taken.
   */
  listen(options?: ListenOptions): Promise<RouterAddress>
  /** Stops accepting, answers what was received, ends all connections and frees the store. */
  close(): Promise<void>
  /** Where it listens, `null` if it does not: the first of {@link Router.addresses}. */
  address(): RouterAddress | null
  /** Everywhere that it listens. */
  addresses(): RouterAddress[]
  /**
   * Takes a new configuration, whole: what it leaves out has its default. Connections go on; requests
   * that come from now on are judged by the new one, on all threads. Without `config`, the files of
   * {@link RouterOptions.tls} and {@link RouterOptions.storeTls} are read anew, and all else stays.
   *
   * A client is disconnected if its user is gone, or may not hear any more what it subscribes to or
   * tracks. A user's new password counts for those who connect.
   *
   * Rejects, and changes nothing, if anything is wrong, or is other than it was and cannot change
   * while the router runs: `policy`, `driver`, `store`, whether there is `tls`, and
   * `listen`, if it is given. The error names the option, its value now and the one asked for.
   *
   * @param config - it, or what gives it: what that throws counts as a refusal.
   * @throws InvalidOptionError an option that is wrong, or cannot change
   */
  reload(
    config?: RouterConfig | (() => RouterConfig | Promise<RouterConfig>),
  ): Promise<ReloadResult>
  /**
   * Puts a new thread in the place of each, one after the other: the old one stops accepting once the
   * new one serves, answers what it received, and disconnects its clients as {@link RouterOptions.drain}
   * says. What a store of its own has stays. Rejects with `ERR_ROUTER_STATE` if the router does not listen, or
   * has no threads of its own; and with what a new thread fails with: the old ones go on.
   */
  restart(): Promise<void>
  /**
   * Connects to the store behind the router, if there is one, before a client needs that. Done when it
   * has answered once, however long that takes, or when the router closes.
   */
  warmUp(): Promise<void>
  /**
   * Whether clients should be sent here: it listens, and has met a store behind it once. It stays ready
   * while that store is away, for all nodes in front of it would cease to be at once; it is not while
   * it closes.
   */
  readonly isReady: boolean
  /** The options that it goes by, as they were given: passwords are among them. */
  options(): RouterOptions
  /** Where it stands: its state, whether it is ready and why not, its threads, how far a drain is. */
  status(): RouterStatus
  /** Counts since the start. */
  stats(): RouterStats
  /**
   * What it remembers of the store behind it, in all processes if its workers are such; `undefined` if it
   * has a store of its own.
   */
  readonly memory: RouterMemory | undefined
  /**
   * Records what clients read, until `signal` aborts: the lines of a trace for `breakwater simulate`, with
   * hashes of keys that cannot be turned back. A line that begins with `#` is no row of it.
   *
   * @throws BreakwaterError (`ERR_ROUTER_STATE`): it is being recorded already, or does not serve
   */
  record(signal: AbortSignal): AsyncIterable<string>
  /**
   * What it reads most, for another node's {@link RouterOptions.warm}: the words of requests, and no values.
   *
   * @throws BreakwaterError (`ERR_ROUTER_STATE`): it does not serve, or is in front of no store
   */
  hotReads(): Promise<Uint8Array>
  /** What drives the sockets, once it listens: see {@link RouterOptions.driver}. */
  readonly driver: 'native' | 'net' | undefined
}
