/** The caches that are compared, each built the way its readme says. */

import { createLRU } from 'lru.min'
import { LRUCache } from 'lru-cache'
import { LRUMap } from 'mnemonist'
import QuickLRU from 'quick-lru'
import { lru as tinyLru } from 'tiny-lru'
import { Cache, json } from './breakwater.ts'

/** What all of them can do. */
export interface MapLike<V = string> {
  get(key: string): V | undefined
  set(key: string, value: V): unknown
}

/** What a side is built for. */
export interface Needs {
  /** The most entries that it holds. */
  max: number
  /** How long an entry lives, in milliseconds; for good if absent. */
  ttl?: number
  /** The values are objects, which ours keeps as JSON. */
  objects?: boolean
}

type Build = (needs: Needs) => MapLike

/** Ours, by the name under which it is reported. */
export const OURS = 'breakwater'
/** The peer that headline figures are given against. */
export const PEER = 'lru-cache'

/** All sides, ours first. */
export const SIDES: Readonly<Record<string, Build>> = {
  [OURS]: ({ max, ttl, objects }) => {
    const options = { max, ...(ttl && { ttl }) }
    return objects
      ? new Cache<string, string>({ ...options, codec: json<string>() })
      : new Cache<string, string>(options)
  },
  [PEER]: ({ max, ttl }) => new LRUCache<string, string>({ max, ...(ttl && { ttl }) }),
  'tiny-lru': ({ max, ttl }) => tinyLru<string>(max, ttl ?? 0),
  'quick-lru': ({ max, ttl }) => new QuickLRU({ maxSize: max, ...(ttl && { maxAge: ttl }) }),
  'lru.min': ({ max }) => createLRU({ max }),
  mnemonist: ({ max }) => new LRUMap<string, string>(max),
  Map: () => new Map<string, string>(),
}

/** Sides that can let entries expire. */
export const WITH_TTL = [OURS, PEER, 'tiny-lru', 'quick-lru']
/** Sides that keep to a bound: all but Map. */
export const BOUNDED = Object.keys(SIDES).filter(name => name !== 'Map')

/** Builds a side for values of a type. */
export function build<V = string>(side: string, needs: Needs): MapLike<V> {
  const make = SIDES[side]
  if (!make) throw new Error(`no such side: ${side}`)
  return make(needs) as unknown as MapLike<V>
}
