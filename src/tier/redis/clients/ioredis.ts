// Clients of ioredis: `Redis`, also with Sentinels, and `Cluster`.
import { InvalidOptionError } from '../../../base/errors.ts'
import type { Cancel } from '../../../base/timers.ts'
import { bytesOf, type Client, type ClientState, type Command, type Reply } from './client.ts'
import {
  type Emitter,
  type Holder,
  type Master,
  type Payload,
  type Reach,
  wanted,
  watch,
} from './reach.ts'
import { checkAlike, SetupQuestion } from './setup.ts'

interface Options {
  readonly reconnectOnError?: unknown
  readonly redisOptions?: { readonly reconnectOnError?: unknown }
  keyPrefix?: string
  enableAutoPipelining?: boolean
}

/** What both kinds have. */
interface Common extends Emitter {
  readonly status: string
  /** Whether it was told to end: it still takes commands, which its server no longer reads. */
  readonly manuallyClosing?: boolean
  readonly isCluster: boolean
  connect(): Promise<unknown>
  disconnect(): void
  call(...args: string[]): Promise<unknown>
  callBuffer(...words: unknown[]): Promise<Reply>
  pipeline(): Pipeline
}

interface Redis extends Common {
  readonly options: Options & { role?: unknown; monitor?: unknown; db?: number }
  /** How the connection is now. */
  readonly condition?: { select?: number } | null
  duplicate(options: object): Redis
  subscribe(channel: string): Promise<unknown>
}

interface Cluster extends Common {
  readonly options: Options & { scaleReads?: unknown }
  duplicate(nodes: never[], options: object): Cluster
  nodes(role: 'master'): Redis[]
}

interface Pipeline {
  callBuffer(...words: unknown[]): unknown
  exec(): Promise<[error: Error | null, reply: Reply][] | null>
}

/** Whether a client is of this library. */
export function isIoRedis(client: object): client is Redis | Cluster {
  return 'callBuffer' in client && 'isCluster' in client && 'duplicate' in client
}

/** A client of this library. */
export function ioRedis(client: object): Client {
  const given = client as Redis | Cluster
  return isCluster(given) ? new IoCluster(given) : new IoRedis(given)
}

function isCluster(client: Redis | Cluster): client is Cluster {
  return client.isCluster === true
}

/** The status of one that does not connect again by itself. */
const CLOSED = 'end'
/** Those in which it may be on its way there. */
const LEAVING = ['ready', 'disconnecting']

abstract class IoClient<C extends Redis | Cluster> implements Client {
  readonly of: C
  abstract readonly isCluster: boolean
  readonly keyPrefix: string
  readonly addsPrefix = true
  readonly mindsErrors: boolean

  constructor(of: C) {
    this.of = of
    this.keyPrefix = of.options.keyPrefix ?? ''
    const { reconnectOnError, redisOptions } = of.options
    this.mindsErrors = Boolean(reconnectOnError ?? redisOptions?.reconnectOnError)
  }

  get state(): ClientState {
    const { status, manuallyClosing } = this.of
    // A command behind a QUIT would also cost the caller the answer to it: the server resets a
    // connection that it closes with something unread.
    if (manuallyClosing === true && LEAVING.includes(status)) return 'closed'
    if (status === 'ready') return 'ready'
    return status === CLOSED ? 'closed' : 'busy'
  }

  abstract sendAll(commands: readonly Command[]): Promise<(Reply | Error)[]> | Promise<Reply>[]
  abstract reach(holder: Holder): Promise<Reach>

  onState(f: () => void): Cancel {
    for (const event of STATES) this.of.on(event, f)
    return () => {
      for (const event of STATES) this.of.off(event, f)
    }
  }

  /** Commands one by one, in their order. */
  protected each(commands: readonly Command[]): Promise<Reply>[] {
    // Collecting them by itself, the library takes commands of words for others.
    if (this.of.options.enableAutoPipelining === true)
      return commands.map(command => this.#alone(command))
    return commands.map(({ words }) => this.of.callBuffer(...words.map(bytesOf)))
  }

  async #alone(command: Command): Promise<Reply> {
    const [reply] = await this.together([command])
    if (reply instanceof Error) throw reply
    return reply as Reply
  }

  protected async together(commands: readonly Command[]): Promise<(Reply | Error)[]> {
    const pipeline = this.of.pipeline()
    for (const { words } of commands) pipeline.callBuffer(...words.map(bytesOf))
    return ((await pipeline.exec()) ?? []).map(([error, reply]) => error ?? reply)
  }
}

/** Events by which the state is said to be another. */
const STATES = ['ready', 'end']

class IoRedis extends IoClient<Redis> {
  readonly isCluster = false
  readonly #setup: SetupQuestion

  constructor(client: Redis) {
    super(client)
    const { role, monitor } = client.options
    if (role === 'slave') {
      throw new InvalidOptionError('client', "role: 'slave'", 'one of a master: it is written to')
    }
    if (monitor === true) {
      throw new InvalidOptionError('client', 'a monitor', 'one that takes commands')
    }
    const send = async (...words: string[]) => {
      const [reply] = await this.together([{ words, key: '' }])
      if (reply instanceof Error) throw reply
      return reply
    }
    this.#setup = new SetupQuestion(send, () => this.state === 'ready')
  }

  sendAll(commands: readonly Command[]): Promise<(Reply | Error)[]> | Promise<Reply>[] {
    return commands.length === 1 ? this.each(commands) : this.together(commands)
  }

  async reach(holder: Holder): Promise<Reach> {
    const client = this.of
    const like = await this.#setup.answer()
    const database = like?.database ?? client.condition?.select ?? client.options.db ?? 0
    const name = like?.name ? { connectionName: like.name } : {}
    const copy = await open(client, holder, { db: database, ...name })
    await checkAlike(like, (...args) => copy.call(...args))
    return { ...routeOf(copy), masters: [masterOf(copy, holder)], cluster: false }
  }
}

class IoCluster extends IoClient<Cluster> {
  readonly isCluster = true

  constructor(client: Cluster) {
    super(client)
    const { scaleReads = 'master' } = client.options
    if (scaleReads !== 'master') {
      const given = typeof scaleReads === 'string' ? `scaleReads: '${scaleReads}'` : 'scaleReads'
      const allowed = 'one that reads from masters, where it has just written: a duplicate will do'
      throw new InvalidOptionError('client', given, allowed)
    }
  }

  /** The library finds the server of each command by itself. */
  sendAll(commands: readonly Command[]): Promise<Reply>[] {
    return this.each(commands)
  }

  async reach(holder: Holder): Promise<Reach> {
    wanted(holder)
    const options = {
      lazyConnect: true,
      clusterRetryStrategy: () => null,
      enableAutoPipelining: false,
    }
    const copy = this.of.duplicate([], options)
    // While it connects it says what it finds out, which is no change.
    watch(copy, holder, ['error', 'close', 'end'])
    holder.keep(() => copy.disconnect())
    await copy.connect()
    watch(copy, holder, ['-node', '+node'])
    const masters = copy.nodes('master').map(node => masterOf(watch(node, holder), holder))
    return { ...routeOf(copy), masters, cluster: true }
  }
}

/** A copy of a client that connects once. */
async function open(client: Redis, holder: Holder, options: object): Promise<Redis> {
  wanted(holder)
  const copy = client.duplicate({
    lazyConnect: true,
    retryStrategy: () => null,
    reconnectOnError: null,
    enableOfflineQueue: false,
    autoResubscribe: false,
    replyMapping: 'legacy',
    enableAutoPipelining: false,
    ...options,
  })
  watch(copy, holder)
  holder.keep(() => copy.disconnect())
  await copy.connect()
  return copy
}

function routeOf(client: Redis | Cluster): Pick<Reach, 'client' | 'keyPrefix' | 'route'> {
  const keyPrefix = client.options.keyPrefix ?? ''
  return { client, keyPrefix, route: (_, ...args) => client.call(...args) }
}

function masterOf(client: Redis, holder: Holder): Master {
  return {
    send: (...args) => client.call(...args),
    async listen() {
      // RESP2: in RESP3 Redis tells of keys by a push, which this library does not pass on.
      const copy = await open(client, holder, { protocol: 2, keyPrefix: '' })
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
