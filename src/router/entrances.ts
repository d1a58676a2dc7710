// Where clients come in: listening sockets, made on one thread, accepted from on many.
import { closeSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { InvalidOptionError, OptionCombinationError } from '../base/errors.ts'
import { duplicateFd, Entering } from '../native/router.ts'

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
   * speak TLS on it. Default: 6380, and none where `tlsPort` is given.
   */
  port?: number | undefined
  /** The port for clients that speak TLS, 0 for any free one. Default: none. */
  tlsPort?: number | undefined
  /** The address or name to bind to. Default: `127.0.0.1`, which only this machine reaches. */
  host?: string | undefined
}

/** Where clients reach a router. */
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
}

/** An entrance before it is open. */
export interface Plan {
  port: number
  host: string
  kind: number
}

/** What to open. Throws {@link InvalidOptionError}. */
export function plan(options: ListenOptions, secure: boolean): Plan[] {
  const { host = DEFAULT_HOST, tlsPort } = options
  const { port = tlsPort === undefined ? DEFAULT_PORT : undefined } = options
  if (typeof host !== 'string' || host === '') {
    throw new InvalidOptionError('host', host, 'an address or a name')
  }
  if (tlsPort !== undefined && !secure) {
    throw new OptionCombinationError('tlsPort', 'given', 'no tls', 'it needs a certificate')
  }
  const plans: Plan[] = []
  if (port !== undefined) {
    const kind = secure && tlsPort === undefined ? Entering.secure : 0
    plans.push({ port: checkPort('port', port), host, kind })
  }
  if (tlsPort !== undefined) {
    plans.push({ port: checkPort('tlsPort', tlsPort), host, kind: Entering.secure })
  }
  return plans
}

function checkPort(option: string, port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new InvalidOptionError(option, port, 'a whole number from 0 to 65535')
}

/** A listening socket that nobody accepts from yet. */
export class Entrance {
  readonly address: RouterAddress
  readonly #fd: number
  readonly #kind: number

  private constructor(address: AddressInfo, fd: number, kind: number) {
    this.address = described(address, kind)
    this.#fd = fd
    this.#kind = kind
  }

  /** Binds and listens; `undefined` where descriptors cannot be shared (Windows). */
  static async open({ port, host, kind }: Plan): Promise<Entrance | undefined> {
    const server = createServer()
    const address = await listen(server, { port, host })
    // We are still in the turn in which it began to listen: it has accepted nothing yet.
    const handle = (server as unknown as { _handle: { fd?: number } | null })._handle
    const fd = duplicateFd(handle?.fd ?? -1)
    server.close()
    return fd < 0 ? undefined : new Entrance(address, fd, kind)
  }

  /** For one more thread. */
  share(): Share {
    return { fd: duplicateFd(this.#fd), kind: this.#kind }
  }

  /** Lets go of it; threads that share it go on. */
  close(): void {
    closeSync(this.#fd)
  }
}

/** An address as routers tell it. */
export function described(address: AddressInfo, kind: number): RouterAddress {
  return { ...address, secure: (kind & Entering.secure) !== 0 }
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
