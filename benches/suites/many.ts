/** Twenty keys at once: `getMany`, which the peers have to do by twenty gets. */
import { fill, requests } from '../lib/requests.ts'
import type { MapLike } from '../lib/sides.ts'
import { compare } from '../lib/suite.ts'
import type { Suite } from './index.ts'

const BATCH = 20

export const many: Suite = (entries, effort) => {
  const data = { ...requests(entries), BATCH }
  return compare(
    'many',
    entries,
    {
      what: 'getMany of 20 fresh keys, for each key',
      needs: { max: 2 * entries },
      fill: fill(entries, data),
      data,
      batch: BATCH,
      overhead: ({ ids, mask, BATCH }) => {
        let turn = 0
        return () => {
          const keys: string[] = []
          for (let at = 0; at < BATCH; at++) keys.push(`user:${ids[turn++ & mask]}`)
          return keys
        }
      },
      op: (cache: MapLike & { getMany?(keys: string[]): unknown }, { ids, mask, BATCH }) => {
        let turn = 0
        return () => {
          const keys: string[] = []
          for (let at = 0; at < BATCH; at++) keys.push(`user:${ids[turn++ & mask]}`)
          return cache.getMany ? cache.getMany(keys) : keys.map(key => cache.get(key))
        }
      },
    },
    effort,
  )
}
