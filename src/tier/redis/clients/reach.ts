// Connections of the tier's own, through the user's library and set up as the user's client is. They are
// made once: one that is down stays down, and whoever uses it begins anew. So no connection is taken for
// another, and nothing waits in a queue for a server that is gone.
import { TierError } from '../../../base/errors.ts'
import { explained } from './setup.ts'

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

/** Throws if a connection is no longer wanted: the library would make it after it was closed. */
export function wanted({ over }: Holder): void {
  if (over) throw new TierError('the connections were given up')
}

/** What emits events, in both libraries. */
export interface Emitter {
  on(event: string, f: (detail?: unknown) => void): unknown
  off(event: string, f: (detail?: unknown) => void): unknown
}

/** Events by which a client says that a connection is down. */
export const DOWN = [
  'error',
  'close',
  'end',
  'terminated',
  'reconnecting',
  'node-error',
  '-node',
  '+node',
]

/** A client that counts as down with whatever it says of the kind. */
export function watch<C extends Pick<Emitter, 'on'>>(
  client: C,
  holder: Holder,
  events: readonly string[] = DOWN,
): C {
  for (const event of events) {
    client.on(event, detail => {
      const error = detail instanceof Error ? detail : new Error(`the connection is down: ${event}`)
      holder.fail(explained(error))
    })
  }
  return client
}
