/**
 * Objects of about 100 bytes. Ours keeps JSON off the heap and gives a copy, the peers keep and
 * give the object itself: what this costs, and what it spares the collector, `pauses` shows.
 */
import { key, shuffled, type User, user } from '../lib/data.ts'
import { buildKey, requests } from '../lib/requests.ts'
import { compare } from '../lib/suite.ts'
import type { Suite } from './index.ts'

export const json: Suite = (entries, effort) => {
  const users = Array.from({ length: 1024 }, (_, id) => user(id))
  const { ids, mask } = requests(entries)
  return compare<User, { ids: Uint32Array; mask: number; users: User[] }>(
    'json',
    entries,
    {
      what: '90/10 get and set of objects, fresh keys',
      needs: { max: 2 * entries, objects: true },
      fill: cache => {
        for (const id of shuffled(entries)) cache.set(key(id), user(id))
      },
      data: { ids, mask, users },
      overhead: buildKey,
      op: (cache, { ids, mask, users }) => {
        let turn = 0
        return () => {
          const at = turn++
          const key = `user:${ids[at & mask]}`
          return at % 10 === 0 ? cache.set(key, users[at & 1023] as User) : cache.get(key)
        }
      },
    },
    effort,
  )
}
