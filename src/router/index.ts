// The routing node: a server that Redis clients connect to, in front of a store of its own.
import { readFileSync } from 'node:fs'
import { builtin } from '../base/builtin.ts'
import { BreakwaterError, NativeDriverError, OptionCombinationError } from '../base/errors.ts'
import {
  closeFd,
  createRouter as createNative,
  FaultCost,
  type NativeRouter,
  type NativeStoreTls,
  setStoreTls,
  setTls,
} from '../native/router.ts'
import { Entrance, type ListenOptions, type Plan, plan, type RouterAddress } from './entrances.ts'
import { NetServers, type NetTls } from './net.ts'
import { check, type DriverName, type RouterOptions, speaksTls } from './options.ts'
import { faultError, isNative, serveNatively } from './sockets.ts'
import { type State, type Step, steps } from './state.ts'
import { Threads } from './threads.ts'
import { readStoreTls, readTls, type TlsOptions } from './tls.ts'

export { defineConfig, type RouterConfig } from './config.ts'
export { DEFAULT_HOST, DEFAULT_PORT, type ListenOptions, type RouterAddress } from './entrances.ts'
export type { DriverName, Permission, RouterOptions, RouterUser } from './options.ts'
export type { ReadConcern, ReadFrom, RouterRoute } from './routes.ts'
export type { RingStore, StoreRingOptions, WhenDown } from './store-ring.ts'
export type { StoreOptions } from './store-url.ts'
export type { ClientAuth, StoreTlsOptions, TlsOptions } from './tls.ts'

/** How many bytes the keys of session tickets have. */
const TICKET_KEYS = 48

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
  /** Bugs in the node, each of which cost some clients their connections: see `ERR_INTERNAL`. */
  faults: number
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
  /** What is counted of each server behind the node: the store, then its replicas. */
  upstream: UpstreamStats[]
  /** What came of the reads of each route, in front of a store. */
  routes: RouteStats[]
}

/** What is counted of a server behind a node, over all threads, since the start. */
export interface UpstreamStats {
  /** Where it is. */
  address: string
  /** Whether it takes writes. */
  role: 'primary' | 'replica'
  /**
   * Of the primary: `'up'` while a connection serves, else `'down'`. Of a replica: `'up'` while it is
   * read; `'unknown'`, it has not answered yet; `'unlinked'`, it does not hear from its primary;
   * `'foreign'`, it is no replica of this store; `'unfit'`, it does not answer reads; `'late'`, it is
   * too far behind.
   */
  state: 'up' | 'down' | 'unknown' | 'unlinked' | 'foreign' | 'unfit' | 'late'
  /** How many milliseconds ago a replica surely had all that the primary had. */
  lag: number | undefined
  /** Connections that serve now. */
  connections: number
  /** Connections that began to serve. */
  connects: number
  /** Connections that served and were lost. */
  losses: number
  /** Tries to connect that came to nothing. */
  failures: number
  /** Requests sent, with those of the node itself. */
  requests: number
  /** Requests that wait for their replies now. */
  inFlight: number
  /** Connections that belong to single clients now. */
  pinned: number
  /** Of these, those that no client has. */
  pinnedIdle: number
  /** Clients that wait for one now. */
  pinnedWaiting: number
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
  listen(options?: ListenOptions): Promise<RouterAddress>
  /** Stops accepting, answers what was received, ends all connections and frees the store. */
  close(): Promise<void>
  /** Where it listens, `null` if it does not: the first of {@link Router.addresses}. */
  address(): RouterAddress | null
  /** Everywhere that it listens. */
  addresses(): RouterAddress[]
  /**
   * Reads the files of {@link RouterOptions.tls} and {@link RouterOptions.storeTls} anew. Connections go on as they are; new ones are
   * met by what was read. Rejects with `InvalidOptionError`, and changes nothing, if a file is wrong.
   */
  reload(): Promise<void>
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
  const files: Files = {
    tls: options.tls === undefined ? undefined : certificates(options.tls),
    storeTls: speaksTls(checked) ? once(() => readStoreTls(options.storeTls)) : undefined,
  }
  return new ThreadedRouter(createNative(checked), checked.threads, wantedDriver(options), files)
}

/** A store, and a proxy, is understood by the native driver alone. */
function wantedDriver({ driver = 'auto', store }: RouterOptions): DriverName {
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

/** What is read of files, whenever it is asked for. */
interface Files {
  tls: (() => NetTls) | undefined
  storeTls: (() => NativeStoreTls) | undefined
}

function certificates(options: TlsOptions): () => NetTls {
  const ticketKeys = builtin('node:crypto').randomBytes(TICKET_KEYS)
  return once(() => ({ ...readTls(options), ticketKeys }))
}

/** Reads at once, so that what is wrong is known before anything is made, and later anew. */
function once<T>(read: () => T): () => T {
  let first: T | undefined = read()
  return () => {
    const result = first ?? read()
    first = undefined
    return result
  }
}

class ThreadedRouter implements Router {
  readonly #native: NativeRouter
  readonly #threads: number
  readonly #wanted: DriverName
  readonly #files: Files
  #tls: NetTls | undefined
  #driver: 'native' | 'net' | undefined
  #addresses: RouterAddress[] = []
  #state: State = 'idle'
  /** Settles when it listens or cannot; never rejects. */
  #opening: Promise<unknown> = Promise.resolve()
  #stop: (() => Promise<void>) | undefined
  /** Tells the driver `net` of new certificates. */
  #spread: ((tls: NetTls) => void | Promise<void>) | undefined
  #closed: Promise<void> | undefined
  #last: RouterStats | undefined

  constructor(native: NativeRouter, threads: number, driver: DriverName, files: Files) {
    this.#native = native
    this.#threads = threads
    this.#wanted = driver
    this.#files = files
    this.#takeTls()
  }

  async listen(options: ListenOptions = {}) {
    const plans = plan(options, this.#tls !== undefined)
    if (options.proxyProtocol && this.#wanted === 'net') {
      const why = 'headers of proxies need the native one'
      throw new OptionCombinationError('proxyProtocol', true, "driver 'net'", why)
    }
    this.#step('listen')
    const opening = this.#serve(plans)
    this.#opening = opening.catch(() => {})
    try {
      const addresses = await opening
      this.#step('listening')
      if (this.#state !== 'open') throw stateError('the router was closed before it listened')
      this.#addresses = addresses
      const [first] = addresses
      this.#native.setAddress(first!.address, first!.port)
      return first!
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

  address(): RouterAddress | null {
    return this.#addresses[0] ?? null
  }

  addresses(): RouterAddress[] {
    return [...this.#addresses]
  }

  async reload(): Promise<void> {
    const tls = this.#takeTls()
    if (tls !== undefined) await this.#spread?.(tls)
  }

  stats(): RouterStats {
    return this.#last ?? (this.#native.stats() as unknown as RouterStats)
  }

  get driver(): 'native' | 'net' | undefined {
    return this.#driver
  }

  /** Reads the files of TLS; the native drivers have them from now on. */
  #takeTls(): NetTls | undefined {
    const { id } = this.#native
    const [tls, storeTls] = [this.#files.tls?.(), this.#files.storeTls?.()]
    if (tls !== undefined) setTls(id, tls)
    if (storeTls !== undefined) setStoreTls(id, storeTls)
    this.#tls = tls
    return tls
  }

  async #serve(plans: Plan[]): Promise<RouterAddress[]> {
    const entrances = await openAll(plans)
    if (entrances === undefined) {
      if (this.#wanted === 'native') throw new NativeDriverError()
      return this.#serveByNet(plans.filter(each => 'port' in each))
    }
    if (this.#threads === 0) return this.#serveHere(entrances)
    const { id } = this.#native
    const threads = new Threads(id, entrances, this.#wanted, this.#tls, warn)
    try {
      await threads.start(this.#threads)
    } catch (error) {
      for (const entrance of entrances) entrance.remove()
      await threads.stop()
      throw error
    }
    this.#uses(threads.driver)
    this.#stop = () => threads.stop()
    this.#spread = tls => threads.setTls(tls)
    return this.#opened(entrances)
  }

  /** Where they are; they are taken away in the end. */
  #opened(entrances: Entrance[]): RouterAddress[] {
    const stop = this.#stop
    this.#stop = async () => {
      for (const entrance of entrances) entrance.remove()
      await stop?.()
    }
    return entrances.map(({ address }) => address)
  }

  /** Serves on this thread. */
  async #serveHere(entrances: Entrance[]): Promise<RouterAddress[]> {
    if (this.#wanted !== 'net' && this.#serveNatively(entrances)) return this.#opened(entrances)
    const shares = entrances.map(entrance => entrance.share())
    for (const entrance of entrances) entrance.close()
    if (this.#wanted !== 'native') {
      await this.#serveByNet(shares)
      return this.#opened(entrances)
    }
    for (const { fd } of shares) closeFd(fd)
    throw new NativeDriverError()
  }

  /** Serves natively on this thread, and again if a bug ends the driver; `false` where it cannot be. */
  #serveNatively(entrances: Entrance[]): boolean {
    const start = () => {
      const shares = entrances.map(entrance => entrance.share())
      const started = serveNatively(this.#native.id, shares, fault => {
        warn(faultError(fault))
        if (fault.cost !== FaultCost.driver || this.#state !== 'open') return
        sockets = start()
      })
      if (started === undefined) for (const { fd } of shares) closeFd(fd)
      return started
    }
    let sockets = start()
    if (sockets === undefined) return false
    this.#uses('native')
    this.#stop = async () => {
      for (const entrance of entrances) entrance.close()
      await sockets?.drain()
    }
    return true
  }

  async #serveByNet(entrances: Parameters<NetServers['open']>[0]): Promise<RouterAddress[]> {
    const servers = new NetServers(this.#native, this.#tls)
    this.#stop = () => servers.drain()
    this.#spread = tls => servers.setTls(tls)
    const addresses = await servers.open(entrances)
    this.#uses('net')
    return addresses
  }

  /** Says once if the native driver was to be expected and is not there. */
  #uses(driver: 'native' | 'net' | undefined): void {
    this.#driver = driver
    if (driver !== 'net' || this.#wanted === 'net' || !isNative()) return
    process.emitWarning(new NativeDriverError(), { code: 'BREAKWATER_NET_DRIVER' })
  }

  async #close(): Promise<void> {
    this.#last = this.stats()
    this.#addresses = []
    // What is opening is there only then to be closed.
    await this.#opening
    await this.#stop?.()
    this.#native.close()
    this.#step('ended')
  }
}

/** Tells of what cost clients their connections. */
function warn(error: Error): void {
  process.emitWarning(error)
}

/** Opens all or none; `undefined` where descriptors cannot be shared (Windows). */
async function openAll(plans: Plan[]): Promise<Entrance[] | undefined> {
  const entrances: Entrance[] = []
  try {
    for (const each of plans) {
      const entrance = await Entrance.open(each)
      if (entrance === undefined) return undefined
      entrances.push(entrance)
    }
    return entrances
  } catch (error) {
    for (const entrance of entrances) {
      entrance.remove()
      entrance.close()
    }
    throw error
  }
}

function stateError(message: string): BreakwaterError {
  return new BreakwaterError('ERR_ROUTER_STATE', message)
}
