// What `fetch` does: gives a fresh value, joins a fetch that is under way, or begins one.
import type { Core } from './core.ts'
import { Fetch, type RunOptions } from './fetch.ts'
import type { FetchOptions } from './interface.ts'
import { read } from './reading.ts'
import type { RunningFetch } from './running-fetch.ts'

type Some = NonNullable<unknown>

/**
 * What `fetch` does.
 *
 * @param begin - tells the status what is called: what that throws rejects.
 */
export async function fetch<K extends Some, V extends Some, FC>(
  core: Core<K, V, FC>,
  key: K,
  given: FetchOptions<K, V, FC>,
  begin: () => void,
): Promise<V | undefined> {
  const { ages, cache } = core
  const { status, forceRefresh = false } = given
  if (status) begin()
  if (status && forceRefresh) status.forceRefresh = true
  if (core.fetches === undefined) {
    if (status) status.fetch = 'get'
    return read(core, key, resolved(core, given))
  }
  const slot = core.keys.find(key)
  const running = core.fetches.of(slot)
  const { allowStale = cache.allowStale } = given
  if (slot === 0) {
    core.counts.misses++
    if (status) status.fetch = 'miss'
  } else if (running !== undefined) {
    core.counts.misses++
    if (status) status.fetch = 'inflight'
    if (!allowStale || running.stale === undefined) return awaited(running)
    if (status) status.returnedStale = true
    return running.stale
  }
  const stale = slot !== 0 && core.stale(slot)
  if (slot !== 0 && !stale && !forceRefresh) {
    core.counts.hits++
    if (status) status.fetch = 'hit'
    core.use(slot)
    const { updateAgeOnGet = cache.updateAgeOnGet } = given
    if (updateAgeOnGet) ages?.renew(slot)
    if (status) ages?.report(slot, status)
    return core.values[slot]
  }
  if (slot !== 0) core.counts.misses++
  const begun = new Fetch(core, key, slot, resolved(core, given), given.context as FC)
  if (status && slot !== 0) status.fetch = stale ? 'stale' : 'refresh'
  if (!allowStale || begun.stale === undefined) return awaited(begun)
  if (status && stale) status.returnedStale = true
  return begun.stale
}

function awaited<V>(fetch: RunningFetch<V>): Promise<V | undefined> {
  fetch.awaited = true
  return fetch.promise
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
): RunOptions<K, V, FC> {
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
  } as RunOptions<K, V, FC>
}
