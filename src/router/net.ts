// The driver of Node.js's own sockets: a server for each entrance, of TLS where clients speak it.
import { createServer, type Server, type ServerOpts } from 'node:net'
import type { SecureContext, SecureContextOptions, TLSSocket, Server as TlsServer } from 'node:tls'
import type { HookError } from '../base/errors.ts'
import { attachRouter, Entering, type NativeRouter, type NativeTls } from '../native/router.ts'
import type { Drain } from './drain.ts'
import { Driver } from './driver.ts'
import { described, listen, type PortPlan, type RouterAddress, type Share } from './entrances.ts'
import type { CheckedHooks } from './hooks/define.ts'
import type { ThreadDriver } from './sockets.ts'

/** How sockets are set up on every thread. */
const SERVER: ServerOpts = {
  // A client that has sent everything may still read the replies.
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 300_000,
  highWaterMark: 64 * 1024,
}
/** How long a client may take to agree on keys, in milliseconds. */
const HANDSHAKE = 10_000

/** TLS as a thread of this driver gets it. */
export interface NetTls extends NativeTls {
  /** The keys of session tickets, the same on all threads. */
  ticketKeys: Uint8Array
}

/** Servers of one thread. */
export class NetServers implements ThreadDriver {
  readonly #driver: Driver
  readonly #servers: Server[] = []
  #tls: NetTls | undefined
  #contexts = new Map<string, SecureContext>()

  constructor(router: NativeRouter, tls: NetTls | undefined, failed: (error: HookError) => void) {
    this.#driver = new Driver(router, failed)
    this.#tls = tls
  }

  /** Of a router of this process, on another thread. */
  static attach(
    router: number,
    tls: NetTls | undefined,
    failed: (error: HookError) => void,
  ): NetServers {
    return new NetServers(attachRouter(router), tls, failed)
  }

  setHooks(hooks: CheckedHooks | undefined): void {
    this.#driver.setHooks(hooks)
  }

  /** Opens entrances, or takes over shared ones. */
  async open(entrances: readonly (PortPlan | Share)[]): Promise<RouterAddress[]> {
    const addresses: RouterAddress[] = []
    for (const entrance of entrances) {
      const { kind } = entrance
      const secure = (kind & Entering.secure) !== 0
      const server = secure ? await this.#secure() : this.#plain(pathOf(entrance))
      this.#servers.push(server)
      const address = await listen(server, entrance)
      server.on('error', error => this.#driver.makeRoom(error))
      addresses.push('address' in entrance ? entrance.address : described(address, kind))
    }
    return addresses
  }

  /** Meets clients this way from now on. */
  async setTls(tls: NetTls): Promise<void> {
    this.#tls = tls
    const { createSecureContext } = await import('node:tls')
    const options = optionsOf(tls)
    this.#contexts = new Map()
    for (const { chain, key, names } of tls.certificates) {
      const context = createSecureContext({ ...options, cert: chain, key })
      for (const name of names) {
        if (!this.#contexts.has(name.toLowerCase())) {
          this.#contexts.set(name.toLowerCase(), context)
        }
      }
    }
    for (const server of this.#servers) {
      if (!('setSecureContext' in server)) continue
      ;(server as TlsServer).setSecureContext(options)
      Object.assign(server, whoIsAsked(tls))
    }
  }

  /** There is none behind this driver. */
  meet(): void {}

  async drain(how: Drain): Promise<void> {
    await this.#driver.drain(this.#servers, how)
  }

  #plain(path: string | undefined): Server {
    return createServer(SERVER, socket => this.#driver.accept(socket, path))
  }

  async #secure(): Promise<Server> {
    const tls = this.#tls
    if (tls === undefined) throw new Error('an entrance of TLS without certificates')
    const { createServer: createTlsServer } = await import('node:tls')
    await this.setTls(tls)
    const options = {
      ...SERVER,
      ...optionsOf(tls),
      ticketKeys: Buffer.from(tls.ticketKeys),
      handshakeTimeout: HANDSHAKE,
      ...whoIsAsked(tls),
      SNICallback: (name: string, done: (error: null, context?: SecureContext) => void) =>
        done(null, this.#contextFor(name)),
    }
    const server = createTlsServer(options, socket => {
      const wrong = this.#tls?.clients === 'optional' && !socket.authorized && shows(socket)
      if (wrong) socket.destroy()
      else this.#driver.accept(socket)
    })
    server.on('tlsClientError', (_error, socket) => socket.destroy())
    // Before keys are agreed on: that costs more than to hang up.
    const [meet] = server.listeners('connection')
    server.removeAllListeners('connection')
    server.on('connection', socket => {
      if (!this.#driver.turnAway(socket, false)) meet?.call(server, socket)
    })
    return server
  }

  /** The certificate for a name; that of the server, if there is none. */
  #contextFor(name: string): SecureContext | undefined {
    const asked = name.toLowerCase()
    return this.#contexts.get(asked) ?? this.#contexts.get(asked.replace(/^[^.]+/, '*'))
  }
}

/** Whether a client has shown a certificate. */
function shows(socket: TLSSocket): boolean {
  return Object.keys(socket.getPeerCertificate() ?? {}).length > 0
}

/** The path of a socket of this machine. */
function pathOf(entrance: PortPlan | Share): string | undefined {
  return entrance.kind & Entering.unix && 'address' in entrance
    ? entrance.address.address
    : undefined
}

/** Whether clients are asked for certificates; a server looks there for each that comes. */
function whoIsAsked({ clients }: NetTls) {
  return { requestCert: clients !== 'no', rejectUnauthorized: clients === 'yes' }
}

function optionsOf({ certificates, ca }: NetTls): SecureContextOptions {
  const [first] = certificates
  return { cert: first?.chain, key: first?.key, ca }
}
