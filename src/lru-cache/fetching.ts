// What `fetch` does: gives a fresh value, joins a fetch that is under way, or begins one.
import type { Core } from './core.ts'
import { Flight, type FlightOptions } from './flight.ts'
import type { Pending } from './flights.ts'
import type { FetchOptions } from './interface.ts'
import { read } from './reading.ts'

type Some = NonNullable<unknown>

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

function awaited<V>(flight: Pending<V>): Promise<V | undefined> {
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
