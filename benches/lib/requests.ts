/** Requests that most suites share: Zipf 0.99 over keys `user:0`, `user:1`, ... */
import { key, shuffled, text, zipf } from './data.ts'
import type { MapLike } from './sides.ts'

/** How many requests there are before they come again; a power of two. */
const COUNT = 2 ** 20

/** The requests of a suite. */
export function requests(entries: number) {
  return {
    ids: zipf(entries, COUNT),
    mask: COUNT - 1,
    keys: Array.from({ length: entries }, (_, id) => key(id)),
    values: Array.from({ length: 1024 }, (_, id) => text(id)),
  }
}
/** What {@link requests} returns. */
export type Requests = ReturnType<typeof requests>

/** Stores every key, in an order that has nothing to do with how often it is asked for. */
export const fill = (entries: number, { keys, values }: Requests) => {
  return (cache: MapLike) => {
    for (const id of shuffled(entries)) cache.set(keys[id] as string, values[id & 1023] as string)
  }
}

/** Builds the key of a request and does nothing with it. */
export const buildKey = ({ ids, mask }: Pick<Requests, 'ids' | 'mask'>) => {
  let turn = 0
  return () => `user:${ids[turn++ & mask]}`
}
