/** A cache of a quarter of the keys that are asked for: get, and set what is missing. */
import { buildKey, fill, requests } from '../lib/requests.ts'
import { BOUNDED } from '../lib/sides.ts'
import { compare } from '../lib/suite.ts'
import type { Suite } from './index.ts'

export const churn: Suite = (entries, effort) => {
  const data = requests(4 * entries)
  return compare(
    'churn',
    entries,
    {
      what: 'get or else set with eviction, fresh keys',
      sides: BOUNDED,
      needs: { max: entries },
      fill: fill(4 * entries, data),
      data,
      overhead: buildKey,
      op: (cache, { ids, mask, values }) => {
        let turn = 0
        return () => {
          const at = turn++
          const key = `user:${ids[at & mask]}`
          if (cache.get(key) === undefined) cache.set(key, values[at & 1023] as string)
        }
      },
    },
    effort,
  )
}
