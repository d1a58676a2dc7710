// Clients of node-redis: `createClient`, `createCluster` and `createSentinel`.
import { InvalidOptionError, TierError } from '../../../base/errors.ts'
import type { Cancel } from '../../../base/timers.ts'
import { bytesOf, type Client, type ClientState, type Command, type Reply } from './client.ts'
import {
  type Ear,
  type Emitter,
  type Holder,
  type Master,
  type Payload,
  type Reach,
  wanted,
  watch,
} from './reach.ts'
import { checkAlike, explained, SetupQuestion } from './setup.ts'

type Subscribe = (channel: string, f: (payload: Payload) => void, buffers: true) => Promise<unknown>

/** What all kinds have. */
interface Common extends Emitter {
  /** Whether `connect()` was called and `close()` was not. */
  readonly isOpen?: boolean
  readonly isReady?: boolean
  readonly options?: { keyPrefix?: unknown }
  readonly _keyPrefix?: unknown
  /** In versions from 5 on. */
  readonly withTypeMapping?: unknown
  connect(): Promise<unknown>
  /** Closes it; throws if it is closed. */
  destroy(): unknown
}

interface Single extends Common {
  readonly options: { keyPrefix?: unknown; socket?: object; commandOptions?: object }
  duplicate(options: object): Single
  sendCommand(args: readonly (string | Buffer)[], options?: object): Promise<Reply>
  subscribe: Subscribe
}

interface Cluster extends Common {
  readonly masters: readonly object[]
  duplicate(options?: object): Cluster
  sendCommand(
    key: string | Buffer,
    readOnly: boolean,
    args: readonly (string | Buffer)[],
    options?: object,
  ): Promise<Reply>
  nodeClient(node: object): Promise<Single> | Single
}

interface Sentinel extends Common {
  duplicate(options?: object): Sentinel
  sendCommand(
    readOnly: boolean,
    args: readonly (string | Buffer)[],
    options?: object,
  ): Promise<Reply>
  subscribe: Subscribe
}

/** Whether a client is of this library. */
export function isNodeRedis(client: object): boolean {
  return 'sendCommand' in client && 'isOpen' in client
}

/** A client of this library. */
export function nodeRedis(given: object): Client {
  const client = given as Common
  if ('idleClients' in client) {
    const allowed = 'no pool: its connections do not keep the order of what is written'
    throw new InvalidOptionError('client', 'a pool', allowed)
  }
  if ('masters' in client && 'nodeClient' in client) return new NodeCluster(client as Cluster)
  if ('getSentinelNode' in client) return new NodeSentinel(client as Common as Sentinel)
  return new NodeRedis(client as Single)
}

/** Texts of values as bytes: in versions from 5 on, and in version 4. The library copies each field. */
const AS_BYTES = { typeMapping: { 36: Buffer } }
const AS_BYTES_4 = { returnBuffers: true }

/** Events by which the state is said to be another. */
const STATES = ['ready', 'connect', 'end', 'disconnect']

abstract class NodeClient<C extends Common> implements Client {
  readonly of: C
  abstract readonly isCluster: boolean
  readonly keyPrefix: string
  readonly addsPrefix = false
  readonly mindsErrors = false
  protected readonly asBytes: object

  constructor(of: C) {
    this.of = of
    this.asBytes = of.withTypeMapping === undefined ? AS_BYTES_4 : AS_BYTES
    const { keyPrefix = of._keyPrefix } = of.options ?? {}
    this.keyPrefix = keyPrefix === undefined ? '' : String(keyPrefix)
  }

  get state(): ClientState {
    const { isOpen, isReady = isOpen } = this.of
    if (isReady === true) return 'ready'
    return isOpen === false ? 'closed' : 'busy'
  }

  abstract reach(holder: Holder): Promise<Reach>
  protected abstract send(words: (string | Buffer)[], command: Command): Promise<Reply>

  /** The library writes together what is sent in one turn. */
  sendAll(commands: readonly Command[]): Promise<Reply>[] {
    return commands.map(command => this.send(command.words.map(bytesOf), command))
  }

  onState(f: () => void): Cancel {
    for (const event of STATES) this.of.on(event, f)
    return () => {
      for (const event of STATES) this.of.off(event, f)
    }
  }
}

class NodeRedis extends NodeClient<Single> {
  readonly isCluster = false
  readonly #setup: SetupQuestion

  constructor(client: Single) {
    super(client)
    const send = (...args: string[]) => client.sendCommand(args)
    this.#setup = new SetupQuestion(send, () => this.state === 'ready')
  }

  protected send(words: (string | Buffer)[]): Promise<Reply> {
    return this.of.sendCommand(words, this.asBytes)
  }

  async reach(holder: Holder): Promise<Reach> {
    const like = await this.#setup.answer()
    const alike = like && { database: like.database, ...(like.name ? { name: like.name } : {}) }
    const copy = await open(this.of, holder, { ...alike })
    await checkAlike(like, (...args) => copy.sendCommand(args))
    const masters = [masterOf(copy, holder)]
    const route = (_: string, ...args: string[]) => copy.sendCommand(args)
    // What is sent as a command of words gets no prefix.
    return { client: copy, masters, cluster: false, keyPrefix: '', route }
  }
}

class NodeCluster extends NodeClient<Cluster> {
  readonly isCluster = true

  protected send(words: (string | Buffer)[], { key }: Command): Promise<Reply> {
    return this.of.sendCommand(bytesOf(key), false, words, this.asBytes)
  }

  async reach(holder: Holder): Promise<Reach> {
    const copy = await openWhole(this.of, holder)
    const nodes = await Promise.all(copy.masters.map(node => copy.nodeClient(node)))
    const masters = nodes.map(node => masterOf(watch(node, holder), holder))
    const route = (key: string, ...args: string[]) => copy.sendCommand(key, false, args)
    return { client: copy, masters, cluster: true, keyPrefix: '', route }
  }
}

class NodeSentinel extends NodeClient<Sentinel> {
  readonly isCluster = false

  protected send(words: (string | Buffer)[]): Promise<Reply> {
    return this.of.sendCommand(false, words, this.asBytes)
  }

  async reach(holder: Holder): Promise<Reach> {
    const copy = await openWhole(this.of, holder)
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
    const route = (_: string, ...args: string[]) => send(...args)
    return { client: copy, masters, cluster: false, keyPrefix: '', route }
  }
}

/** A copy of a client of several servers. */
async function openWhole<C extends Cluster | Sentinel>(client: C, holder: Holder): Promise<C> {
  wanted(holder)
  const copy = client.duplicate({ clientSideCache: undefined }) as C
  watch(copy, holder)
  const connecting = copy.connect()
  holder.keep(() => {
    destroy(copy)
    // What it was just connecting to.
    connecting.finally(() => destroy(copy)).catch(() => {})
  })
  await connecting
  return copy
}

/** A copy of a client of one server, that connects once. */
async function open(client: Single, holder: Holder, options: object): Promise<Single> {
  wanted(holder)
  const copy = client.duplicate({
    socket: { ...client.options.socket, reconnectStrategy: false },
    disableOfflineQueue: true,
    // What it says is in the options already, and would go before what was set up since.
    url: undefined,
    // Tracking is the tier's own.
    clientSideCache: undefined,
    emitInvalidate: false,
    // A time limit of the user's is for his commands: a listener takes longer than any.
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
  await copy.connect().catch(error => {
    throw explained(error)
  })
  return copy
}

async function destroy(client: { destroy(): unknown }): Promise<void> {
  try {
    await client.destroy()
  } catch {
    // It is.
  }
}

function masterOf(client: Single, holder: Holder): Master {
  return {
    send: (...args) => client.sendCommand(args),
    async listen() {
      // RESP2: in RESP3 Redis tells of keys by a push, which this library takes for its own cache.
      const copy = await open(client, holder, { RESP: 2, maintNotifications: 'disabled' })
      return {
        send: (...args) => copy.sendCommand(args),
        subscribe: (channel, heard) => copy.subscribe(channel, heard, true),
      }
    },
  }
}
