// Invalidation by the server itself: it tells which keys under the cache's prefixes were written, to
// all but the connection that wrote them. So the cache writes by the connections that are made here.
import { TierError } from '../../base/errors.ts'
import type { CacheKey } from '../../base/types.ts'
import type { ChannelHost } from './channel.ts'
import type { Standing } from './footing.ts'
import { type Change, merge, nothing, pass, readMessage, writeMessage } from './messages.ts'
import { type Ear, type Holder, type Line, type Master, type Payload, reach } from './reach.ts'

/** What a key of the store stands for. */
export type Stored = { readonly key: CacheKey } | { readonly tag: string } | 'everything'

/** The keys that a cache has in the store. */
export interface StoredKeys {
  /** What they begin with; none of these begins with another. */
  readonly prefixes: readonly string[]
  /** What keys begin with that exist for a moment, to tell of what no other key stands for. */
  readonly marks: string
  /** What a key stands for; `undefined` if it is nothing that the cache knows. */
  read(stored: Buffer): Stored | undefined
}

/** The server does not track keys for us. */
export class Refused extends TierError {}

/** Tracking, while it stands. */
export interface Tracking extends Standing {
  /** The client to write by. */
  readonly client: object
  /** Tells of what no key that was written stands for. */
  tell(change: Change, at?: number): Promise<unknown>
}

/** Makes a key that is gone at once: telling of it is all it is for. */
const MARK = "redis.call('SET', KEYS[1], '') return redis.call('DEL', KEYS[1])"

/** Starts tracking, on every server that a client writes to. */
export async function track(
  client: object,
  host: ChannelHost,
  keys: StoredKeys,
  origin: string,
  holder: Holder,
): Promise<Tracking> {
  const to = await reach(client, holder)
  const layout = to.cluster ? await mastersOf(to.masters[0]!) : []
  if (to.cluster && layout.length !== to.masters.length) {
    throw new TierError('the cluster is being changed')
  }
  const told = hearing(host, keys, origin, to.keyPrefix)
  const hear = (payload: Payload) => {
    if (!holder.over) told(payload)
  }
  const prefixes = [...keys.prefixes, keys.marks].map(prefix => to.keyPrefix + prefix)
  const ears = await Promise.all(to.masters.map(master => trackOne(master, prefixes, hear)))
  let marks = 0
  return {
    client: to.client,
    async beat() {
      await Promise.all([...ears, ...to.masters].map(line => line.send('PING')))
      if (!to.cluster) return
      const now = await mastersOf(to.masters[0]!)
      if (String(now) !== String(layout)) throw new TierError('the cluster has changed')
    },
    tell(change, at) {
      const message = writeMessage({ kind: 'change', origin, sequence: ++marks, change, at })
      const key = keys.marks + message
      return to.route(key, 'EVAL', MARK, '1', key)
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
    await line.send('PING')
    throw new Refused('the server does not track keys for us', { cause: error })
  }
}

/** Tells the cache what the server tells. */
function hearing(
  host: ChannelHost,
  keys: StoredKeys,
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

/** The masters of a cluster, sorted. */
async function mastersOf(line: Line): Promise<string[]> {
  const slots = (await line.send('CLUSTER', 'SLOTS')) as [unknown, unknown, unknown[]][]
  const names = slots.map(([, , [host, port, id]]) => String(id ?? `${host}:${port}`))
  return [...new Set(names)].sort()
}
