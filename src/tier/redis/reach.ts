// Connections of the invalidation channel's own, through the user's library. They are made once: one
// that is down stays down, and whoever uses it begins anew. So no connection is taken for another, and
// nothing waits in a queue for a server that is gone.

import { TierError } from '../../base/errors.ts'

/** A message of a channel: bytes, or a list of them, or `null`, as Redis tells of keys. */
export type Payload = Buffer | readonly Buffer[] | null

/** A connection to one server. */
export interface Line {
  send(...args: string[]): Promise<unknown>
}

/** A connection to one server that hears what is published. */
export interface Ear extends Line {
  subscribe(channel: string, heard: (payload: Payload) => void): Promise<unknown>
}

/** A server that can be written to. */
export interface Master extends Line {
  /** Another connection to it. */
  listen(): Promise<Ear>
}

/** The servers that can be written to. */
export interface Reach {
  /** The client behind the {@link Master}s, as its library made it. */
  readonly client: object
  /** One, or all of a cluster. */
  readonly masters: readonly Master[]
  /** Whether there may be more masters later. */
  readonly cluster: boolean
  /** What the client itself puts before every key that it is given. */
  readonly keyPrefix: string
  /** Sends a command to the master of a key. */
  route(key: string, ...args: string[]): Promise<unknown>
}

/** What a connection belongs to. */
export interface Holder {
  /** Whether it is all over: nothing more is to be connected, and nothing heard counts. */
  readonly over: boolean
  /** Calls `close` when it is all over. */
  keep(close: () => void): void
  /** A connection is down. */
  fail(error: unknown): void
}

/** Connects to the servers that a client, of whichever library, is for. */
export async function reach(client: object, holder: Holder): Promise<Reach> {
  if (isIoRedis(client)) {
    return client.isCluster ? reachIoCluster(client, holder) : reachIo(client, holder)
  }
  if (isNodeCluster(client)) return reachNodeCluster(client, holder)
  if (isNodeSentinel(client)) return reachNodeSentinel(client, holder)
  return reachNode(client as NodeRedis, holder)
}

/** Throws if a connection is no longer wanted: the library would make it after it was closed. */
function wanted({ over }: Holder): void {
  if (over) throw new TierError('the connections were given up')
}

/** Events by which a client says that a connection is down. */
const DOWN = ['error', 'close', 'end', 'terminated', 'reconnecting', 'node-error', '-node', '+node']

/** What clients of both libraries have. */
interface Client {
  on(event: string, f: (detail?: unknown) => void): unknown
}

/** A client that counts as down with whatever it says of the kind. */
function watch<C extends Client>(client: C, holder: Holder, events: readonly string[] = DOWN): C {
  for (const event of events) {
    client.on(event, detail => {
      const error = detail instanceof Error ? detail : new Error(`the connection is down: ${event}`)
      holder.fail(error)
    })
  }
  return client
}

interface IoRedis extends Client {
  readonly options: { keyPrefix?: string }
  readonly isCluster: boolean
  duplicate(options: object): IoRedis
  connect(): Promise<unknown>
  disconnect(): void
  call(...args: string[]): Promise<unknown>
  subscribe(channel: string): Promise<unknown>
}

interface IoCluster extends Client {
  readonly options: { keyPrefix?: string }
  call(...args: string[]): Promise<unknown>
  duplicate(nodes: never[], options: object): IoCluster
  connect(): Promise<unknown>
  disconnect(): void
  nodes(role: 'master'): IoRedis[]
}

function isIoRedis(client: object): client is IoRedis & IoCluster {
  return 'isCluster' in client && 'duplicate' in client
}

/** A copy of a client that connects once. */
async function openIo(client: IoRedis, holder: Holder, options: object): Promise<IoRedis> {
  wanted(holder)
  const copy = client.duplicate({
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    autoResubscribe: false,
    ...options,
  })
  watch(copy, holder)
  holder.keep(() => copy.disconnect())
  await copy.connect()
  return copy
}

async function reachIo(client: IoRedis, holder: Holder): Promise<Reach> {
  const copy = await openIo(client, holder, {})
  return { ...ioRoute(copy), masters: [ioMaster(copy, holder)], cluster: false }
}

async function reachIoCluster(client: IoCluster, holder: Holder): Promise<Reach> {
  const copy = client.duplicate([], { lazyConnect: true, clusterRetryStrategy: () => null })
  // While it connects it says what it finds out, which is no change.
  watch(copy, holder, ['error', 'close', 'end'])
  holder.keep(() => copy.disconnect())
  await copy.connect()
  watch(copy, holder, ['-node', '+node'])
  const masters = copy.nodes('master').map(node => ioMaster(watch(node, holder), holder))
  return { ...ioRoute(copy), masters, cluster: true }
}

function ioRoute(client: IoRedis | IoCluster): Pick<Reach, 'client' | 'keyPrefix' | 'route'> {
  const keyPrefix = client.options.keyPrefix ?? ''
  return { client, keyPrefix, route: (_, ...args) => client.call(...args) }
}

function ioMaster(client: IoRedis, holder: Holder): Master {
  return {
    send: (...args) => client.call(...args),
    async listen() {
      // RESP2: in RESP3 Redis tells of keys by a push, which this library does not pass on.
      const copy = await openIo(client, holder, { protocol: 2, keyPrefix: '' })
      return {
        send: (...args) => copy.call(...args),
        subscribe(channel, heard) {
          copy.on('messageBuffer', ((from: Buffer, payload: Payload) => {
            if (String(from) === channel) heard(payload)
          }) as never)
          return copy.subscribe(channel)
        },
      }
    },
  }
}

interface NodeRedis extends Client {
  readonly options: { socket?: object; commandOptions?: object }
  duplicate(options: object): NodeRedis
  connect(): Promise<unknown>
  destroy(): unknown
  sendCommand(args: string[]): Promise<unknown>
  subscribe(channel: string, f: (payload: Payload) => void, buffers: true): Promise<unknown>
}

interface NodeCluster extends Client {
  readonly masters: readonly object[]
  duplicate(options?: object): NodeCluster
  connect(): Promise<unknown>
  destroy(): unknown
  sendCommand(key: string, readOnly: boolean, args: string[]): Promise<unknown>
  nodeClient(node: object): Promise<NodeRedis> | NodeRedis
}

function isNodeCluster(client: object): client is NodeCluster {
  return 'masters' in client && 'nodeClient' in client
}

/** A copy of a client that connects once. */
async function openNode(client: NodeRedis, holder: Holder, options: object): Promise<NodeRedis> {
  wanted(holder)
  const copy = client.duplicate({
    socket: { ...client.options.socket, reconnectStrategy: false },
    disableOfflineQueue: true,
    // Both would track keys by themselves.
    clientSideCache: undefined,
    emitInvalidate: false,
    // Whoever sends has a limit of his own: a signal for each command takes longer than the command.
    commandOptions: { ...client.options.commandOptions, timeout: 0 },
    ...options,
  })
  watch(copy, holder)
  // A client that is destroyed before it has a socket would connect all the same.
  let [connected, unwanted] = [false, false]
  copy.on('connect', () => {
    connected = true
    if (unwanted) destroy(copy)
  })
  holder.keep(() => {
    unwanted = true
    if (connected) destroy(copy)
  })
  await copy.connect()
  return copy
}

/** Closes a client, which throws if it is closed. */
async function destroy(client: { destroy(): unknown }): Promise<void> {
  try {
    await client.destroy()
  } catch {
    // It is.
  }
}

async function reachNode(client: NodeRedis, holder: Holder): Promise<Reach> {
  const copy = await openNode(client, holder, {})
  const masters = [nodeMaster(copy, holder)]
  const route = (_: string, ...args: string[]) => copy.sendCommand(args)
  // What is sent as a command of words gets no prefix.
  return { client: copy, masters, cluster: false, keyPrefix: '', route }
}

async function reachNodeCluster(client: NodeCluster, holder: Holder): Promise<Reach> {
  const copy = client.duplicate()
  watch(copy, holder)
  const connecting = copy.connect()
  holder.keep(() => {
    destroy(copy)
    // What it was just connecting to.
    connecting.finally(() => destroy(copy)).catch(() => {})
  })
  await connecting
  const nodes = await Promise.all(copy.masters.map(node => copy.nodeClient(node)))
  const masters = nodes.map(node => nodeMaster(watch(node, holder), holder))
  const route = (key: string, ...args: string[]) => copy.sendCommand(key, false, args)
  return { client: copy, masters, cluster: true, keyPrefix: '', route }
}

function nodeMaster(client: NodeRedis, holder: Holder): Master {
  return {
    send: (...args) => client.sendCommand(args),
    async listen() {
      // RESP2: in RESP3 Redis tells of keys by a push, which this library takes for its own cache.
      const copy = await openNode(client, holder, { RESP: 2, maintNotifications: 'disabled' })
      return {
        send: (...args) => copy.sendCommand(args),
        subscribe: (channel, heard) => copy.subscribe(channel, heard, true),
      }
    },
  }
}

interface NodeSentinel extends Client {
  duplicate(): NodeSentinel
  connect(): Promise<unknown>
  destroy(): unknown
  sendCommand(readOnly: boolean, args: string[]): Promise<unknown>
  subscribe(channel: string, f: (payload: Payload) => void, buffers: true): Promise<unknown>
}

function isNodeSentinel(client: object): client is NodeSentinel {
  return 'getSentinelNode' in client
}

async function reachNodeSentinel(client: NodeSentinel, holder: Holder): Promise<Reach> {
  const copy = client.duplicate()
  watch(copy, holder)
  const connecting = copy.connect()
  holder.keep(() => {
    destroy(copy)
    connecting.finally(() => destroy(copy)).catch(() => {})
  })
  await connecting
  // While it connects it finds a master, which is no change.
  watch(copy, holder, ['topology-change'])
  const send = (...args: string[]) => copy.sendCommand(false, args)
  const ear: Ear = {
    async send(...args) {
      if (args[0] !== 'CLIENT') return send(...args)
      throw new TierError(
        'a sentinel client of node-redis keeps its connection for messages to itself',
      )
    },
    subscribe: (channel, heard) => copy.subscribe(channel, heard, true),
  }
  const masters = [{ send, listen: async () => ear }]
  return {
    client: copy,
    masters,
    cluster: false,
    keyPrefix: '',
    route: (_, ...args) => send(...args),
  }
}
