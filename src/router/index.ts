// The routing node: a server that Redis clients connect to, in front of a store of its own.
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { BreakwaterError } from '../base/errors.ts'
import { createRouter as createNative, type NativeRouter } from '../native/router.ts'
import { Driver } from './driver.ts'
import { Listener, type ListenOptions, listen, SERVER } from './listener.ts'
import { check, checkAddress, type RouterOptions } from './options.ts'
import { Threads } from './threads.ts'

export type { ListenOptions } from './listener.ts'
export type { Permission, RouterOptions, RouterUser } from './options.ts'

/** The port that a router listens on if none is given; 6379 is left to Redis. */
export const DEFAULT_PORT = 6380
/** The address that a router binds to if none is given: reached from this machine alone. */
export const DEFAULT_HOST = '127.0.0.1'

/** Counts since the start, of all threads together. */
export interface RouterStats {
  /** Clients connected now. */
  clients: number
  /** Clients ever connected. */
  connections: number
  /** Clients turned away because there were too many. */
  refused: number
  /** Commands run. */
  commands: number
  /** Bytes received from clients. */
  bytesReceived: number
  /** Bytes of replies. */
  bytesSent: number
  /** Reads that found their key. */
  hits: number
  /** Reads that did not. */
  misses: number
  /** Entries that made room for others. */
  evictions: number
  /** Entries whose time ran out. */
  expirations: number
  /** Entries now. */
  entries: number
  /** Bytes charged to the store now. */
  bytes: number
}

/** A routing node. */
export interface Router {
  /**
   * Binds and serves. Rejects with the error of the system, whose `code` is `EADDRINUSE` where the
   * port is taken.
   */
  listen(options?: ListenOptions): Promise<AddressInfo>
  /** Stops accepting, answers what was received, ends all connections and frees the store. */
  close(): Promise<void>
  /** Where it listens, `null` if it does not. */
  address(): AddressInfo | null
  /** Counts since the start. */
  stats(): RouterStats
}

/**
 * Creates a routing node: any Redis client may connect to it.
 *
 * @example
 * ```ts
 * import { createRouter } from 'breakwater/router'
 *
 * const router = createRouter({ maxBytes: '64mb', threads: 1 })
 * const { port } = await router.listen({ port: 0 })
 * // redis-cli -p ${port} set harbour calm
 * await router.close()
 * ```
 *
 * @throws InvalidOptionError an option that cannot be, with its name, value and what is allowed
 */
export function createRouter(options: RouterOptions = {}): Router {
  const checked = check(options, version())
  return new ThreadedRouter(createNative(checked), checked.threads)
}

/** This package's version. */
export function version(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const manifest = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
      if (manifest.name === 'breakwater') return manifest.version
    } catch {
      // The CommonJS build lies one folder deeper.
    }
  }
  return 'unknown'
}

class ThreadedRouter implements Router {
  readonly #native: NativeRouter
  readonly #threads: number
  #address: AddressInfo | null = null
  #state: 'new' | 'open' | 'closed' = 'new'
  #stop: (() => Promise<void>) | undefined
  #closed: Promise<void> | undefined
  #last: RouterStats | undefined

  constructor(native: NativeRouter, threads: number) {
    this.#native = native
    this.#threads = threads
  }

  async listen({ port = DEFAULT_PORT, host = DEFAULT_HOST }: ListenOptions = {}) {
    if (this.#state !== 'new') {
      throw new BreakwaterError('ERR_ROUTER_STATE', 'a router listens once')
    }
    checkAddress(port, host)
    this.#state = 'open'
    try {
      const address = await this.#serve(port, host)
      this.#native.setAddress(address.address, address.port)
      this.#address = address
      return address
    } catch (error) {
      this.#state = 'new'
      throw error
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  address(): AddressInfo | null {
    return this.#address
  }

  stats(): RouterStats {
    return this.#last ?? (this.#native.stats() as unknown as RouterStats)
  }

  async #serve(port: number, host: string): Promise<AddressInfo> {
    const listener = this.#threads > 0 ? await Listener.open(port, host) : undefined
    if (listener === undefined) return this.#serveHere(port, host)
    const threads = new Threads(this.#native.id, listener, error => process.emitWarning(error))
    try {
      await threads.start(this.#threads)
    } catch (error) {
      await threads.stop()
      throw error
    }
    this.#stop = () => threads.stop()
    return listener.address
  }

  async #serveHere(port: number, host: string): Promise<AddressInfo> {
    const driver = new Driver(this.#native)
    const server = createServer(SERVER, socket => driver.accept(socket))
    const address = await listen(server, port, host)
    this.#stop = () => driver.drain(server)
    return address
  }

  async #close(): Promise<void> {
    this.#last = this.stats()
    this.#state = 'closed'
    this.#address = null
    await this.#stop?.()
    this.#native.close()
  }
}
