// `breakwater/admin`: a small HTTP server beside a routing node, for probes, scrapers and those who run it.
import type { Router } from '../router/index.ts'
import { type Admin, RouterAdmin } from './admin.ts'
import type { AdminOptions } from './options.ts'

export type { AdminConfig } from '../router/admin.ts'
export type { Admin } from './admin.ts'
export type { AdminOptions } from './options.ts'
export type { AdminReply, AdminRequest, AdminRoute } from './route.ts'

/**
 * Creates an admin entrance of a router. It answers `GET /livez`, `GET /readyz` and, to those who have
 * the token, `GET /status`, `POST /reload`, `POST /restart` and `POST /drain`.
 *
 * @example
 * ```ts
 * import assert from 'node:assert/strict'
 * import { createAdmin } from 'breakwater/admin'
 * import { createRouter } from 'breakwater/router'
 *
 * const router = createRouter({ threads: 0, maxBytes: '16mb' })
 * await router.listen({ port: 0 })
 * const admin = createAdmin(router, { listen: '127.0.0.1:0' })
 * admin.mount({ method: 'GET', path: '/tide', access: 'anybody', handle: () => ({ body: 'high' }) })
 * const address = await admin.listen()
 * assert.equal((await fetch(`http://${address}/readyz`)).status, 200)
 * assert.equal(await (await fetch(`http://${address}/tide`)).text(), 'high')
 * await admin.close()
 * await router.close()
 * ```
 *
 * @throws InvalidOptionError an option that cannot be, with its name, value and what is allowed
 */
export function createAdmin(router: Router, options: AdminOptions): Admin {
  return new RouterAdmin(router, options)
}
