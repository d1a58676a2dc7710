/** Nine gets to one set, fresh keys, where every entry expires after an hour. */
import { buildKey, fill, requests } from '../lib/requests.ts'
import { WITH_TTL } from '../lib/sides.ts'
import { compare } from '../lib/suite.ts'
import type { Suite } from './index.ts'

export const ttl: Suite = (entries, effort) => {
  const data = requests(entries)
  return compare(
    'ttl',
    entries,
    {
      what: '90/10 get and set with a time to live, fresh keys',
      sides: WITH_TTL,
      needs: { max: 2 * entries, ttl: 3_600_000 },
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
