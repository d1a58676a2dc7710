// How entries are read when there is more to it than a key: options, ages and statuses.
import type { Core } from './core.ts'
import { Flight, type FlightOptions } from './flights.ts'
import type { FetchOptions, GetOptions, HasOptions, MemoOptions, PeekOptions } from './types.ts'

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
export function look<K extends Some, V extends Some, FC>(
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

/** What `fetch` does. */
export async function fetch<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  key: K,
  given: FetchOptions<K, V, FC>,
): Promise<V | undefined> {
  const { ages } = core
  const { status, forceRefresh = false } = given
  if (status && forceRefresh) status.forceRefresh = true
  const options = resolved(core, given)
  if (core.flights === undefined) {
    if (status) status.fetch = 'get'
    return read(core, key, options)
  }
  const slot = core.keys.find(key)
  const flight = core.flights.at(slot)
  if (slot === 0) {
    core.counts.misses++
    if (status) status.fetch = 'miss'
  } else if (flight !== undefined) {
    core.counts.misses++
    if (status) status.fetch = 'inflight'
    if (!options.allowStale || flight.stale === undefined) return awaited(flight)
    if (status) status.returnedStale = true
    return flight.stale
  }
  const stale = slot !== 0 && core.stale(slot)
  if (slot !== 0 && !stale && !forceRefresh) {
    core.counts.hits++
    if (status) status.fetch = 'hit'
    core.use(slot)
    if (options.updateAgeOnGet) ages?.renew(slot)
    if (status) ages?.report(slot, status)
    return core.values[slot]
  }
  if (slot !== 0) core.counts.misses++
  const begun = new Flight(core, key, slot, options, given.context as FC)
  if (status && slot !== 0) status.fetch = stale ? 'stale' : 'refresh'
  if (!options.allowStale || begun.stale === undefined) return awaited(begun)
  if (status && stale) status.returnedStale = true
  return begun.stale
}

function awaited<K extends Some, V extends Some, FC>(
  flight: Flight<K, V, FC>,
): Promise<V | undefined> {
  flight.awaited = true
  return flight.promise
}

/** The options of a fetch, with the cache's own where none are given. */
function resolved<K extends Some, V extends Some, FC>(
  { cache }: Core<K, V, FC>,
  {
    allowStale = cache.allowStale,
    updateAgeOnGet = cache.updateAgeOnGet,
    noDeleteOnStaleGet = cache.noDeleteOnStaleGet,
    ttl = cache.ttl,
    noDisposeOnSet = cache.noDisposeOnSet,
    size = 0,
    sizeCalculation = cache.sizeCalculation,
    noUpdateTTL = cache.noUpdateTTL,
    noDeleteOnFetchRejection = cache.noDeleteOnFetchRejection,
    allowStaleOnFetchRejection = cache.allowStaleOnFetchRejection,
    allowStaleOnFetchAbort = cache.allowStaleOnFetchAbort,
    ignoreFetchAbort = cache.ignoreFetchAbort,
    status,
    signal,
  }: FetchOptions<K, V, FC>,
): FlightOptions<K, V, FC> {
  return {
    allowStale,
    updateAgeOnGet,
    noDeleteOnStaleGet,
    ttl,
    noDisposeOnSet,
    size,
    sizeCalculation,
    noUpdateTTL,
    noDeleteOnFetchRejection,
    allowStaleOnFetchRejection,
    allowStaleOnFetchAbort,
    ignoreFetchAbort,
    status,
    signal,
  } as FlightOptions<K, V, FC>
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
