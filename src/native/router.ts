// What the native module offers to the routing node.
import { binding } from './native.ts'

/** The part of a router that one thread works on: the sessions of its own connections. */
export interface NativeRouter {
  /** The router's number in this process, for {@link attachRouter} on another thread. */
  readonly id: number
  /**
   * Opens a session: its number, or the bytes to refuse the client with.
   *
   * @param certificate - what the client has shown by TLS, as DER.
   */
  connect(address: string, local: string, certificate?: Uint8Array): number | Buffer
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
  /** Has a function called when there are {@link news}. */
  hear(called: () => void): void
  /**
   * What clients are told of changes and messages: `[client, bytes, ...]`, flat; no bytes for one whose
   * connection has to end, since it missed some.
   */
  news(): (number | Buffer | undefined)[]
  /** Has these hooks asked from now on; none, without. */
  setHooks(hooks: NativeHooks | undefined): void
  /**
   * A hook answers a question of a session later; whether that waited for it: then it is fed nothing,
   * an empty chunk.
   */
  answer(session: number, question: number, said: unknown): boolean
  /** The client's number in this process. */
  clientId(session: number): number
  /** How long a client may have replies to take and take none, in milliseconds. */
  slowReader(): number
  /** A client is about to be disconnected since it took none for as long. */
  cutSlow(session: number): void
  /** It is about to be disconnected since more messages wait for it than may. */
  cutMissing(session: number): void
  /** A client is about to be disconnected since its descriptor is needed to turn others away. */
  cutForRoom(session: number): void
  /** What a client is told whose descriptor is not for clients, and it is counted; `undefined` if it is. */
  turnAway(fd: number): Buffer | undefined
  /** The connection is gone. */
  disconnect(session: number): void
  /** Says where clients reach the router. */
  setAddress(host: string, port: number): void
  /** What was noted of refusals and orders since it was asked last: lines of JSON. */
  audit(): string[]
  /** Who came and who left since it was asked last, as lines of JSON. */
  journal(): string[]
  /** Counts of the router and its cache; with 1, all that {@link NativeLatencies} may have. */
  stats(whole?: 1): Record<string, number>
  /** What is known of a key, in front of a store. */
  knownKey(key: Uint8Array): NativeKnownKey
  /**
   * The reads that memory answers most, in no more bytes than that, for {@link NativeSockets.warm} of
   * another process.
   */
  hottest(most: number, mostBytes: number): Promise<Buffer>
  /** Nothing that was read of a key is given any more; whether anything was there. */
  forgetKey(key: Uint8Array): boolean
  /** As `forgetKey`, a slice of the keys that begin so; `next` is 0 if this was the last. */
  forgetPrefix(prefix: Uint8Array, from: number): { next: number; count: number }
  /** Nothing that was read is given any more. */
  forgetEverything(): void
  /** Has what leaves counted from now on (1), or no more (0). */
  watchInvalidations(on: number): void
  /** What has left since this was asked last; the lists are flat. */
  invalidated(): {
    routes: (string | number)[]
    keys: (Buffer | boolean | string)[]
    everything: NativeCause[]
  }
  /**
   * Begins to record what clients of all threads read, with a secret of 16 bytes by which keys are hashed,
   * as a part of what began so many milliseconds ago; `false` if a recording is under way.
   */
  record(secret: Uint8Array, ago: number): boolean
  /** The rows of a trace since this was called last (`time,key,size`), and how many were lost. */
  recorded(): [rows: string, lost: number]
  /** Records no more. */
  endRecording(): void
  /** Ends the sessions of this thread and lets the router go. */
  close(): void
}

/** Why something is not given any more. */
export type NativeCause = 'write' | 'news' | 'verified' | 'moved' | 'hand'

/** What is known of a key, and what lies in memory of it. */
export interface NativeKnownKey {
  route: string
  mode: 'on' | 'shadow' | 'off'
  store: string | undefined
  share: number | undefined
  pinned: boolean
  held?: {
    generation: number
    isFresh: boolean
    bytes: number
    hits: number | undefined
    get?: { db: number; absent: boolean; age: number; left: number | undefined; bytes: Buffer }
  }
}

/** The sockets of one thread, served natively. */
export interface NativeSockets {
  /** How many clients are connected. */
  clients(): number
  /** Opens connections to the store before a client needs one. */
  meet(): void
  /** Reads of the store what another process has read most, in the place of what is still to be read. */
  warm(hot: Uint8Array): void
  /** Whether some of that is still to be read. */
  isWarming(): boolean
  /** Serves who connects to these as well, each as two numbers: see {@link NativeBinding.startSockets}. */
  enter(entrances: number[]): void
  /**
   * Accepts no more, answers what was received and ends so many connections; called again, others.
   * Those that are not done `within` so many milliseconds are cut.
   */
  drain(most: number, within: number): void
  /** Has these hooks asked from now on; none, without. */
  setHooks(hooks: NativeHooks | undefined): void
  /** A hook answers a question of a client later. */
  answer(client: number, question: number, said: unknown): void
  /** Ends everything at once. */
  close(): void
}

/** The hooks of one thread, as the native side asks them. */
export interface NativeHooks {
  /** Which commands each is asked about. */
  hooks: { commands: string[]; prefixes: string[] }[]
  /** 1 if clients that come are asked about. */
  greets: number
  /** Beginnings of the keys whose routes are chosen, all if it is empty; `undefined` if none are. */
  routes: string[] | undefined
  /** Where questions lie that fit it. */
  area: Uint8Array
  /**
   * Answers a question, which lies in `area` or, if it is large, in `block`: see
   * `src/router/hooks/block.ts` and `ruling.ts`. It must not throw.
   */
  ask: (block?: Uint8Array) => unknown
}

/** What a hook may know of a client. */
export interface NativeClient {
  address: string
  local: string
  name: string
  label?: string
  certificate?: { common: string[]; dns: string[]; uris: string[] }
}

/** What a panic cost: one connection, all of the thread, or the driver, which has ended. */
export const FaultCost = { connection: 0, thread: 1, driver: 2 } as const

/** What an entrance is, in bits. */
export const Entering = { unix: 1, secure: 2, proxied: 4 } as const

/** How clients are met by TLS: texts of PEM, checked. */
export interface NativeTls {
  /** The first is shown where no name fits. */
  certificates: { chain: string; key: string; names: string[] }[]
  clients: 'yes' | 'no' | 'optional'
  ca: string | undefined
}

/** How a store is met by TLS: texts of PEM, checked. */
export interface NativeStoreTls {
  ca: string
  chain: string | undefined
  key: string | undefined
  /** The name in the store's certificate, if that is not the one of its address. */
  name: string | undefined
}

/** What a driver does once it has written the replies to a chunk. */
export const Next = { read: 0, resume: 1, close: 2, await: 3 } as const

/** What {@link NativeBinding.createRouter} takes, checked and complete. */
export interface NativeOptions {
  maxBytes: number | undefined
  /** The most bytes that wait in the process. */
  maxBuffers: number | undefined
  /** The longest argument, in bytes. */
  maxValueBytes: number
  /** How long a client may have replies to take and take none, in milliseconds. */
  slowReaderTimeout: number
  policy: string
  maxClients: number
  /** Connections let in a second, and handshakes of TLS at once; 0 for any number. */
  acceptRate: number
  maxHandshakes: number
  threads: number
  version: string
  /** The store behind the node, and its replicas; none for a node with a store of its own. */
  servers?: NativeServer[]
  /** Of a cluster: what is reached elsewhere than it says. */
  announce?: NativeAnnounced[]
  /** How far behind a replica may be, in milliseconds. */
  maxLag?: number
  /** How the keys are shared out, where the servers are independent stores. */
  ring?: NativeRing | undefined
  users: NativeUser[] | undefined
  tokens?: NativeTokens | undefined
  /** How names of keys are noted, where refusals and orders are. */
  audit?: string | undefined
  /** 1: who comes and who leaves is noted. */
  journal?: number | undefined
  /** How certificates say who clients are: names and users in turn, where they differ. */
  identity?: { name: string; map: string[] | undefined } | undefined
  routes?: NativeRoute[]
  /** How long a request waits for its reply from the store, in milliseconds. */
  storeTimeout?: number
  /** How long what was lost with its connection is tried again, in milliseconds; not at all without. */
  storeRetry?: number | undefined
  /** How many reads each server of a store is asked at once, how many wait, and for how long. */
  maxMisses?: number
  queuedMisses?: number
  missWait?: number
  /** After how many failures in a row a server is not asked, 0 for never, and for how long. */
  breakerFailures?: number
  breakerPause?: number
  /** Keys that are hot whatever is counted. */
  pinned?: string[]
  /** The most keys that clients track, 0 for any number. */
  trackedKeys: number
  trackedKeysPerClient: number
}

/** Somebody who may connect, checked. */
export interface NativeUser {
  name: string
  password: string | undefined
  passwordHashes?: string[] | undefined
  /** Kinds of commands, separated by commas. */
  permissions: string
  /** Rules of Redis, instead of `permissions`. */
  acl?: string | undefined
  /** Whether tokens may name it: 1 or 0. */
  byToken?: number
  readConcern?: string | undefined
  limits?: NativeQuota | undefined
}

/** How much an identity may use, checked. */
export interface NativeQuota {
  requestsPerSecond: number | undefined
  bytesPerSecond: number | undefined
  connections: number | undefined
  inFlight: number | undefined
  bufferedBytes: number | undefined
}

/** Which tokens are taken, checked. */
export interface NativeTokens {
  keys: NativeTokenKey[]
  issuer: string | undefined
  audience: string[]
  claim: string
  /** In whole seconds. */
  skew: number
  template: string | undefined
  limits: NativeQuota | undefined
  /** The `jti` of those that are revoked, one a line. */
  revoked: string | undefined
}

/** A key whose signatures count: its parts are those of a JWK. */
export interface NativeTokenKey {
  algorithm: 'HS256' | 'RS256' | 'ES256' | 'EdDSA'
  id: string | undefined
  parts: string[]
}

/** A server of a cluster that is reached elsewhere than the cluster says. */
export interface NativeAnnounced {
  said: [host: string, port: number]
  reached: [host: string, port: number]
}

/** A ring of independent stores: a node for each of the servers, in their order. */
export interface NativeRing {
  nodes: { name: string; weight: number }[]
  /** `next`: the next store on the ring stands in for one that is down. */
  whenDown: 'refuse' | 'next'
  /** Whether only the hash tag of a key counts: 1 or 0. */
  hashTags: number
}

/** How long something took. */
export interface NativeLatencies {
  count: number
  sum: number
  p50: number | undefined
  p90: number | undefined
  p99: number | undefined
  p999: number | undefined
  buckets: number[]
  /** Numbers of finer buckets, each with its count behind it. */
  whole?: number[]
}

/** A server behind a node. */
export interface NativeServer {
  kind: 'tcp' | 'tls' | 'unix'
  /** A name or address, or the path of a socket of this machine. */
  host: string
  port: number
  user: string | undefined
  password: string | undefined
}

/** A route, checked and complete. Times are in milliseconds; a `ttl` that is left out never ends. */
export interface NativeRoute {
  prefix: string
  mode: string
  readConcern: string
  readFrom: string
  ttl: number | undefined
  jitter: number
  negativeTtl: number
  staleIfError: number
  staleWhileBusy: number
  commands: string | undefined
  maxReplyBytes: number
  verify: number
  refreshAhead: number
  copies: number
  admission: boolean
}

/** A listening socket that ends with its thread. */
export interface NativeEntrance {
  /** Another descriptor of it, for a thread that will accept from it. */
  share(): number
  /** Closes the connections of those who wait to be accepted. */
  hangUp(): void
  close(): void
}

interface NativeBinding {
  createRouter(options: NativeOptions): NativeRouter
  attachRouter(id: number): NativeRouter
  /**
   * Has a router go by these rules from now on, and its native drivers meet clients and the store this
   * way: all at one moment, or throws and changes nothing. Of the options those count that may change.
   * Gives the numbers of clients that have to be disconnected, which the native drivers know already.
   */
  reloadRouter(
    router: number,
    options: NativeOptions,
    met: { tls: NativeTls | undefined; storeTls: NativeStoreTls | undefined },
  ): number[]
  /** Other rules were asked for, which cannot be: {@link NativeRouter.stats} tells why. */
  refuseReload(router: number, why: string): void
  duplicateFd(fd: number): number
  /** The first of the rules of a user that is none, without what may be a secret. */
  wrongRule(rules: string): string | undefined
  /** The first of the rules of a template of users that is none. */
  wrongTemplate(rules: string): string | undefined
  /** What several processes recorded: `whole` of all, one behind the other, and the sum of all. */
  mergeLatencies(whole: number[], sum: number): NativeLatencies
  /** The Argon2id hash of a password. */
  hashPassword(password: string): string
  /** Closes what `duplicateFd` or `listenUnix` gave: Node.js warns of descriptors that it did not open. */
  closeFd(fd: number): void
  /** What a hook may know of a client; `undefined` if it is gone. */
  showClient(router: number, client: number): NativeClient | undefined
  /** Whether a router has a route of this prefix. */
  hasRoute(router: number, prefix: string): boolean
  /** Has the native drivers of a router meet clients this way from now on. */
  setTls(router: number, tls: NativeTls): void
  /** Has them meet the store this way from now on. */
  setStoreTls(router: number, tls: NativeStoreTls): void
  /** Missing on Windows: a descriptor of a socket of this machine; its file has these permissions. */
  listenUnix?: (path: string, mode: number) => number
  /** Missing on Windows: sends a text to a socket of datagrams; whether it was sent. */
  sendDatagram?: (path: string, text: string) => boolean
  /** Missing on Windows. Takes a descriptor that is nobody else's. */
  holdEntrance?: (fd: number) => NativeEntrance
  /**
   * Missing on Windows; gives `undefined` where the event loop cannot be reached. Each entrance is
   * two numbers: a descriptor, and its kind in bits of {@link Entering}. `told` hears of panics and of
   * what they cost ({@link FaultCost}). `hooks` have a say in requests from the first one on.
   */
  startSockets?: (
    router: number,
    entrances: number[],
    told: (cost: number, why: string) => void,
    hooks: NativeHooks | undefined,
  ) => NativeSockets | undefined
}

export const {
  createRouter,
  attachRouter,
  reloadRouter,
  refuseReload,
  closeFd,
  duplicateFd,
  wrongRule,
  wrongTemplate,
  hashPassword,
  mergeLatencies,
  setTls,
  setStoreTls,
  showClient,
  hasRoute,
  listenUnix,
  holdEntrance,
  sendDatagram,
  startSockets,
} = binding as unknown as NativeBinding
