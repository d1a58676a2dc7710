// Where clients come in: listening sockets, made on one thread, accepted from on many.
import { type AddressInfo, createServer, type Server } from 'node:net'
import { checkFlag, checkNoNull } from '../base/checks.ts'
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import {
  closeFd,
  duplicateFd,
  Entering,
  holdEntrance,
  type NativeEntrance,
} from '../native/router.ts'
import { openUnix, planUnix, type UnixPlan } from './unix.ts'

/** The port that a router listens on if none is given; 6379 is left to Redis. */
export const DEFAULT_PORT = 6380
/** The address that a router binds to if none is given: reached from this machine alone. */
export const DEFAULT_HOST = '127.0.0.1'
/** Clients that wait to be accepted. */
const BACKLOG = 511

/** Where to listen. */
export interface ListenOptions {
  /**
   * The TCP port, 0 for any free one. With the router's option `tls` and without `tlsPort`, clients
   * speak TLS on it. Default: 6380, and none where `tlsPort` or `unix` is given.
   */
  port?: number | undefined
  /** The port for clients that speak TLS, 0 for any free one. Default: none. */
  tlsPort?: number | undefined
  /** The address or name to bind to. Default: `127.0.0.1`, which only this machine reaches. */
  host?: string | undefined
  /** The path of a socket of this machine, which clients do not speak TLS on. Not on Windows. */
  unix?: string | undefined
  /** Who may connect to it, as the permissions of its file: `0o700`, its owner, is the default. */
  unixPermissions?: number | undefined
  /**
   * Descriptors of listening sockets that the process was given, as a service manager does, instead of
   * `port` and the others; with the router's option `tls`, clients speak TLS on those of TCP. They stay
   * open when the router closes: who comes then waits for the next one. Not on Windows.
   */
  fds?: number[] | undefined
  /**
   * Whether each connection to a port begins with a header of the PROXY protocol, version 1 or 2,
   * which says who the client is. Needs the native driver. Default: `false`.
   */
  proxyProtocol?: boolean | undefined
}

/** Where clients reach a router; a socket of this machine has the family `'unix'` and port 0. */
export interface RouterAddress extends AddressInfo {
  /** Whether they speak TLS there. */
  secure: boolean
}

/** What a thread is given to accept from. */
export interface Share {
  /** A descriptor of its own, which it closes. */
  fd: number
  /** What is spoken there, in the bits of {@link Entering}. */
  kind: number
  /** Where it is. */
  address: RouterAddress
}

/** A port before it is open. */
export interface PortPlan {
  port: number
  host: string
  kind: number
}

/** A descriptor that listens already. */
export interface FdPlan {
  fd: number
  kind: number
}

/** An entrance before it is open. */
export type Plan = PortPlan | UnixPlan | FdPlan

/** What to open. Throws {@link InvalidOptionError}. */
export function plan(options: ListenOptions, secure: boolean): Plan[] {
  const { host = DEFAULT_HOST, tlsPort, unix, proxyProtocol = false } = options
  const mode = whole('unixPermissions', options.unixPermissions ?? 0o700, 0o777)
  const { fds } = options
  if (fds !== undefined) checkFds(fds)
  const elsewhere = tlsPort !== undefined || unix !== undefined || fds !== undefined
  const { port = elsewhere ? undefined : DEFAULT_PORT } = options
  if (typeof host !== 'string' || host === '') {
    throw new InvalidOptionError('host', host, 'an address or a name')
  }
  if (tlsPort !== undefined && !secure) {
    throw new OptionCombinationError('tlsPort', 'given', 'no tls', 'it needs a certificate')
  }
  const proxied = checkFlag('proxyProtocol', proxyProtocol) ? Entering.proxied : 0
  const plans: Plan[] = []
  if (port !== undefined) {
    const kind = proxied | (secure && tlsPort === undefined ? Entering.secure : 0)
    plans.push({ port: whole('port', port, 65_535), host, kind })
  }
  if (tlsPort !== undefined) {
    const kind = proxied | Entering.secure
    plans.push({ port: whole('tlsPort', tlsPort, 65_535), host, kind })
  }
  if (unix !== undefined) {
    plans.push(planUnix(unix, mode))
  }
  for (const fd of fds ?? []) plans.push({ fd, kind: proxied | (secure ? Entering.secure : 0) })
  checkNoNull('', options)
  return plans
}

function checkFds(fds: number[]): void {
  const all = 'a list of descriptors of listening sockets, as [3]'
  if (holdEntrance === undefined) {
    throw new InvalidOptionError('fds', fds, 'left out: this system cannot share descriptors')
  }
  if (!Array.isArray(fds) || fds.length === 0) throw new InvalidOptionError('fds', fds, all)
  const wrong = fds.find(fd => !Number.isInteger(fd) || fd < 3)
  if (wrong !== undefined) throw new InvalidOptionError('fds', wrong, all)
}

function whole(option: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= most) return value
  throw new InvalidOptionError(option, value, `a whole number from 0 to ${most}`)
}

/** A listening socket that nobody accepts from yet. */
export class Entrance {
  readonly address: RouterAddress
  readonly #socket: NativeEntrance
  readonly #kind: number
  readonly #removes: () => void

  private constructor(
    address: AddressInfo,
    socket: NativeEntrance,
    kind: number,
    removes = () => {},
  ) {
    this.address = described(address, kind)
    this.#socket = socket
    this.#kind = kind
    this.#removes = removes
  }

  /** Binds and listens; `undefined` where descriptors cannot be shared (Windows). */
  static async open(planned: Plan): Promise<Entrance | undefined> {
    if ('path' in planned) {
      const { fd, remove } = await openUnix(planned)
      const address = { address: planned.path, family: 'unix', port: 0 }
      return new Entrance(address, holdEntrance!(fd), planned.kind, remove)
    }
    if ('fd' in planned) return Entrance.#take(planned)
    const { port, host, kind } = planned
    const server = createServer()
    const address = await listen(server, { port, host })
    // We are still in the turn in which it began to listen: it has accepted nothing yet.
    const handle = (server as unknown as { _handle: { fd?: number } | null })._handle
    const fd = duplicateFd(handle?.fd ?? -1)
    server.close()
    return fd < 0 ? undefined : new Entrance(address, holdEntrance!(fd), kind)
  }

  /** Takes a socket that listens already; the descriptor stays the process's. */
  static async #take({ fd, kind }: FdPlan): Promise<Entrance> {
    const own = duplicateFd(fd)
    const server = createServer()
    let address: AddressInfo | null
    try {
      address = await listen(server, { fd: own })
    } catch {
      closeFd(own)
      throw new InvalidOptionError('fds', fd, 'the descriptor of a listening socket')
    }
    const held = holdEntrance!(duplicateFd(fd))
    server.close()
    // Node.js tells no address of a socket of this machine that it has not opened.
    if (address !== null) return new Entrance(address, held, kind)
    return new Entrance(
      { address: `descriptor ${fd}`, family: 'unix', port: 0 },
      held,
      Entering.unix,
    )
  }

  /** For one more thread. */
  share(): Share {
    return { fd: this.#socket.share(), kind: this.#kind, address: this.address }
  }

  /** Closes the connections of those who wait to be accepted: nobody does that now. */
  hangUp(): void {
    this.#socket.hangUp()
  }

  /** Lets go of it; threads that share it go on. */
  close(): void {
    this.#socket.close()
  }

  /** Takes away what others could find it by. */
  remove(): void {
    this.#removes()
  }
}

/** For one more thread: of each entrance, or of none if the process has no descriptors left. */
export function shareAll(entrances: readonly Entrance[]): Share[] {
  const shares: Share[] = []
  try {
    for (const entrance of entrances) shares.push(entrance.share())
    return shares
  } catch (error) {
    giveBack(shares)
    throw error
  }
}

/** Closes what nobody has taken. */
export function giveBack(shares: readonly Share[]): void {
  for (const { fd } of shares) closeFd(fd)
}

/** An address as routers tell it. */
export function described(address: AddressInfo, kind: number): RouterAddress {
  return { ...address, secure: speaksTls(kind) }
}

/** Whether clients speak TLS at an entrance of this kind. */
export function speaksTls(kind: number): boolean {
  return (kind & Entering.secure) !== 0
}

/** Listens, or says why it cannot. */
export function listen(
  server: Server,
  on: { port: number; host: string } | { fd: number },
): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ ...on, backlog: BACKLOG }, () => {
      server.off('error', reject)
      resolve(server.address() as AddressInfo)
    })
  })
}

/** Opens all or none; `undefined` where descriptors cannot be shared (Windows). */
export async function openAll(plans: Plan[]): Promise<Entrance[] | undefined> {
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
