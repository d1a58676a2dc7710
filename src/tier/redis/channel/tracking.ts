// Invalidation by the server itself: it tells which keys under the cache's prefixes were written, to
// all but the connection that wrote them. So the cache writes by the connections that are made here.
import { TierError } from '../../../base/errors.ts'
import type { Client } from '../clients/client.ts'
import { isUnknownCommand } from '../clients/connection.ts'
import type { Ear, Holder, Line, Master, Payload } from '../clients/reach.ts'
import type { ChannelHost, ChannelKeys } from './contract.ts'
import type { Standing } from './footing.ts'
import { type Change, merge, nothing, pass, readMessage, writeMessage } from './messages.ts'
import { isChanged, probe, probesOf, type Range } from './probe.ts'

/** The server does not track keys for us. */
export class Refused extends TierError {}

/** Tracking, while it stands. */
export interface Tracking extends Standing {
  /** The client to write by. */
  readonly client: object
  /** Tells of what no key that was written stands for. */
  tell(change: Change, at?: number): Promise<unknown>
}

/** Makes a key that is gone at once: telling of it is all it is for. `breakwater serve` has `BW.TELL`. */
const MARK = "redis.call('SET', KEYS[1], '') return redis.call('DEL', KEYS[1])"

/** Starts tracking, on every server that a client writes to. */
export async function track(
  client: Client,
  host: ChannelHost,
  keys: ChannelKeys,
  origin: string,
  holder: Holder,
): Promise<Tracking> {
  const to = await client.reach(holder)
  const layout = to.cluster ? await layoutOf(to.masters[0]!) : new Map<string, Range[]>()
  if (to.cluster && layout.size !== to.masters.length) {
    throw new TierError('the cluster is being changed')
  }
  const told = hearing(host, keys, origin, to.keyPrefix)
  const hear = (payload: Payload) => {
    if (!holder.over) told(payload)
  }
  const prefixes = [...keys.prefixes, keys.marks].map(prefix => to.keyPrefix + prefix)
  const ears = await Promise.all(to.masters.map(master => trackOne(master, prefixes, hear)))
  const probes = probesOf(keys.marks, to.keyPrefix, [...layout.values()])
  await probe(to, probes)
  let marks = 0
  return {
    client: to.client,
    async beat() {
      const signs = [...ears, ...to.masters].map(line => line.send('PING'))
      await Promise.all([...signs, probe(to, probes)])
      if (!to.cluster) return
      const now = await layoutOf(to.masters[0]!)
      if (String([...now.keys()]) !== String([...layout.keys()])) {
        throw new TierError('the cluster has changed')
      }
    },
    async tell(change, at) {
      const message = writeMessage({ kind: 'change', origin, sequence: ++marks, change, at })
      const key = keys.marks + message
      try {
        return await to.route(key, 'EVAL', MARK, '1', key)
      } catch (error) {
        if (!isUnknownCommand(error)) throw error
        // No library knows which of its words is a key.
        return to.route(key, 'BW.TELL', '1', to.keyPrefix + key)
      }
    },
  }
}

async function trackOne(
  master: Master,
  prefixes: readonly string[],
  hear: (payload: Payload) => void,
): Promise<Ear> {
  const ear = await master.listen()
  // Before the subscription, after which the connection takes no other command.
  const id = await demand(ear, 'CLIENT', 'ID')
  await ear.subscribe('__redis__:invalidate', hear)
  const listed = prefixes.flatMap(prefix => ['PREFIX', prefix])
  const words = ['ON', 'REDIRECT', String(id), 'BCAST', ...listed, 'NOLOOP']
  await demand(master, 'CLIENT', 'TRACKING', ...words)
  return ear
}

/** Sends a command. If it fails while the connection is sound, the server refuses it. */
async function demand(line: Line, ...words: string[]): Promise<unknown> {
  try {
    return await line.send(...words)
  } catch (error) {
    if (isChanged(error) && !isForbidden(error)) throw error
    await line.send('PING')
    throw new Refused('the server does not track keys for us', { cause: error })
  }
}

/** Whether a command is not allowed to us. */
function isForbidden(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOPERM')
}

/** Tells the cache what the server tells. */
function hearing(
  host: ChannelHost,
  keys: ChannelKeys,
  origin: string,
  keyPrefix: string,
): (payload: Payload) => void {
  const skip = Buffer.byteLength(keyPrefix)
  const marks = Buffer.from(keys.marks)
  return payload => {
    // Everything was flushed.
    if (payload === null) return host.cleared()
    try {
      const change = nothing()
      for (const bytes of Array.isArray(payload) ? payload : [payload]) {
        const stored = bytes.subarray(skip)
        if (stored.subarray(0, marks.length).equals(marks)) {
          const message = readMessage(stored.toString('utf8', marks.length))
          if (message.origin === origin || host.takes?.(message)) continue
          if (message.change) merge(change, message.change)
          continue
        }
        const what = keys.read(stored)
        if (what === 'everything') change.clear = true
        else if (what !== undefined && 'key' in what) change.keys.push(what.key)
        else if (what !== undefined) change.tags.push(what.tag)
      }
      pass(host, change)
    } catch (error) {
      host.failed('invalidation', error)
      host.cleared()
    }
  }
}

/** The masters of a cluster by their names, sorted, and the slots of each. */
async function layoutOf(line: Line): Promise<ReadonlyMap<string, Range[]>> {
  const slots = (await line.send('CLUSTER', 'SLOTS')) as [unknown, unknown, unknown[]][]
  const layout = new Map<string, Range[]>()
  for (const [first, last, [host, port, id]] of slots) {
    const name = String(id ?? `${host}:${port}`)
    const ranges = layout.get(name) ?? []
    ranges.push([Number(first), Number(last)])
    layout.set(name, ranges)
  }
  return new Map([...layout].sort(([a], [b]) => (a < b ? -1 : 1)))
}
