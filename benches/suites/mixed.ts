/** Nine gets to one set, fresh keys, all hits. */
import { buildKey, fill, requests } from '../lib/requests.ts'
import { compare } from '../lib/suite.ts'
import type { Suite } from './index.ts'

export const mixed: Suite = (entries, effort) => {
  const data = requests(entries)
  return compare(
    'mixed',
    entries,
    {
      what: '90/10 get and set, fresh keys',
      needs: { max: 2 * entries },
      fill: fill(entries, data),
      data,
      overhead: buildKey,
      op: (cache, { ids, mask, values }) => {
        let turn = 0
        return () => {
          const at = turn++
          const key = `user:${ids[at & mask]}`
          return at % 10 === 0 ? cache.set(key, values[at & 1023] as string) : cache.get(key)
        }
      },
    },
    effort,
  )
}
