/** set of keys just built that the cache holds already. */
import { buildKey, fill, requests } from '../lib/requests.ts'
import { compare } from '../lib/suite.ts'
import type { Suite } from './index.ts'

export const set: Suite = (entries, effort) => {
  const data = requests(entries)
  return compare(
    'set',
    entries,
    {
      what: 'set, fresh keys',
      needs: { max: 2 * entries },
      fill: fill(entries, data),
      data,
      overhead: buildKey,
      op: (cache, { ids, mask, values }) => {
        let turn = 0
        return () => {
          const at = turn++
          return cache.set(`user:${ids[at & mask]}`, values[at & 1023] as string)
        }
      },
    },
    effort,
  )
}
