/** get, all hits: with keys just built, as requests bring them, and with the same key objects. */
import { buildKey, fill, requests } from '../lib/requests.ts'
import { compare } from '../lib/suite.ts'
import type { Suite } from './index.ts'

export const get: Suite = async (entries, effort) => {
  const data = requests(entries)
  const shared = { needs: { max: 2 * entries }, fill: fill(entries, data), data }
  return [
    ...(await compare(
      'get',
      entries,
      {
        ...shared,
        what: 'get, fresh keys',
        overhead: buildKey,
        op: (cache, { ids, mask }) => {
          let turn = 0
          return () => cache.get(`user:${ids[turn++ & mask]}`)
        },
      },
      effort,
    )),
    ...(await compare(
      'get',
      entries,
      {
        ...shared,
        what: 'get, same key objects',
        op: (cache, { ids, mask, keys }) => {
          let turn = 0
          return () => cache.get(keys[ids[turn++ & mask] as number] as string)
        },
      },
      effort,
    )),
  ]
}
