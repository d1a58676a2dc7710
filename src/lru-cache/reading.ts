// How entries are read when there is more to it than a key: options, ages and statuses.
import type { Core } from './core.ts'
import type { GetOptions, HasOptions, MemoOptions, PeekOptions } from './interface.ts'

type Some = NonNullable<unknown>

/** What `get` does. */
export function read<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  key: K,
  options: GetOptions<K, V, FC>,
): V | undefined {
  const { cache, ages } = core
  const { status } = options
  const slot = core.keys.find(key)
  if (slot === 0) {
    core.counts.misses++
    if (status) status.get = 'miss'
    return undefined
  }
  if (status) ages?.report(slot, status)
  const value = core.values[slot]
  if (ages?.stale(slot)) {
    core.counts.misses++
    return readStale(core, key, slot, options)
  }
  if (value === undefined) core.counts.misses++
  else core.counts.hits++
  if (status) status.get = core.fetching(slot) ? 'fetching' : 'hit'
  core.use(slot)
  const { updateAgeOnGet = cache.updateAgeOnGet } = options
  if (updateAgeOnGet) ages?.renew(slot)
  return value
}

function readStale<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  key: K,
  slot: number,
  options: GetOptions<K, V, FC>,
): V | undefined {
  const { cache } = core
  const { allowStale = cache.allowStale, status } = options
  const { noDeleteOnStaleGet = cache.noDeleteOnStaleGet } = options
  const value = core.values[slot]
  const fetching = core.fetching(slot)
  if (!fetching && !noDeleteOnStaleGet) core.delete(key, 'expire')
  if (status) status.get = fetching ? 'stale-fetching' : 'stale'
  if (!allowStale || value === undefined) return undefined
  if (status) status.returnedStale = true
  return value
}

/** What `has` does. */
export function holds<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  key: K,
  options: HasOptions<K, V, FC>,
): boolean {
  const { status, updateAgeOnHas = core.cache.updateAgeOnHas } = options
  const slot = core.keys.find(key)
  if (slot === 0) {
    if (status) status.has = 'miss'
    return false
  }
  if (core.values[slot] === undefined) return false
  const stale = core.stale(slot)
  if (!stale && updateAgeOnHas) core.ages?.renew(slot)
  if (status) {
    status.has = stale ? 'stale' : 'hit'
    core.ages?.report(slot, status)
  }
  return !stale
}

/** What `peek` does. */
export function peek<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  key: K,
  options: PeekOptions<K, V, FC>,
): V | undefined {
  const { status, allowStale = core.cache.allowStale } = options
  const slot = core.keys.find(key)
  const stale = slot !== 0 && !allowStale && core.stale(slot)
  const value = stale ? undefined : core.values[slot]
  if (status) {
    status.peek = stale ? 'stale' : value === undefined ? 'miss' : 'hit'
    if (value !== undefined) status.value = value
  }
  return value
}

/** What `memo` does. `save` stores what it computed. */
export function memo<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  key: K,
  given: MemoOptions<K, V, FC>,
  save: (value: V, options: object) => void,
): V {
  const { memoMethod } = core.cache
  if (memoMethod === undefined) throw new Error('memo needs the option memoMethod')
  const { context, status, forceRefresh, ...options } = given
  if (status && forceRefresh) status.forceRefresh = true
  const found = read(core, key, options)
  const hit = found !== undefined && !forceRefresh
  if (status) status.memo = hit ? 'hit' : 'miss'
  if (hit) {
    if (status) status.value = found
    return found
  }
  const value = memoMethod(key, found, { options, context: context as FC })
  if (status) status.value = value
  save(value, options)
  return value
}
