// Invalidation by the processes themselves: each publishes what it changed to one channel that all hear.
// Redis keeps nothing of it, so numbers tell who missed a message, and signs of life who missed the last.
import { TierError } from '../../../base/errors.ts'
import type { Client } from '../clients/client.ts'
import type { Holder, Payload } from '../clients/reach.ts'
import type { ChannelHost, ChannelKeys } from './contract.ts'
import type { Pulse, Standing } from './footing.ts'
import { type Change, type Kind, pass, readMessage, Sequences, writeMessage } from './messages.ts'
import { probe } from './probe.ts'

/** For how many heartbeats a silent process is remembered. */
const REMEMBERED = 60

/** The bus, while it stands. */
export interface BusLine extends Standing {
  /** Publishes a change. */
  tell(change: Change, at?: number): Promise<unknown>
  /** Says that no more will come. */
  leave(): Promise<unknown>
}

/** The bus of one cache, as one session uses it. */
export class Bus {
  readonly #channel: string
  readonly #marks: string
  readonly #origin: string
  readonly #host: ChannelHost
  readonly #sequences: Sequences
  readonly #bound: number
  /** How many changes were published or should have been. */
  #sequence = 0
  /** Until when numbers of processes that are not known are taken as they are. */
  #trusting = 0
  /** Called with the next sign of life of our own. */
  #echo = () => {}

  constructor(keys: ChannelKeys, origin: string, host: ChannelHost, { heartbeat, bound }: Pulse) {
    this.#channel = keys.bus
    this.#marks = keys.marks
    this.#origin = origin
    this.#host = host
    this.#bound = bound
    this.#sequences = new Sequences(REMEMBERED * heartbeat)
  }

  /** Makes the connections. In a cluster one master passes messages on to all. */
  async raise(client: Client, holder: Holder): Promise<BusLine> {
    const to = await client.reach(holder)
    const master = to.masters[0]
    if (master === undefined) throw new TierError('the cluster has no masters')
    const ear = await master.listen()
    await ear.subscribe(this.#channel, payload => {
      if (!holder.over) this.#hear(payload)
    })
    this.#sequences.clear()
    this.#trusting = this.#host.timers.now() + this.#bound
    const send = (kind: Kind, change?: Change, at?: number) => {
      const message = { kind, origin: this.#origin, sequence: this.#sequence, change, at }
      return master.send('PUBLISH', this.#channel, writeMessage(message))
    }
    const line: BusLine = {
      tell: (change, at) => {
        this.#sequence++
        return send('change', change, at)
      },
      leave: () => send('bye'),
      beat: () => {
        this.#sequences.sweep(this.#host.timers.now())
        // What comes back has gone all the way.
        const echo = new Promise<void>(resolve => (this.#echo = resolve))
        return Promise.all([probe(to, [this.#marks]), send('alive'), echo])
      },
    }
    await line.beat()
    return line
  }

  /** A change that cannot be published: those who hear the next sign of life miss it. */
  skip(): void {
    this.#sequence++
  }

  #hear(payload: Payload): void {
    try {
      const message = readMessage(String(payload))
      if (message.origin === this.#origin) {
        if (message.kind === 'alive') this.#echo()
        return
      }
      const now = this.#host.timers.now()
      if (!this.#sequences.follows(message, now, now < this.#trusting)) this.#host.cleared()
      else if (message.change && !this.#host.takes?.(message)) pass(this.#host, message.change)
    } catch (error) {
      const what = 'a message of the bus could not be read'
      this.#host.failed('invalidation', new TierError(what, { cause: error }))
      this.#host.cleared()
    }
  }
}
