// What the native module offers to the routing node.
import { binding } from './native.ts'

/** The part of a router that one thread works on: the sessions of its own connections. */
export interface NativeRouter {
  /** The router's number in this process, for {@link attachRouter} on another thread. */
  readonly id: number
  /** Opens a session: its number, or the bytes to refuse the client with. */
  connect(address: string, local: string): number | Buffer
  /**
   * Takes a client's bytes: eight times the length of the replies, plus 4 if {@link kills} has
   * some, plus what comes next ({@link Next}). Replies that fit lie in `area`, others wait for
   * {@link take}.
   */
  feed(session: number, chunk: Uint8Array, area: Uint8Array): number
  /** As {@link feed}, but no command runs: the client has yet to take its replies. */
  hold(session: number, chunk: Uint8Array, area: Uint8Array): number
  /** Copies the replies of the last chunk, which did not fit its area. */
  take(into: Uint8Array): number
  /** Clients that a command ended, on whichever thread they are. */
  kills(): number[]
  /** The client's number in this process. */
  clientId(session: number): number
  /** The connection is gone. */
  disconnect(session: number): void
  /** Says where clients reach the router. */
  setAddress(host: string, port: number): void
  /** Counts of the router and its cache. */
  stats(): Record<string, number>
  /** Ends the sessions of this thread and lets the router go. */
  close(): void
}

/** The sockets of one thread, served natively. */
export interface NativeSockets {
  /** How many clients are connected. */
  clients(): number
  /** Accepts no more, answers what was received and ends all connections. */
  drain(): void
  /** Ends everything at once. */
  close(): void
}

/** What a driver does once it has written the replies to a chunk. */
export const Next = { read: 0, resume: 1, close: 2 } as const

/** What {@link NativeBinding.createRouter} takes, checked and complete. */
export interface NativeOptions {
  maxBytes: number | undefined
  policy: string
  maxClients: number
  threads: number
  version: string
  storeHost?: string
  storePort?: number
  storeUser?: string | undefined
  storePassword?: string | undefined
  users:
    | {
        name: string
        password: string | undefined
        permissions: string
        readConcern?: string | undefined
      }[]
    | undefined
  routes?: NativeRoute[]
}

/** A route, checked and complete. Times are in milliseconds; a `ttl` that is left out never ends. */
export interface NativeRoute {
  prefix: string
  mode: string
  readConcern: string
  ttl: number | undefined
  jitter: number
  negativeTtl: number
  staleIfError: number
  commands: string | undefined
  maxReplyBytes: number
  verify: number
  refreshAhead: number
  admission: boolean
}

interface NativeBinding {
  createRouter(options: NativeOptions): NativeRouter
  attachRouter(id: number): NativeRouter
  duplicateFd(fd: number): number
  /** Missing on Windows; gives `undefined` where the event loop cannot be reached. */
  startSockets?: (router: number, fd: number) => NativeSockets | undefined
}

export const { createRouter, attachRouter, duplicateFd, startSockets } =
  binding as unknown as NativeBinding
