// The listening socket: made on one thread, accepted from on many.
import { closeSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type ServerOpts } from 'node:net'
import { duplicateFd } from '../native/router.ts'

/** How sockets are set up on every thread. */
export const SERVER: ServerOpts = {
  // A client that has sent everything may still read the replies.
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 300_000,
  highWaterMark: 64 * 1024,
}

/** Where to listen. */
export interface ListenOptions {
  /** The TCP port, 0 for any free one. Default: 6380. */
  port?: number
  /** The address or name to bind to. Default: `127.0.0.1`, which only this machine reaches. */
  host?: string
}

/** A listening socket that nobody accepts from yet. */
export class Listener {
  readonly address: AddressInfo
  readonly #fd: number

  private constructor(address: AddressInfo, fd: number) {
    this.address = address
    this.#fd = fd
  }

  /** Binds and listens; `undefined` where descriptors cannot be shared (Windows). */
  static async open(port: number, host: string): Promise<Listener | undefined> {
    const server = createServer()
    const address = await listen(server, port, host)
    // We are still in the turn in which it began to listen: it has accepted nothing yet.
    const handle = (server as unknown as { _handle: { fd?: number } | null })._handle
    const fd = duplicateFd(handle?.fd ?? -1)
    server.close()
    return fd < 0 ? undefined : new Listener(address, fd)
  }

  /** A descriptor for one more thread, which closes it. */
  share(): number {
    return duplicateFd(this.#fd)
  }

  /** Lets go of it; threads that share it go on. */
  close(): void {
    closeSync(this.#fd)
  }
}

/** Listens, or says why it cannot. */
export function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog: 511 }, () => {
      server.off('error', reject)
      resolve(server.address() as AddressInfo)
    })
  })
}
