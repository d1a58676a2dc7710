// `GET /metrics`: what a Prometheus server asks a node for.
import type { AdminRoute } from '../admin/index.ts'
import type { MetricRegistry } from './prometheus.ts'
import { registerMetrics } from './prometheus.ts'
import type { Sources } from './sources.ts'

/** A registry, as it is scraped. */
interface Scraped extends MetricRegistry {
  readonly contentType: string
  metrics(): Promise<string>
}

/** What prom-client gives; nothing where it is not installed. */
type Library = { Registry: new () => Scraped } | undefined

/**
 * A route of an admin entrance that answers with the metrics of caches and nodes, in the text format of
 * Prometheus, by the package prom-client; without it, with 501 and the name of that package.
 *
 * @example
 * ```ts
 * import { createAdmin } from 'breakwater/admin'
 * import { metricsRoute } from 'breakwater/metrics'
 * import { createRouter } from 'breakwater/router'
 *
 * const router = createRouter({ threads: 0, maxBytes: '16mb' })
 * await router.listen({ port: 0 })
 * const admin = createAdmin(router, { listen: '127.0.0.1:0' })
 * admin.mount(metricsRoute({ routers: [router] }))
 * const address = await admin.listen()
 * assert.match(await (await fetch(`http://${address}/metrics`)).text(), /breakwater_node_clients/)
 * await admin.close()
 * await router.close()
 * ```
 *
 * @throws InvalidOptionError (`ERR_INVALID_OPTION`): a cache without a name
 */
export function metricsRoute(sources: Sources): AdminRoute {
  let made: Promise<Scraped | undefined> | undefined
  return {
    method: 'GET',
    path: '/metrics',
    access: 'anybody',
    async handle() {
      made ??= registryOf(sources)
      const registry = await made
      if (registry === undefined) {
        // It may be installed by the next time.
        made = undefined
        return {
          status: 501,
          body: 'metrics need the package prom-client: npm install prom-client\n',
        }
      }
      const headers = { 'content-type': registry.contentType }
      return { headers, body: await registry.metrics() }
    },
  }
}

async function registryOf(sources: Sources): Promise<Scraped | undefined> {
  const library = await load()
  if (library === undefined) return undefined
  const registry = new library.Registry()
  registerMetrics(registry, sources)
  return registry
}

async function load(): Promise<Library> {
  try {
    // By a name that no bundler follows: who has no such library needs none.
    const peer: string = 'prom-client'
    // A library of CommonJS: its names may be those of its default alone.
    const { default: named, ...names } = await import(peer)
    return (named ?? names) as unknown as Library
  } catch (error) {
    if (!(error as NodeJS.ErrnoException).code?.endsWith('MODULE_NOT_FOUND')) throw error
    return undefined
  }
}
