// How a cache hears what other processes change in the store: by tracking, by the bus, or not at all.

import { randomBytes } from 'node:crypto'
import { setImmediate } from '../../../base/runtime.ts'
import type { Cancel } from '../../../base/timers.ts'
import type { Client } from '../clients/client.ts'
import { closedError } from '../clients/connection.ts'
import { onPresence } from '../clients/presence.ts'
import { Bus, type BusLine } from './bus.ts'
import type { Channel, ChannelHost, ChannelKeys } from './contract.ts'
import { Footing, type Pulse } from './footing.ts'
import { type Change, type Changes, merge, nothing, pieces, writeMessage } from './messages.ts'
import type { CheckedInvalidation } from './options.ts'
import { Refused, type Tracking, track } from './tracking.ts'

const silent: Channel = {
  ready: Promise.resolve(),
  writer: () => undefined,
  doubt: () => {},
  publish: () => {},
  tracks: false,
  mark: () => undefined,
  close: async () => {},
}

/**
 * Opens the channel of a session.
 *
 * @param client - the user's: connections are made like it. It is only asked how it is set up.
 * @param origin - what the session is known by to others.
 */
export function openChannel(
  client: Client,
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
  readonly #client: Client
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
  readonly #leaveClient: Cancel
  #closed: Promise<void> | undefined

  constructor(
    client: Client,
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
    this.#bus = new Bus(keys, origin, host, options)
    this.#tracks = options.mode !== 'bus'
    this.ready = new Promise(resolve => (this.#settle = resolve))
    this.#footing = this.#tracks ? this.#track(options.mode === 'auto') : this.#ride()
    this.#leaveClient = onPresence(client, () => this.#followClient())
    this.#followClient()
  }

  /** Stands only while the user's client is open: what is left of it must not keep the process. */
  #followClient(): void {
    if (this.#client.state === 'closed') this.#footing.rest(closedError())
    else this.#footing.begin()
  }

  get tracks(): boolean {
    return this.#tracks
  }

  writer(): object | undefined {
    const { standing } = this.#footing
    return standing && 'client' in standing ? standing.client : undefined
  }

  doubt(): void {
    this.#footing.doubt()
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
        this.#followClient()
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
    this.#leaveClient()
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
