// A worker with a cache of its own: what it does not have costs some computing.
import { createHash } from 'node:crypto'
import { LRUCache } from '../../dist/lru-cache/index.js'

let cache

/** Whether the cache had it; which worker it is, for a task without a key. */
export default function work({ key, hashes }, { data, worker }) {
  if (key === undefined) return worker
  cache ??= new LRUCache({ max: data.max })
  if (cache.get(key) !== undefined) return true
  let digest = key
  for (let i = 0; i < hashes; i++) digest = createHash('sha256').update(digest).digest('hex')
  cache.set(key, digest)
  return false
}
