// How a cache hears what other processes change in the store: by tracking, by the bus, or not at all.
import { randomBytes } from 'node:crypto'
import { checkDuration, checkOneOf, checkShape } from '../../base/checks.ts'
import { InvalidOptionError } from '../../base/errors.ts'
import type { Duration } from '../../base/types.ts'
import type { TierHost } from '../tier.ts'
import { Bus, type BusLine } from './bus.ts'
import { Footing, type Pulse } from './footing.ts'
import {
  type Change,
  type Changes,
  type Message,
  merge,
  nothing,
  pieces,
  writeMessage,
} from './messages.ts'
import { Refused, type StoredKeys, type Tracking, track } from './tracking.ts'

/** How changes of other processes are heard of. */
export interface InvalidationOptions {
  /**
   * `'tracking'`: the server tells which keys were written (Redis 6 and later). `'bus'`: the processes
   * tell each other. `'auto'`: by tracking, or by the bus if the server refuses to track; the default.
   */
  mode?: 'auto' | 'tracking' | 'bus' | undefined
  /** How often the connections are asked for a sign of life; `'1s'` if left out. */
  heartbeat?: Duration | undefined
  /**
   * How long they may go without one until changes count as no longer heard of; `'2s'` if left out.
   * More than `heartbeat`.
   */
  bound?: Duration | undefined
}

/** What the channel needs to know about the store. */
export interface ChannelKeys extends StoredKeys {
  /** The name of the bus: of this cache, and of no other. */
  readonly bus: string
}

/** What the channel tells. */
export interface ChannelHost extends TierHost {
  /** Takes a message of another thread of this process; `false` if it is none. */
  takes?(message: Message): boolean
}

/** How a cache hears of changes elsewhere, and tells of its own. */
export interface Channel {
  /** Resolves when changes elsewhere are heard of, or cannot be for now. */
  readonly ready: Promise<void>
  /**
   * The client to write by so that this cache does not hear of what it writes; `undefined` if any will
   * do. Another one after each loss. What a script or a function of Redis writes comes back all the
   * same, as the server does not know who called it: unless a plain command touches the key last in
   * the same transaction, as `PEXPIRE` does.
   */
  writer(): object | undefined
  /**
   * Tells the others, once the store has what is told of. By tracking they know of keys that were
   * written already: tell only what no written key stands for.
   *
   * @param at - when it was asked for, in microseconds of the process.
   */
  publish(change: Partial<Change>, at?: number): void
  /** Whether the server tells of written keys. */
  readonly tracks: boolean
  /**
   * A key that tells of a change when it is written and removed: for who tracks, in one step with the
   * change. `undefined` if nobody does.
   */
  mark(change: Partial<Change>, at?: number): Buffer | undefined
  close(): Promise<void>
}

/** Options after the checks; `false`: nothing is heard. */
export type CheckedInvalidation = false | (Pulse & { mode: 'auto' | 'tracking' | 'bus' })

/** Checks the options. */
export function checkInvalidation(
  given: InvalidationOptions | false | undefined,
): CheckedInvalidation {
  if (given === false) return false
  const known = ['mode', 'heartbeat', 'bound'] as const
  const options = checkShape<InvalidationOptions>('invalidation', given, known)
  const modes = ['auto', 'tracking', 'bus'] as const
  const mode = checkOneOf('invalidation.mode', options.mode ?? 'auto', modes)
  const heartbeat = checkDuration('invalidation.heartbeat', options.heartbeat ?? 1000)
  const bound = checkDuration('invalidation.bound', options.bound ?? 2 * heartbeat)
  if (bound > heartbeat) return { mode, heartbeat, bound }
  throw new InvalidOptionError('invalidation.bound', bound, `more than heartbeat, ${heartbeat} ms`)
}

const silent: Channel = {
  ready: Promise.resolve(),
  writer: () => undefined,
  publish: () => {},
  tracks: false,
  mark: () => undefined,
  close: async () => {},
}

/**
 * Opens the channel of a session.
 *
 * @param client - the user's: connections are made like it, and it is not used itself.
 * @param origin - what the session is known by to others.
 */
export function openChannel(
  client: object,
  options: CheckedInvalidation,
  host: ChannelHost,
  keys: ChannelKeys,
  origin: string = drawOrigin(),
): Channel {
  return options === false ? silent : new Open(client, options, host, keys, origin)
}

/** What a session is known by: nobody else has it. */
export function drawOrigin(): string {
  return randomBytes(8).toString('hex')
}

class Open implements Channel {
  readonly ready: Promise<void>
  readonly #client: object
  readonly #host: ChannelHost
  readonly #keys: ChannelKeys
  readonly #pulse: Pulse
  readonly #origin: string
  readonly #bus: Bus
  #footing: Footing<Tracking> | Footing<BusLine>
  #tracks: boolean
  /** What is to be told. */
  #pending: Changes = nothing()
  /** When the first of it was asked for. */
  #since: number | undefined
  #due = false
  #settle = () => {}
  #closed: Promise<void> | undefined

  constructor(
    client: object,
    options: Exclude<CheckedInvalidation, false>,
    host: ChannelHost,
    keys: ChannelKeys,
    origin: string,
  ) {
    this.#client = client
    this.#origin = origin
    this.#host = host
    this.#keys = keys
    this.#pulse = options
    this.#bus = new Bus(keys.bus, origin, host, options)
    this.#tracks = options.mode !== 'bus'
    this.ready = new Promise(resolve => (this.#settle = resolve))
    this.#footing = this.#tracks ? this.#track(options.mode === 'auto') : this.#ride()
  }

  get tracks(): boolean {
    return this.#tracks
  }

  writer(): object | undefined {
    const { standing } = this.#footing
    return standing && 'client' in standing ? standing.client : undefined
  }

  mark({ keys = [], tags = [], clear = false }: Partial<Change>, at?: number): Buffer | undefined {
    if (!this.#tracks) return undefined
    const change = { keys, tags, clear }
    const message = { kind: 'change', origin: this.#origin, sequence: 0, change, at } as const
    return Buffer.from(this.#keys.marks + writeMessage(message))
  }

  publish({ keys = [], tags = [], clear = false }: Partial<Change>, at?: number): void {
    if (this.#closed) return
    merge(this.#pending, { keys, tags, clear })
    if (at !== undefined) this.#since = Math.min(this.#since ?? at, at)
    if (this.#due) return
    this.#due = true
    // All that is told of in one turn of the event loop goes together.
    setImmediate(() => {
      this.#due = false
      this.#flush()
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#leave()
    return this.#closed
  }

  #track(orRide: boolean): Footing<Tracking> {
    const footing = new Footing<Tracking>(
      this.#host,
      this.#pulse,
      holder => this.#late(track(this.#client, this.#host, this.#keys, this.#origin, holder)),
      error => {
        if (!orRide || !(error instanceof Refused)) return false
        this.#host.failed('invalidation', error)
        this.#tracks = false
        this.#footing = this.#ride()
        return true
      },
    )
    footing.ready.then(this.#settle)
    return footing
  }

  #ride(): Footing<BusLine> {
    const footing = new Footing<BusLine>(this.#host, this.#pulse, holder =>
      this.#late(this.#bus.raise(this.#client, holder)),
    )
    footing.ready.then(this.#settle)
    return footing
  }

  /** Tells what could not be told before. */
  async #late<S>(raised: Promise<S>): Promise<S> {
    const standing = await raised
    setImmediate(() => this.#flush())
    return standing
  }

  #flush(): Promise<unknown> {
    const pending = this.#pending
    const since = this.#since
    this.#pending = nothing()
    this.#since = undefined
    const told: Promise<unknown>[] = []
    for (const piece of pieces(pending)) {
      const { standing } = this.#footing
      if (standing === undefined) this.#untold(piece)
      else {
        const failed = (error: unknown) => {
          this.#host.failed('publish', error)
          if (this.#tracks) this.#untold(piece)
        }
        told.push(standing.tell(piece, since).catch(failed))
      }
    }
    return Promise.all(told)
  }

  /** By the bus the others notice that something is missing; else it is told when tracking stands. */
  #untold(piece: Change): void {
    if (!this.#tracks) this.#bus.skip()
    else merge(this.#pending, piece)
  }

  async #leave(): Promise<void> {
    const { standing } = this.#footing
    const said = [this.#flush()]
    if (standing && 'leave' in standing) said.push(standing.leave().catch(() => {}))
    const { heartbeat, bound } = this.#pulse
    let cancel = () => {}
    const late = new Promise<void>(resolve => {
      cancel = this.#host.timers.after(bound - heartbeat, resolve, true)
    })
    await Promise.race([Promise.all(said), late])
    cancel()
    this.#footing.close()
    this.#settle()
  }
}
