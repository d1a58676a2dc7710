// The routing node: a server that Redis clients connect to, in front of a store of its own.
import { closeSync, readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { BreakwaterError, NativeDriverError } from '../base/errors.ts'
import { createRouter as createNative, type NativeRouter } from '../native/router.ts'
import { Driver } from './driver.ts'
import { Listener, type ListenOptions, listen, SERVER } from './listener.ts'
import { check, checkAddress, type DriverName, type RouterOptions } from './options.ts'
import { isNative, serveNatively, type ThreadDriver } from './sockets.ts'
import { type State, type Step, steps } from './state.ts'
import { Threads } from './threads.ts'

export type { ListenOptions } from './listener.ts'
export type { DriverName, Permission, RouterOptions, RouterUser } from './options.ts'
export type { ReadConcern, RouterRoute } from './routes.ts'

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
  /** What came of the reads of each route, in front of a store. */
  routes: RouteStats[]
}

/** What came of the reads of a route since the start. */
export interface RouteStats {
  /** Its keys: see {@link RouterRoute.match}. */
  match: string
  /** Replies from memory. */
  hits: number
  /** Reads that the store answered, to be remembered. */
  misses: number
  /** Reads that waited for another one's reply. */
  joined: number
  /** Replies that are remembered. */
  stored: number
  /** Replies that are not: their keys changed meanwhile, or they did not fit. */
  dropped: number
  /** Reads that passed by the memory. */
  passed: number
  /** What memory would have answered, in shadow mode. */
  shadowed: number
  /** Replies given beyond their time since the store was unreachable. */
  staleGiven: number
  /** Reads before a reply's end, to replace it. */
  refreshed: number
  /** Reads of keys that were left out since they are written too often. */
  leftOut: number
  /** Replies from memory that were compared with the store's. */
  verified: number
  /** Of these, those that were different, by age: up to 20 ms, 200 ms, 2 s, 20 s, and older. */
  stale: number[]
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
  /** What drives the sockets, once it listens: see {@link RouterOptions.driver}. */
  readonly driver: 'native' | 'net' | undefined
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
  return new ThreadedRouter(createNative(checked), checked.threads, driverOf(options))
}

/** A store is reached by the native driver alone. */
function driverOf({ driver = 'auto', store }: RouterOptions): DriverName {
  return store === undefined ? driver : 'native'
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
  readonly #wanted: DriverName
  #driver: 'native' | 'net' | undefined
  #address: AddressInfo | null = null
  #state: State = 'idle'
  /** Settles when it listens or cannot; never rejects. */
  #opening: Promise<unknown> = Promise.resolve()
  #stop: (() => Promise<void>) | undefined
  #closed: Promise<void> | undefined
  #last: RouterStats | undefined

  constructor(native: NativeRouter, threads: number, driver: DriverName) {
    this.#native = native
    this.#threads = threads
    this.#wanted = driver
  }

  async listen({ port = DEFAULT_PORT, host = DEFAULT_HOST }: ListenOptions = {}) {
    checkAddress(port, host)
    this.#step('listen')
    const opening = this.#serve(port, host)
    this.#opening = opening.catch(() => {})
    try {
      const address = await opening
      this.#step('listening')
      if (this.#state !== 'open') throw stateError('the router was closed before it listened')
      this.#native.setAddress(address.address, address.port)
      this.#address = address
      return address
    } catch (error) {
      if (this.#state === 'opening') this.#step('failed')
      throw error
    }
  }

  close(): Promise<void> {
    if (this.#closed === undefined) {
      this.#step('close')
      this.#closed = this.#close()
    }
    return this.#closed
  }

  /** Moves on; throws where that cannot be. */
  #step(step: Step): void {
    const next = steps[this.#state][step]
    if (next === undefined) throw stateError(`a router that is ${this.#state} cannot ${step}`)
    this.#state = next
  }

  address(): AddressInfo | null {
    return this.#address
  }

  stats(): RouterStats {
    return this.#last ?? (this.#native.stats() as unknown as RouterStats)
  }

  get driver(): 'native' | 'net' | undefined {
    return this.#driver
  }

  async #serve(port: number, host: string): Promise<AddressInfo> {
    const listener = await Listener.open(port, host)
    if (listener === undefined) {
      if (this.#wanted === 'native') throw new NativeDriverError()
      return this.#serveByNet(port, host)
    }
    if (this.#threads === 0) return this.#serveHere(listener)
    const { id } = this.#native
    const warn = (error: Error) => process.emitWarning(error)
    const threads = new Threads(id, listener, this.#wanted, warn)
    try {
      await threads.start(this.#threads)
    } catch (error) {
      await threads.stop()
      throw error
    }
    this.#uses(threads.driver)
    this.#stop = () => threads.stop()
    return listener.address
  }

  /** Serves on this thread. */
  async #serveHere(listener: Listener): Promise<AddressInfo> {
    const { address } = listener
    const sockets = this.#serveNatively(listener)
    if (sockets !== undefined) {
      this.#uses('native')
      this.#stop = () => sockets.drain()
      return address
    }
    if (this.#wanted === 'native') throw new NativeDriverError()
    return this.#serveByNet(address.port, address.address)
  }

  /** Hands the listener over to the native driver, or closes it. */
  #serveNatively(listener: Listener): ThreadDriver | undefined {
    const fd = this.#wanted === 'net' ? -1 : listener.share()
    listener.close()
    if (fd < 0) return undefined
    const sockets = serveNatively(this.#native.id, fd)
    if (sockets === undefined) closeSync(fd)
    return sockets
  }

  async #serveByNet(port: number, host: string): Promise<AddressInfo> {
    const driver = new Driver(this.#native)
    const server = createServer(SERVER, socket => driver.accept(socket))
    const address = await listen(server, port, host)
    this.#uses('net')
    this.#stop = () => driver.drain(server)
    return address
  }

  /** Says once if the native driver was to be expected and is not there. */
  #uses(driver: 'native' | 'net' | undefined): void {
    this.#driver = driver
    if (driver !== 'net' || this.#wanted === 'net' || !isNative()) return
    process.emitWarning(new NativeDriverError(), { code: 'BREAKWATER_NET_DRIVER' })
  }

  async #close(): Promise<void> {
    this.#last = this.stats()
    this.#address = null
    // What is opening is there only then to be closed.
    await this.#opening
    await this.#stop?.()
    this.#native.close()
    this.#step('ended')
  }
}

function stateError(message: string): BreakwaterError {
  return new BreakwaterError('ERR_ROUTER_STATE', message)
}
