import { Cache } from 'breakwater'
import { createUseCacheHandler } from 'breakwater/nextjs'

export default createUseCacheHandler({ name: 'site', maxBytes: '32mb' })

// How many entries the caches have, for the route that tells.
globalThis.sizes = () =>
  ['site incremental', 'site use cache', 'site tags'].map(name => new Cache({ name }).size)
